"""Live frames through a real pipeline on a software device."""

import threading
import time

import numpy as np
import pytest

rs = pytest.importorskip('pyrealsense2')

from realsense_capture.color_stream import ColorStream  # noqa: E402


@pytest.fixture
def stream(software_camera):
    pipeline = rs.pipeline()
    pipeline.set_device(software_camera.device)
    config = rs.config()
    config.enable_stream(rs.stream.color, 640, 360, rs.format.rgb8, 30)
    stream = ColorStream(pipeline, config)
    yield stream
    stream.stop()


def read_while_feeding(camera, stream, frames, stamp_ms, domain):
    def feed():
        for k in range(1, frames + 1):
            camera.feed(k, stamp_ms(k), domain)
            time.sleep(0.02)

    feeder = threading.Thread(target=feed)
    feeder.start()
    read = [frame for _ in range(frames) if (frame := stream.read(1.0)) is not None]
    feeder.join()
    return read


def test_live_frames_arrive_whole_and_stamped_with_global_time(software_camera, stream):
    def epoch_ms(_k):
        return time.time() * 1e3

    frames = read_while_feeding(
        software_camera, stream, 10, epoch_ms, rs.timestamp_domain.global_time
    )
    assert len(frames) >= 8
    assert stream.domain == 'global_time'
    stamps = [frame.stamp_ns for frame in frames]
    assert stamps == sorted(set(stamps))
    assert abs(stamps[-1] - time.time_ns()) < 1_000_000_000
    for frame in frames:
        assert frame.rgb.shape == (360, 640, 3)
        assert (frame.rgb == frame.rgb[0, 0, 0]).all()


def test_frames_are_copies_that_outlive_the_drivers_buffers(software_camera, stream):
    frames = read_while_feeding(
        software_camera,
        stream,
        25,
        lambda k: k * 20.0,
        rs.timestamp_domain.hardware_clock,
    )
    greys = [int(frame.rgb[100, 100, 0]) for frame in frames]
    assert greys == sorted(set(greys))
    assert len(greys) >= 20


def test_a_stalled_camera_is_a_timeout(software_camera, stream):
    assert stream.read(0.05) is None


def test_intrinsics_are_those_of_the_camera(stream):
    model = stream.intrinsics()
    assert (model.width, model.height) == (640, 360)
    assert (model.fx, model.fy, model.cx, model.cy) == (461.0, 462.0, 321.0, 179.0)
    np.testing.assert_allclose(model.distortion, (0.1, -0.2, 0.001, 0.002, 0.05), atol=1e-7)


def test_stopping_twice_is_harmless(stream):
    stream.stop()
    stream.stop()
