"""The whole source on real pipelines: software devices that the test plugs, freezes and unplugs."""

import logging
import time

import numpy as np
import pytest

rs = pytest.importorskip('pyrealsense2')

from realsense_capture import frame_watch  # noqa: E402
from realsense_capture.device_bus import UsbBus  # noqa: E402
from realsense_capture.device_source import DeviceSettings, DeviceSource  # noqa: E402
from realsense_capture.sensor_options import LightSettings  # noqa: E402
from realsense_capture.source import SourceUnavailable  # noqa: E402
from realsense_capture.stream_mode import StreamMode  # noqa: E402
from waiting import PATIENCE_S  # noqa: E402

READ_S = 0.05


@pytest.fixture
def _impatient(monkeypatch):
    monkeypatch.setattr(frame_watch, 'LOST_AFTER_S', 1.0)


@pytest.fixture
def open_source(make_bus):
    sources = []

    def make(*cameras, now_ns=time.time_ns, **settings):
        settings.setdefault('warmup_frames', 0)
        source = DeviceSource(DeviceSettings(**settings), make_bus(*cameras), now_ns)
        sources.append(source)
        source.open()
        return source

    yield make
    for source in sources:
        source.close()


def read(source, count, timeout_s=PATIENCE_S):
    """Read until so many frames have come."""
    frames, deadline = [], time.monotonic() + timeout_s
    while len(frames) < count:
        assert time.monotonic() < deadline, f'{len(frames)} of {count} frames'
        if (frame := source.read(READ_S)) is not None:
            frames.append(frame)
    return frames


def read_until_lost(source, timeout_s=PATIENCE_S):
    """Read until the source is unavailable; return the frames until then and the message."""
    frames, deadline = [], time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            if (frame := source.read(READ_S)) is not None:
                frames.append(frame)
        except SourceUnavailable as lost:
            return frames, str(lost)
    raise AssertionError('never lost')


# Which camera.


def test_no_camera_is_said_at_once_and_without_starting_a_pipeline(make_bus):
    with pytest.raises(SourceUnavailable, match='no RealSense camera found: plug it'):
        DeviceSource(DeviceSettings(), make_bus()).open()


def test_usb_is_asked_in_the_same_way():
    bus = UsbBus()
    if len(bus.devices()) > 0:
        pytest.skip('a real RealSense camera is attached')
    with pytest.raises(SourceUnavailable, match='no RealSense camera found'):
        DeviceSource(DeviceSettings(), bus).open()


def test_one_of_several_cameras_is_never_guessed(make_camera, make_feeder, open_source):
    a, b = make_camera('SW02'), make_camera('SW01')
    with pytest.raises(SourceUnavailable, match=r'2 RealSense cameras: .* serial .*: SW01, SW02'):
        open_source(a, b)
    with pytest.raises(SourceUnavailable, match=r"no camera '99': .*: SW01, SW02"):
        open_source(a, b, serial='99')
    with make_feeder(b).running():
        source = open_source(a, b, serial='SW01')
        assert read(source, 2)
    assert source.status()['source'] == 'device Software camera SW01 on USB 3.2'


# How it streams.


def test_frames_carry_the_cameras_global_time(make_feeder, software_camera, open_source):
    with make_feeder(software_camera).running():
        source = open_source(software_camera)
        frames = read(source, 10)
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    assert abs(stamps[-1] - time.time_ns()) < 20e9
    assert source.status()['timestamp domain'] == 'global_time'
    assert source.intrinsics().fx == 461.0


def test_the_first_frames_are_dropped_after_every_start(make_feeder, software_camera, open_source):
    feeder = make_feeder(software_camera)
    source = open_source(software_camera, warmup_frames=8)
    with feeder.running():
        for _ in range(2):
            before = feeder.number
            (frame,) = read(source, 1)
            assert int(frame.rgb[0, 0, 0]) >= before + 8
            source.close()
            source.open()


