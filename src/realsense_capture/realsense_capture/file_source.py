# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""A file that librealsense recorded, played in real time as if it were the camera."""

import time
from pathlib import Path

from ibc_contract.errors import IbcError
from realsense_capture.color_stream import ColorStream, rs
from realsense_capture.source import EndOfRecording, Frame, Intrinsics
from realsense_capture.stamps import StampMapper

SUFFIXES = ('.db3', '.bag')


class FileSource:
    """Plays a .db3 (librealsense >= 2.57) or .bag (older) recording.

    Stamps are moved to the present, once per pass through the file, so that whatever consumes the
    topics sees frames as fresh as from a camera.
    """

    expected_at_start = True
    promised_hz = 0.0

    def __init__(self, path: Path, repeat: bool = True) -> None:
        """Play `path`; start again from its beginning when `repeat`."""
        self._path = path
        self._repeat = repeat
        self._stamps = StampMapper()
        self._stream: ColorStream | None = None

    def open(self) -> None:
        """Open the recording; IbcError says what is wrong with it."""
        if self._stream is not None:
            return
        if not self._path.is_file():
            raise IbcError(f'no recording at {self._path}: set the parameter path')
        if self._path.suffix not in SUFFIXES:
            raise IbcError(f'{self._path} is not a librealsense recording (.db3 or .bag)')
        config = rs.config()
        try:
            config.enable_device_from_file(str(self._path), repeat_playback=self._repeat)
            config.enable_stream(rs.stream.color)
            self._stream = ColorStream(rs.pipeline(), config)
        except RuntimeError as error:
            raise IbcError(f'cannot play {self._path}: {error}') from None

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame; EndOfRecording after the last one."""
        if self._stream is None:
            raise IbcError('the recording is not open')
        seen = self._stream.read(timeout_s)
        if seen is None:
            if self._ended():
                raise EndOfRecording(f'{self._path} has been played to its end')
            return None
        stamp_ns = self._stamps.map(
            seen.time_ms, time.time_ns(), time.monotonic_ns(), free_running=True
        )
        return None if stamp_ns is None else Frame(stamp_ns, seen.rgb)

    def intrinsics(self) -> Intrinsics:
        """Return the calibration stored in the file."""
        if self._stream is None:
            raise IbcError('the recording is not open')
        return self._stream.intrinsics

    def trouble(self) -> str:
        """Return nothing: what could be wrong with a file ends the node."""
        return ''

    def status(self) -> dict[str, object]:
        """Return file and stamps for diagnostics."""
        return {
            'source': f'file {self._path}',
            'passes through the file': self._stamps.anchored,
            'frames with a wrong stamp': self._stamps.refused,
        }

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.stop()
            self._stream = None

    def _ended(self) -> bool:
        if self._repeat or self._stream is None:
            return False
        playback = self._stream.profile.get_device().as_playback()
        return playback.current_status() == rs.playback_status.stopped
