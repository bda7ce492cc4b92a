# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""The librealsense half that a connected camera and a recorded file share."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ibc_contract.errors import IbcError
from realsense_capture.distortion import ros_distortion
from realsense_capture.source import Intrinsics

try:
    import pyrealsense2 as rs
except ImportError as error:
    raise IbcError(
        f'cannot load librealsense ({error}): pip install pyrealsense2, '
        'and apt install libusb-1.0-0 libudev1'
    ) from None

LONGEST_READOUT_US = 100_000
"""Half an exposure and the readout take less; a greater difference is no difference of times."""


@dataclass(frozen=True)
class ColorFrame:
    """One frame as librealsense tells of it."""

    number: int
    """The camera's count."""
    time_ms: float
    """Middle of the exposure [ms] where the camera says it, else the start of the transfer."""
    domain: str
    """Whose clock `time_ms` is: global_time, system_time or hardware_clock."""
    rgb: np.ndarray
    """(height, width, 3) uint8, a copy."""


class ColorStream:
    """A started pipeline that yields copies of its colour frames.

    Frames are polled: a Python callback given to `pipeline.start` can deadlock `stop` on the GIL.
    They are copied: librealsense reuses the buffers, and holding on to frames starves its pool.
    """

    def __init__(self, pipeline: rs.pipeline, config: rs.config) -> None:
        """Start `pipeline`; raises RuntimeError of librealsense when `config` cannot be met.

        Args:
            pipeline: Not yet started.
            config: Must enable the colour stream.
        """
        self._pipeline = pipeline
        self.profile = pipeline.start(config)

    def read(self, timeout_s: float) -> ColorFrame | None:
        """Return the next frame, or None after `timeout_s` [s]."""
        arrived, frames = self._pipeline.try_wait_for_frames(max(1, round(timeout_s * 1e3)))
        color = frames.get_color_frame() if arrived else None
        if not color:
            return None
        return ColorFrame(
            number=color.frame_number,
            time_ms=color.timestamp - _since_exposure_us(color) / 1e3,
            domain=color.get_frame_timestamp_domain().name,
            rgb=_rgb(color),
        )

    @cached_property
    def intrinsics(self) -> Intrinsics:
        """The factory calibration of the stream."""
        stream = self.profile.get_stream(rs.stream.color).as_video_stream_profile()
        found = stream.get_intrinsics()
        half_view = (found.width / found.fx / 2, found.height / found.fy / 2)
        model, coefficients = ros_distortion(found.model.name, tuple(found.coeffs), half_view)
        return Intrinsics(
            found.width,
            found.height,
            found.fx,
            found.fy,
            found.ppx,
            found.ppy,
            model,
            coefficients,
        )

    def stop(self) -> None:
        """Stop the pipeline; harmless when it is stopped already."""
        try:
            self._pipeline.stop()
        except RuntimeError:  # 'stop() cannot be called before start()': the device went away
            return


def _since_exposure_us(color: rs.video_frame) -> int:
    """Time from the middle of the exposure to the start of the transfer [us]; 0 if unknown.

    A frame's timestamp is that of its transfer. Cameras that send metadata tell both times.
    """
    transfer = rs.frame_metadata_value.frame_timestamp
    exposure = rs.frame_metadata_value.sensor_timestamp
    if not (color.supports_frame_metadata(transfer) and color.supports_frame_metadata(exposure)):
        return 0
    since_us = color.get_frame_metadata(transfer) - color.get_frame_metadata(exposure)
    return since_us if 0 <= since_us <= LONGEST_READOUT_US else 0


def _rgb(color: rs.video_frame) -> np.ndarray:
    pixels = np.asanyarray(color.get_data())
    match color.profile.format():
        case rs.format.rgb8:
            return pixels.copy()
        case rs.format.bgr8:
            return pixels[:, :, ::-1].copy()
        case other:
            raise IbcError(f'colour frames are {other.name}; record them as rgb8 or bgr8')