def test_a_mode_that_the_link_does_not_offer_is_replaced_and_said(
    make_camera, make_feeder, open_source, caplog
):
    """As on USB 2."""
    slow = (640, 360, 15)
    camera = make_camera('SW01', [(640, 480, 30), (424, 240, 30), slow], usb='2.1')
    with caplog.at_level(logging.WARNING), make_feeder(camera, slow).running():
        source = open_source(camera)
        (frame,) = read(source, 1)
    assert frame.rgb.shape == (360, 640, 3)
    said = [m for m in caplog.messages if 'does not offer 640x360 at 30 Hz' in m]
    assert said == [
        'Software camera SW01 on USB 2.1 does not offer 640x360 at 30 Hz: '
        'it streams 640x360 at 15 Hz'
    ]
    assert source.trouble() == '640x360 at 15 Hz instead of 640x360 at 30 Hz'


def test_a_mode_of_another_shape_is_refused_with_what_is_offered(make_camera, open_source):
    camera = make_camera('SW01', [(640, 480, 30)], usb='2.1')
    with pytest.raises(
        SourceUnavailable, match=r'on USB 2.1: no mode .*: 640x480 at 30 Hz; or use a USB 3 port'
    ):
        open_source(camera)


def test_the_mode_that_was_asked_for_is_taken_among_several(make_camera, make_feeder, open_source):
    wanted = (424, 240, 15)
    camera = make_camera('SW01', [(640, 360, 30), wanted, (424, 240, 30)])
    with make_feeder(camera, wanted).running():
        (frame,) = read(open_source(camera, mode=StreamMode(*wanted)), 1)
    assert frame.rgb.shape == (240, 424, 3)


def test_light_is_fixed_and_told(make_feeder, software_camera, open_source, caplog):
    software_camera.add_option(rs.option.exposure, 1, 10_000, 1, 166)
    light = LightSettings(exposure_us=20_000, white_balance_k=4600)
    with caplog.at_level(logging.INFO), make_feeder(software_camera).running():
        source = open_source(software_camera, light=light, warmup_frames=2)
        read(source, 1)
    assert 'white balance 4600 K: this camera cannot set it' in caplog.messages
    assert source.trouble() == 'white balance 4600 K: this camera cannot set it'
    assert 'the light is fixed: exposure [us] 20000' in caplog.messages
    assert source.status()['exposure [us]'] == 20_000


def test_automatic_light_is_warned_of_with_the_values_to_fix(
    make_feeder, software_camera, open_source, caplog
):
    software_camera.add_option(rs.option.exposure, 1, 10_000, 1, 166)
    with caplog.at_level(logging.WARNING), make_feeder(software_camera).running():
        read(open_source(software_camera, warmup_frames=2), 1)
    assert any('automatic (now exposure [us] 16600)' in m for m in caplog.messages)


# What goes wrong.


def test_a_camera_that_is_unplugged_is_noticed_and_found_again(
    make_camera, make_feeder, make_bus, open_source
):
    camera = make_camera()
    source = open_source(camera)
    bus = source._bus
    feeder = make_feeder(camera)
    with feeder.running():
        before = read(source, 5)
        feeder.mute = True
        bus.cameras.clear()
        _, message = read_until_lost(source)
    assert message == 'Software camera SW01 on USB 3.2 was unplugged: plug it in again'
    source.close()
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match='no RealSense camera found'):
            source.open()
    again = make_camera()  # a new device, as after enumeration
    bus.cameras.append(again)
    source.open()
    with make_feeder(again).running():
        after = read(source, 5)
    assert after[0].stamp_ns > before[-1].stamp_ns
    assert source.trouble() == ''


def test_another_camera_does_not_take_its_place(make_camera, make_feeder, open_source):
    """It would see the scene from elsewhere."""
    camera, other = make_camera('SW01'), make_camera('SW02')
    source = open_source(camera)
    with make_feeder(camera).running():
        read(source, 1)
    source.close()
    source._bus.cameras[:] = [other]
    with pytest.raises(SourceUnavailable, match=r"no camera 'SW01': plug it in, or .*: SW02"):
        source.open()


def test_a_hardware_clock_that_starts_over_gives_present_stamps(
    make_camera, make_feeder, open_source
):
    camera = make_camera()
    feeder = make_feeder(camera)
    feeder.domain = rs.timestamp_domain.hardware_clock
    begin = time.monotonic()
    feeder.stamp_ms = lambda: 80_000_000 + (time.monotonic() - begin) * 1e3
    source = open_source(camera)
    with feeder.running():
        before = read(source, 5)
        source.close()
        feeder.stamp_ms = lambda: (time.monotonic() - begin) * 1e3
        source.open()
        after = read(source, 5)
        now = time.time_ns()
    stamps = [frame.stamp_ns for frame in before + after]
    assert stamps == sorted(set(stamps))
    assert now - stamps[-1] < 1e9


