"""MP4 files of camera frames with a line of text on top."""

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import cv2
import imageio_ffmpeg
import numpy as np

from ibc_contract.errors import IbcError

FONT = cv2.FONT_HERSHEY_SIMPLEX
BAND_HEIGHT = 24
TEXT_COLOR = (255, 255, 255)
SUCCESS_COLOR = (46, 160, 67)
BAND_COLOR = (24, 24, 24)
FRAGMENT_S = 2
NO_SPACE_BYTES = 1_000_000


class Mp4Writer:
    """Writes frames, shape (H, W, 3) uint8 RGB, as H.264 that browsers play.

    A film that was cut short, as by a full disk, plays up to there.
    """

    def __init__(self, path: Path, fps: int) -> None:
        """The file is created with the first frame, whose size is the video's."""
        self.path = path
        self.frames = 0
        self._fps = fps
        self._pipe: Generator[None, Any, None] | None = None

    def add(self, rgb: np.ndarray) -> None:
        """Append one frame; IbcError when the file cannot be written."""
        try:
            if self._pipe is None:
                self._pipe = self._open(rgb)
            self._pipe.send(np.ascontiguousarray(rgb))
        except OSError as error:
            raise IbcError(f'{self.path}: {error.strerror or self._why()}') from None
        self.frames += 1

    def _why(self) -> str:
        """Say why ffmpeg has gone, which only it knows."""
        free = shutil.disk_usage(self.path.parent).free
        return 'no space left' if free < NO_SPACE_BYTES else 'ffmpeg could not write it'

    def _open(self, rgb: np.ndarray) -> Generator[None, Any, None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        height, width = rgb.shape[:2]
        pipe = imageio_ffmpeg.write_frames(
            str(self.path),
            (width, height),
            fps=self._fps,
            quality=7,
            macro_block_size=2,
            ffmpeg_log_level='fatal',
            output_params=['-movflags', '+hybrid_fragmented', '-g', str(FRAGMENT_S * self._fps)],
        )
        pipe.send(None)
        return pipe

    def close(self) -> None:
        """Finish the file; without a frame there is none."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def with_caption(rgb: np.ndarray, words: Sequence[str], done: bool = False) -> np.ndarray:
    """Return a copy with `words` side by side in a band along the top, green when `done`."""
    image = rgb.copy()
    width = image.shape[1]
    cv2.rectangle(image, (0, 0), (width, BAND_HEIGHT), SUCCESS_COLOR if done else BAND_COLOR, -1)
    left = 8
    for word in words:
        cv2.putText(image, word, (left, 17), FONT, 0.45, TEXT_COLOR, 1, cv2.LINE_AA)
        left += cv2.getTextSize(word, FONT, 0.45, 1)[0][0] + 18
    return image
