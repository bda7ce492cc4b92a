"""Live frames through a real pipeline on a software device."""

import threading
import time

import numpy as np
import pytest

rs = pytest.importorskip('pyrealsense2')

from realsense_capture.color_stream import ColorStream  # noqa: E402

HARDWARE_CLOCK = rs.timestamp_domain.hardware_clock


@pytest.fixture
def stream(software_camera):
    pipeline = rs.pipeline()
    pipeline.set_device(software_camera.device)
    config = rs.config()
    config.enable_stream(rs.stream.color, 640, 360, rs.format.rgb8, 30)
    stream = ColorStream(pipeline, config)
    yield stream
    stream.stop()


def read_while_feeding(camera, stream, frames, domain=HARDWARE_CLOCK):
    def feed():
        for k in range(1, frames + 1):
            camera.feed(k, 1000 + 20.5 * k, domain)
            time.sleep(0.02)

    feeder = threading.Thread(target=feed)
    feeder.start()
    read = [frame for _ in range(frames) if (frame := stream.read(1.0)) is not None]
    feeder.join()
    return read


def test_live_frames_arrive_whole_with_count_and_time(software_camera, stream):
    frames = read_while_feeding(software_camera, stream, 10, rs.timestamp_domain.global_time)
    assert len(frames) >= 8
    for frame in frames:
        assert frame.domain == 'global_time'
        assert frame.time_ms == 1000 + 20.5 * frame.number
        assert frame.rgb.shape == (360, 640, 3)
        assert (frame.rgb == frame.number).all()


def test_frames_are_copies_that_outlive_the_drivers_buffers(software_camera, stream):
    frames = read_while_feeding(software_camera, stream, 25)
    assert len(frames) >= 20
    assert [int(frame.rgb[100, 100, 0]) for frame in frames] == [f.number for f in frames]


@pytest.mark.parametrize(
    ('since_us', 'earlier_ms'),
    [(12_500, 12.5), (0, 0.0), (-40, 0.0), (3_000_000, 0.0)],  # the last two cannot be
)
def test_the_time_is_that_of_the_exposure_where_the_camera_tells_it(
    software_camera, stream, since_us, earlier_ms
):
    transfer_us = 50_000_000
    set_metadata = software_camera.sensor.set_metadata
    set_metadata(rs.frame_metadata_value.frame_timestamp, transfer_us)
    set_metadata(rs.frame_metadata_value.sensor_timestamp, transfer_us - since_us)
    frames = read_while_feeding(software_camera, stream, 4)
    assert frames
    for frame in frames:
        assert frame.time_ms == pytest.approx(1000 + 20.5 * frame.number - earlier_ms)


def test_a_stalled_camera_is_a_timeout(stream):
    assert stream.read(0.05) is None


def test_intrinsics_are_those_of_the_camera(stream):
    model = stream.intrinsics
    assert (model.width, model.height) == (640, 360)
    assert (model.fx, model.fy, model.cx, model.cy) == (461.0, 462.0, 321.0, 179.0)
    assert model.distortion_model == 'plumb_bob'
    np.testing.assert_allclose(model.distortion, (0.1, -0.2, 0.001, 0.002, 0.05), atol=1e-7)


def test_stopping_twice_is_harmless(stream):
    stream.stop()
    stream.stop()
