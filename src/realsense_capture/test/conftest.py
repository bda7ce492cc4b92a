"""Real librealsense without a camera: software devices, live and recorded."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

rs = pytest.importorskip('pyrealsense2')

WIDTH, HEIGHT, FPS = 640, 360, 30
MODE = (WIDTH, HEIGHT, FPS)


class SoftwareCamera:
    """A colour camera whose frames the test makes up: frame k is uniformly grey k."""

    def __init__(self, serial: str = 'SW01', modes=(MODE,), usb: str = '3.2') -> None:
        self.serial = serial
        self.device = rs.software_device()
        self.device.register_info(rs.camera_info.name, 'Software camera')
        self.device.register_info(rs.camera_info.serial_number, serial)
        self.device.register_info(rs.camera_info.usb_type_descriptor, usb)
        self.sensor = self.device.add_sensor('RGB Camera')
        self._profiles = {
            mode: self.sensor.add_video_stream(self._stream(uid, *mode))
            for uid, mode in enumerate(modes)
        }
        self._mode = modes[0]

    @staticmethod
    def _stream(uid: int, width: int, height: int, fps: int) -> 'rs.video_stream':
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid = rs.stream.color, 0, uid
        stream.width, stream.height, stream.fps, stream.bpp = width, height, fps, 3
        stream.fmt = rs.format.rgb8
        intrinsics = rs.intrinsics()
        intrinsics.width, intrinsics.height = width, height
        intrinsics.fx, intrinsics.fy, intrinsics.ppx, intrinsics.ppy = 461.0, 462.0, 321.0, 179.0
        intrinsics.model = rs.distortion.brown_conrady
        intrinsics.coeffs = [0.1, -0.2, 0.001, 0.002, 0.05]
        stream.intrinsics = intrinsics
        return stream

    def add_option(self, option, low, high, step, default, writable=True) -> None:
        span = rs.option_range()
        span.min, span.max, span.step, span.default = low, high, step, default
        self.sensor.add_option(option, span, writable)

    def feed(
        self,
        number: int,
        stamp_ms: float,
        domain: 'rs.timestamp_domain',
        grey: int | None = None,
        mode: tuple[int, int, int] | None = None,
    ) -> None:
        """Send a frame, in grey `number` if nothing else is asked for."""
        width, height, _ = mode or self._mode
        frame = rs.software_video_frame()  # a new one each time: it takes care of its pixels
        frame.stride, frame.bpp = 3 * width, 3
        frame.timestamp, frame.domain, frame.frame_number = stamp_ms, domain, number
        frame.profile = self._profiles[mode or self._mode].as_video_stream_profile()
        frame.pixels = np.full((height, width, 3), (number if grey is None else grey) % 256, 'u1')
        self.sensor.on_video_frame(frame)


class SoftwareBus:
    """What is plugged in: software cameras can be started, though librealsense lists none."""

    def __init__(self, *cameras: SoftwareCamera) -> None:
        self.cameras = list(cameras)

    def devices(self) -> list:
        return [camera.device for camera in self.cameras]

    def pipeline(self, device, config) -> 'rs.pipeline':
        pipeline = rs.pipeline()
        pipeline.set_device(device)
        return pipeline


class Feeder:
    """Feeds a camera from a thread, ten times as fast as it would be.

    A test changes what is sent while it runs: `frozen` repeats the last picture, `mute` sends
    nothing, `stamp_ms` says the time, `period_s` is the time between frames.
    """

    def __init__(self, camera: SoftwareCamera, mode=None) -> None:
        self.camera, self.mode = camera, mode
        self.frozen = self.mute = False
        self.domain = rs.timestamp_domain.global_time
        self.stamp_ms: Callable[[], float] = lambda: time.time() * 1e3
        self.period_s = 0.1 / FPS
        self.number = 0
        self._grey = 0

    @contextlib.contextmanager
    def running(self) -> Iterator['Feeder']:
        stop = threading.Event()

        def feed() -> None:
            while not stop.wait(self.period_s):
                if self.mute:
                    continue
                self.number += 1
                self._grey += not self.frozen
                stamp = self.stamp_ms()
                self.camera.feed(self.number, stamp, self.domain, self._grey, self.mode)

        thread = threading.Thread(target=feed)
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def software_camera() -> SoftwareCamera:
    return SoftwareCamera()


@pytest.fixture
def make_camera() -> Callable[..., SoftwareCamera]:
    return SoftwareCamera


@pytest.fixture
def make_bus() -> Callable[..., SoftwareBus]:
    return SoftwareBus


@pytest.fixture
def make_feeder() -> Callable[..., Feeder]:
    return Feeder


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
