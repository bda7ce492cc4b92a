# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""The librealsense half that a connected camera and a recorded file share."""

import time
from collections.abc import Callable

import numpy as np

from ibc_contract.errors import IbcError
from realsense_capture.source import Frame, Intrinsics
from realsense_capture.stamps import StampMapper

try:
    import pyrealsense2 as rs
except ImportError as error:
    raise IbcError(
        f'cannot load librealsense ({error}): pip install pyrealsense2, '
        'and apt install libusb-1.0-0 libudev1'
    ) from None


class ColorStream:
    """A started pipeline that yields copies of its colour frames.

    Frames are polled: a Python callback given to `pipeline.start` can deadlock `stop` on the GIL.
    They are copied: librealsense reuses the buffers, and holding on to frames starves its pool.
    """

    def __init__(
        self,
        pipeline: rs.pipeline,
        config: rs.config,
        recorded: bool = False,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Start `pipeline`; raises RuntimeError of librealsense when `config` cannot be met.

        Args:
            pipeline: Not yet started.
            config: Must enable the colour stream.
            recorded: Frames come from a file, so their stamps lie in the past.
            now_ns: Clock of ROS time [ns].
        """
        self.stamps = StampMapper()
        self.domain = 'no frame yet'
        self._recorded = recorded
        self._now_ns = now_ns
        self._pipeline = pipeline
        self.profile = pipeline.start(config)

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame with a usable stamp, or None after `timeout_s` [s]."""
        arrived, frames = self._pipeline.try_wait_for_frames(max(1, round(timeout_s * 1e3)))
        color = frames.get_color_frame() if arrived else None
        if not color:
            return None
        domain = color.get_frame_timestamp_domain()
        self.domain = domain.name
        free_running = self._recorded or domain == rs.timestamp_domain.hardware_clock
        stamp_ns = self.stamps.map(color.timestamp, self._now_ns(), free_running)
        return None if stamp_ns is None else Frame(stamp_ns, _rgb(color))

    def intrinsics(self) -> Intrinsics:
        """Return the factory calibration of the stream."""
        stream = self.profile.get_stream(rs.stream.color).as_video_stream_profile()
        found = stream.get_intrinsics()
        k1, k2, p1, p2, k3 = (float(c) for c in found.coeffs)
        return Intrinsics(
            found.width,
            found.height,
            found.fx,
            found.fy,
            found.ppx,
            found.ppy,
            (k1, k2, p1, p2, k3),
        )

    def stop(self) -> None:
        """Stop the pipeline; harmless when it is stopped already."""
        try:
            self._pipeline.stop()
        except RuntimeError:  # 'stop() cannot be called before start()': the device went away
            return


def _rgb(color: rs.video_frame) -> np.ndarray:
    pixels = np.asanyarray(color.get_data())
    match color.profile.format():
        case rs.format.rgb8:
            return pixels.copy()
        case rs.format.bgr8:
            return pixels[:, :, ::-1].copy()
        case other:
            raise IbcError(f'colour frames are {other.name}; record them as rgb8 or bgr8')
