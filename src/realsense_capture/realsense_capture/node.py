"""The camera node: stamped colour frames of a device, a file or the twin, on one set of topics."""

import array
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.images import encode_jpeg
from ibc_contract.ros import Diagnostics, declare_config, newest
from ibc_contract.runner import run
from realsense_capture.calibration.record import difference
from realsense_capture.calibration.view import MOVED_PX, load_reference, view_shift
from realsense_capture.capture import CaptureCounts, capture
from realsense_capture.config import CaptureConfig, make_source
from realsense_capture.frame_meter import FrameMeter, MeterReading
from realsense_capture.source import EndOfRecording, Frame, FrameSource, Intrinsics

REPORT_S = 1.0
LOW_RATE = 0.8
"""Share of the promised rate below which frames come too slowly."""
AUTOMATIC_LIGHT = 'the light is automatic: fix exposure_us and white_balance_k before you record'
LATE_AGE_S = 0.2
"""An image older than this when published is of little use to a 5 Hz policy."""


class CameraNode(Node):
    """Publishes frames from a thread of its own; the executor only runs the diagnostics timer."""

    def __init__(
        self, make_source: Callable[[CaptureConfig], FrameSource] = make_source, **kwargs: Any
    ) -> None:
        """Open a source that must be there at the start, then capture."""
        super().__init__('realsense_capture', **kwargs)
        self.exit_code: int | None = None
        self._config = declare_config(self, CaptureConfig)
        path = self._config.reference_image
        self._reference = load_reference(path) if path else None
        self._first_view: np.ndarray | None = None
        self._moved = self._uncalibrated = ''
        self._source = make_source(self._config)
        if self._source.expected_at_start:
            self._source.open()
        self._compressed = self.create_publisher(
            CompressedImage, topics.CAMERA_COMPRESSED, newest()
        )
        self._raw = self.create_publisher(Image, topics.CAMERA_IMAGE, newest())
        self._info = self.create_publisher(CameraInfo, topics.CAMERA_INFO, newest())
        self._counts = CaptureCounts()
        self._meter = FrameMeter(time.monotonic())
        self._unavailable = ''
        self._diagnostics = Diagnostics(self, 'camera')
        self.create_timer(REPORT_S, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._capture, name='capture', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop capturing and let go of the camera."""
        self._stop.set()
        self._thread.join(timeout=3.0)

    def _capture(self) -> None:
        try:
            capture(self._source, self._deliver, self._stop, self._wait_for, self._counts)
        except EndOfRecording as end:
            self.get_logger().info(str(end))
            self.exit_code = 0
        except IbcError as error:
            self.get_logger().error(str(error))
            self.exit_code = 1
        except Exception:
            if self._stop.is_set():  # the context went away under a publisher
                return
            self.get_logger().error(f'capture thread failed:\n{traceback.format_exc()}')
            self.exit_code = 2

    def _wait_for(self, problem: str) -> None:
        if problem != self._unavailable:
            self.get_logger().warning(f'{problem}; waiting for it')
        self._unavailable = problem

    def _deliver(self, frame: Frame) -> None:
        started = time.perf_counter()
        if self._counts.frames == 1:
            height, width, _ = frame.rgb.shape
            said = ', '.join(f'{key} {value}' for key, value in self._source.status().items())
            self.get_logger().info(f'first frame, {width}x{height}: {said}')
            self._first_view = frame.rgb
            self._compare_camera(width, height)
        elif self._unavailable:
            self.get_logger().info('the camera is back')
            self._first_view = frame.rgb
        self._unavailable = ''
        header = Header(frame_id=topics.CAMERA_OPTICAL_FRAME, stamp=self._stamp(frame))
        self._info.publish(_camera_info(header, self._source.intrinsics()))
        jpeg = encode_jpeg(frame.rgb, self._config.jpeg_quality)
        self._compressed.publish(
            CompressedImage(header=header, format='jpeg', data=array.array('B', jpeg))
        )
        if self._raw.get_subscription_count() > 0:
            self._raw.publish(_raw_image(header, frame))
        age_ns = self.get_clock().now().nanoseconds - Time.from_msg(header.stamp).nanoseconds
        self._meter.add(time.monotonic(), age_ns * 1e-9, time.perf_counter() - started)

    def _stamp(self, frame: Frame) -> Any:
        if self.get_parameter('use_sim_time').value:
            return self.get_clock().now().to_msg()
        return Time(nanoseconds=frame.stamp_ns).to_msg()

    def _compare_camera(self, width: int, height: int) -> None:
        """Say whether the calibration is that of another camera, or of pictures of another size."""
        camera = str(self._source.status().get('source', ''))
        found = difference(self._config.calibration_file, camera, (width, height))
        if found:
            self._uncalibrated = f'{found}: ibc calibrate camera again'
            self.get_logger().warning(self._uncalibrated)

    def _compare_view(self, reference: np.ndarray, rgb: np.ndarray) -> None:
        """Say whether the camera was moved since its calibration; here, not to delay a frame."""
        shift_px = view_shift(reference, rgb)
        self._moved = ''
        if shift_px is None:
            self.get_logger().info('too little to see to tell whether the camera was moved')
        elif shift_px > MOVED_PX:
            self._moved = (
                f'the scene lies {shift_px:.0f} px from where it was when the camera was '
                'calibrated: put the camera back, or ibc calibrate camera again'
            )
            self.get_logger().warning(self._moved)

    def _report(self) -> None:
        view, self._first_view = self._first_view, None
        if view is not None and self._reference is not None:
            self._compare_view(self._reference, view)
        reading = self._meter.read(time.monotonic())
        status = self._source.status()
        trouble = self._unavailable or self._source.trouble()
        level, message = DiagnosticStatus.OK, f'{reading.rate_hz:.1f} Hz'
        if not self._counts.connected or not reading.rate_hz:
            level, message = DiagnosticStatus.ERROR, ': '.join(filter(None, ('no frames', trouble)))
        elif warnings := self._warnings(reading, trouble, status.get('light') == 'automatic'):
            level, message = DiagnosticStatus.WARN, '; '.join(warnings)
        values = {
            **status,
            'rate [Hz]': f'{reading.rate_hz:.2f}',
            'age when published [ms]': f'{reading.age_s * 1e3:.1f}',
            'oldest when published [ms]': f'{reading.oldest_s * 1e3:.1f}',
            'longest gap [ms]': f'{reading.gap_s * 1e3:.0f}',
            'encode and publish [ms]': f'{reading.publish_s * 1e3:.1f}',
            'frames': self._counts.frames,
            'reads without a frame': self._counts.timeouts,
            'times lost': self._counts.losses,
        }
        self._diagnostics.publish(level, message, values)

    def _warnings(self, reading: MeterReading, trouble: str, automatic: bool) -> list[str]:
        """What is not as it should be while frames come, worst first."""
        promised_hz = self._source.promised_hz
        late, slow = reading.age_s > LATE_AGE_S, 0 < reading.pace_hz < LOW_RATE * promised_hz
        return [
            *[f'frames are {reading.age_s * 1e3:.0f} ms old'] * late,
            *filter(None, (trouble, self._uncalibrated, self._moved)),
            *[f'{reading.pace_hz:.1f} Hz instead of {promised_hz:.0f}'] * slow,
            *[AUTOMATIC_LIGHT] * automatic,
        ]


def _camera_info(header: Header, model: Intrinsics) -> CameraInfo:
    k = [model.fx, 0.0, model.cx, 0.0, model.fy, model.cy, 0.0, 0.0, 1.0]
    return CameraInfo(
        header=header,
        width=model.width,
        height=model.height,
        distortion_model=model.distortion_model,
        d=list(model.distortion),
        k=k,
        r=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0],
    )


def _raw_image(header: Header, frame: Frame) -> Image:
    height, width, _ = frame.rgb.shape
    return Image(
        header=header,
        height=height,
        width=width,
        encoding='rgb8',
        step=3 * width,
        data=array.array('B', frame.rgb.tobytes()),
    )


def main(args: list[str] | None = None) -> None:
    """Run the camera node."""
    # For what the sources say, such as which renderer was chosen and why.
    logging.basicConfig(level=logging.INFO, format='[%(levelname)s] [%(name)s]: %(message)s')
    sys.exit(run(CameraNode, args, (CaptureConfig,)))


if __name__ == '__main__':
    main()
