"""Tells a camera that works from one that is silent, frozen or wrongly stamped."""

from dataclasses import dataclass, field

import numpy as np

LOST_AFTER_S = 2.0
"""A camera without a usable frame for so long is given up, and opened again."""
SILENT = 'sends no frames: check its cable'
FROZEN = 'sends the same picture again and again: is its lens covered?'
MISTIMED = 'sends frames that are over 1 s late or stamped wrongly: was the clock set?'
SPARSE = 8
"""Every so many pixels are compared first, which nearly always is enough."""


@dataclass
class FrameWatch:
    """Lets the frames of one camera through that are new, and remembers why others are not.

    A sensor has noise, so that two of its frames are never equal in every pixel: if they are, some
    buffer on the way was sent twice. A policy must not take such a frame for the present.
    """

    repeated: int = 0
    """Frames that were sent twice."""
    missing: int = 0
    """Frames that were lost between camera and host, by the camera's own count."""
    complaint: str = ''
    """What is wrong while no frame comes through; empty while they do."""
    _good_s: float = field(default=0.0, repr=False)
    _arrival_s: float = field(default=0.0, repr=False)
    _number: int | None = field(default=None, repr=False)
    _rgb: np.ndarray | None = field(default=None, repr=False)

    def restart(self, now_s: float) -> None:
        """Begin to wait for the first frame of a stream; `now_s` is monotonic [s]."""
        self.complaint = ''
        self._good_s = self._arrival_s = now_s
        self._number, self._rgb = None, None

    def silent(self, now_s: float) -> None:
        """Take note of a wait that ended without a frame."""
        if now_s - self._arrival_s > LOST_AFTER_S / 2:
            self.complaint = SILENT

    def mistimed(self) -> None:
        """Take note of a frame that had no usable stamp."""
        self.complaint = MISTIMED

    def is_new(self, number: int, rgb: np.ndarray, now_s: float) -> bool:
        """Tell whether a frame differs from the last in its count and in its pixels.

        Args:
            number: The camera's count of frames.
            rgb: Pixels (height, width, 3) uint8.
            now_s: Monotonic time [s].
        """
        self._arrival_s = now_s
        last, self._number = self._number, number
        same = number == last or (self._rgb is not None and _equal(rgb, self._rgb))
        self._rgb = rgb
        if last is not None and number > last:
            self.missing += number - last - 1
        if same:
            self.repeated += 1
            if now_s - self._good_s > LOST_AFTER_S / 2:  # one of a kind is nothing to talk about
                self.complaint = FROZEN
        return not same

    def usable(self, now_s: float) -> None:
        """Take note of a new frame with a usable stamp."""
        self.complaint, self._good_s = '', now_s

    def lost(self, now_s: float) -> bool:
        """Tell whether the camera has to be given up."""
        return now_s - self._good_s > LOST_AFTER_S


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    sparse = np.array_equal(a[::SPARSE, ::SPARSE], b[::SPARSE, ::SPARSE])
    return sparse and np.array_equal(a, b)
