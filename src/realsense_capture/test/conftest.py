"""Real librealsense without a camera: software devices, live and recorded."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

rs = pytest.importorskip('pyrealsense2')

WIDTH, HEIGHT, FPS = 640, 360, 30


class SoftwareCamera:
    """A colour camera whose frames the test makes up: frame k is uniformly grey k."""

    def __init__(self, serial: str = 'SW01') -> None:
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.name, 'Software camera')
        self.device.register_info(rs.camera_info.serial_number, serial)
        self.sensor = self.device.add_sensor('RGB Camera')
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid = rs.stream.color, 0, 1
        stream.width, stream.height, stream.fps, stream.bpp = WIDTH, HEIGHT, FPS, 3
        stream.fmt = rs.format.rgb8
        intrinsics = rs.intrinsics()
        intrinsics.width, intrinsics.height = WIDTH, HEIGHT
        intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy = 461.0, 462.0, 321.0, 179.0
        intrinsics.model = rs.distortion.brown_conrady
        intrinsics.coeffs = [0.1, -0.2, 0.001, 0.002, 0.05]
        stream.intrinsics = intrinsics
        self._profile = self.sensor.add_video_stream(stream)

    def feed(self, number: int, stamp_ms: float, domain: 'rs.timestamp_domain') -> None:
        frame = rs.software_video_frame()
        frame.stride, frame.bpp = 3 * WIDTH, 3
        frame.timestamp, frame.domain, frame.frame_number = stamp_ms, domain, number
        frame.profile = self._profile.as_video_stream_profile()
        frame.pixels = np.full((HEIGHT, WIDTH, 3), number, np.uint8)
        self.sensor.on_video_frame(frame)


@pytest.fixture
def software_camera() -> SoftwareCamera:
    return SoftwareCamera()


@pytest.fixture(scope='session')
def record(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Record so many frames of a software camera, 33 ms apart, with librealsense's recorder."""

    def make(frames: int) -> Path:
        path = tmp_path_factory.mktemp('recording') / f'{frames}.db3'
        camera = SoftwareCamera(serial=f'SW{frames:02d}')
        recorder = rs.recorder(str(path), camera.device, True)
        sensor = recorder.query_sensors()[0]
        queue = rs.frame_queue(frames)
        sensor.open(sensor.get_stream_profiles()[0])
        sensor.start(queue)
        for k in range(frames):
            camera.feed(k, 5000 + k * 1000 / FPS, rs.timestamp_domain.hardware_clock)
            time.sleep(1 / FPS)  # playback repeats the pace of the recording
        sensor.stop()
        sensor.close()
        return path

    return make


@pytest.fixture(scope='session')
def recording(record: Callable[[int], Path]) -> Path:
    return record(20)