@pytest.mark.usefixtures('_impatient')
def test_a_silent_camera_that_is_still_plugged_in_is_given_up(
    make_feeder, software_camera, open_source
):
    source = open_source(software_camera)
    feeder = make_feeder(software_camera)
    with feeder.running():
        read(source, 1)
        feeder.mute = True
        _, message = read_until_lost(source)
    assert message.endswith('sends no frames: check its cable')


@pytest.mark.usefixtures('_impatient')
def test_frozen_pictures_are_not_handed_on_and_opening_again_helps(
    make_feeder, software_camera, open_source
):
    source = open_source(software_camera)
    feeder = make_feeder(software_camera)
    with feeder.running():
        read(source, 3)
        feeder.frozen = True
        frames, message = read_until_lost(source)
        assert len(frames) <= 3  # what was on its way
        assert 'sends the same picture again and again' in message
        feeder.frozen = False
        source.close()
        source.open()
        assert read(source, 3)
    assert source.status()['frames sent twice'] > 10


def test_delayed_frames_keep_the_time_of_their_exposure(make_feeder, software_camera, open_source):
    feeder = make_feeder(software_camera)
    feeder.stamp_ms = lambda: time.time() * 1e3 - 400
    source = open_source(software_camera)
    with feeder.running():
        for frame in read(source, 5):
            assert time.time_ns() - frame.stamp_ns >= 400_000_000


@pytest.mark.parametrize('step_s', [-3600, 3600])
def test_frames_go_on_when_the_clock_is_set(make_feeder, software_camera, open_source, step_s):
    offset_s = 0

    def now_ns():
        return time.time_ns() + round(offset_s * 1e9)

    feeder = make_feeder(software_camera)
    feeder.stamp_ms = lambda: now_ns() / 1e6
    source = open_source(software_camera, now_ns=now_ns)
    with feeder.running():
        read(source, 5)
        offset_s = step_s
        after = read(source, 5)
        assert abs(now_ns() - after[-1].stamp_ns) < 20e9
    assert source.status()['times the clock was set'] == 1


@pytest.mark.usefixtures('_impatient')
def test_a_clock_that_librealsense_does_not_follow_is_a_lost_camera(
    make_feeder, software_camera, open_source
):
    feeder = make_feeder(software_camera)
    feeder.stamp_ms = lambda: time.time() * 1e3 - 3_600_000
    source = open_source(software_camera)
    with feeder.running():
        frames, message = read_until_lost(source)
    assert not frames
    assert 'over 1 s late or stamped wrongly' in message


def test_frames_lost_on_the_way_are_counted(make_feeder, software_camera, open_source):
    feeder = make_feeder(software_camera)
    source = open_source(software_camera)
    with feeder.running():
        read(source, 2)
        before = source.status()['frames lost on the way']
        feeder.number += 50
        read(source, 8)
    assert source.status()['frames lost on the way'] >= before + 50


# What is on USB, as far as that can be had without a camera: a recording that is loaded into a
# context is listed, plugged and unplugged by librealsense itself.


def test_a_listed_device_streams_and_is_missed_when_it_goes(recording):
    context = rs.context()
    if len(context.query_devices()) > 0:
        pytest.skip('a real RealSense camera is attached')
    device = context.load_device(str(recording))  # plugged in while referenced
    source = DeviceSource(DeviceSettings(warmup_frames=0), UsbBus(context))
    source.open()
    frames = [frame for _ in range(20) if (frame := source.read(0.5)) is not None][:3]
    assert len(frames) == 3
    assert np.ptp(frames[0].rgb) == 0
    del device
    context.unload_device(str(recording))
    _, message = read_until_lost(source)
    assert 'was unplugged' in message
    source.close()
    with pytest.raises(SourceUnavailable, match='no RealSense camera'):
        source.open()
    _device = context.load_device(str(recording))
    source.open()
    assert read(source, 1)
    source.close()
