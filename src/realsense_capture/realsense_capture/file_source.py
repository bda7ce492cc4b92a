# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""A file that librealsense recorded, played in real time as if it were the camera."""

from pathlib import Path

from ibc_contract.errors import IbcError
from realsense_capture.color_stream import ColorStream, rs
from realsense_capture.source import EndOfRecording, Frame, Intrinsics

SUFFIXES = ('.db3', '.bag')


class FileSource:
    """Plays a .db3 (librealsense >= 2.57) or .bag (older) recording.

    Stamps are moved to the present, once per pass through the file, so that whatever consumes the
    topics sees frames as fresh as from a camera.
    """

    expected_at_start = True

    def __init__(self, path: Path, repeat: bool = True) -> None:
        """Play `path`; start again from its beginning when `repeat`."""
        self._path = path
        self._repeat = repeat
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
            self._stream = ColorStream(rs.pipeline(), config, recorded=True)
        except RuntimeError as error:
            raise IbcError(f'cannot play {self._path}: {error}') from None

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame; EndOfRecording after the last one."""
        if self._stream is None:
            raise IbcError('the recording is not open')
        frame = self._stream.read(timeout_s)
        if frame is None and self._ended():
            raise EndOfRecording(f'{self._path} has been played to its end')
        return frame

    def intrinsics(self) -> Intrinsics:
        """Return the calibration stored in the file."""
        if self._stream is None:
            raise IbcError('the recording is not open')
        return self._stream.intrinsics()

    def status(self) -> dict[str, object]:
        """Return file and stamps for diagnostics."""
        stamps = self._stream.stamps if self._stream else None
        return {
            'source': f'file {self._path}',
            'passes through the file': stamps.anchored if stamps else 0,
            'frames with a wrong stamp': stamps.refused if stamps else 0,
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
