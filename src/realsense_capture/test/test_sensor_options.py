"""Options of a software device: librealsense itself checks ranges and refuses what is read-only."""

import pytest

rs = pytest.importorskip('pyrealsense2')

from realsense_capture.sensor_options import (  # noqa: E402
    LightSettings,
    color_sensor,
    read_light,
    write_options,
)

FIXED = LightSettings(exposure_us=15_600, gain=80, white_balance_k=4600)


@pytest.fixture
def sensor(software_camera):
    add = software_camera.add_option
    add(rs.option.enable_auto_exposure, 0, 1, 1, 1)
    add(rs.option.auto_exposure_priority, 0, 1, 1, 1)
    add(rs.option.exposure, 1, 10_000, 1, 166)
    add(rs.option.gain, 0, 128, 1, 64)
    add(rs.option.enable_auto_white_balance, 0, 1, 1, 1)
    add(rs.option.white_balance, 2800, 6500, 10, 4600)
    add(rs.option.saturation, 0, 100, 1, 64)
    add(rs.option.hue, -180, 180, 1, 0, writable=False)
    return color_sensor(software_camera.device)


def value(sensor, name):
    return sensor.get_option(getattr(rs.option, name))


def test_a_fixed_light_is_written_and_read_back(sensor):
    assert write_options(sensor, FIXED) == []
    assert read_light(sensor) == {'exposure [us]': 15_600, 'gain': 80, 'white balance [K]': 4600}
    assert value(sensor, 'enable_auto_exposure') == 0
    assert value(sensor, 'enable_auto_white_balance') == 0


def test_automatic_light_keeps_the_rate(sensor):
    write_options(sensor, FIXED)
    assert write_options(sensor, LightSettings()) == []
    assert value(sensor, 'enable_auto_exposure') == 1
    assert value(sensor, 'enable_auto_white_balance') == 1
    assert value(sensor, 'auto_exposure_priority') == 0


def test_what_another_program_left_behind_is_put_back(sensor):
    sensor.set_option(rs.option.saturation, 0)
    sensor.set_option(rs.option.gain, 3)
    assert write_options(sensor, LightSettings(exposure_us=10_000)) == []
    assert value(sensor, 'saturation') == 64
    assert value(sensor, 'gain') == 64


def test_values_between_the_steps_go_to_the_nearest(sensor):
    light = LightSettings(exposure_us=8_333, white_balance_k=4_604)
    assert write_options(sensor, light) == []
    assert value(sensor, 'exposure') == 83
    assert value(sensor, 'white_balance') == 4600


def test_each_refusal_is_one_line_and_the_rest_is_written_all_the_same(sensor):
    light = LightSettings(exposure_us=2_000_000, gain=500, white_balance_k=4600)
    assert write_options(sensor, light) == [
        'exposure 2e+06 us: the camera takes 100 us to 1e+06 us',
        'gain 500: the camera takes 0 to 128',
    ]
    assert value(sensor, 'white_balance') == 4600


def test_an_option_that_is_read_only_or_missing_is_said(software_camera):
    software_camera.add_option(rs.option.exposure, 1, 10_000, 1, 166, writable=False)
    sensor = color_sensor(software_camera.device)
    read_only, missing = write_options(sensor, LightSettings(20_000, 0, 4600))
    assert read_only.startswith('exposure 20000 us: the camera refuses (')
    assert missing == 'white balance 4600 K: this camera cannot set it'


def test_a_camera_that_sets_another_value_is_found_out(sensor):
    class Stubborn:
        """Accepts what it is told and goes on as before."""

        def __getattr__(self, name):
            return getattr(sensor, name)

        def set_option(self, option, wanted):
            pass

    sensor.set_option(rs.option.exposure, 166)
    assert 'exposure 20000 us: the camera uses 16600 us' in write_options(
        Stubborn(), LightSettings(20_000)
    )
