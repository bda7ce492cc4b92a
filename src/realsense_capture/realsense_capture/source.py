"""What every camera looks like to the node: something that yields stamped colour frames."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ibc_contract.errors import IbcError


class SourceUnavailable(IbcError):
    """The camera is not there (any more); it may come back."""


class EndOfRecording(IbcError):
    """A recorded file has been played to its end."""


@dataclass(frozen=True)
class Frame:
    """One colour image and the moment it was taken."""

    stamp_ns: int
    """Time of the exposure, on the clock of ROS time [ns since the epoch]."""
    rgb: np.ndarray
    """(height, width, 3) uint8, RGB; owned by the frame, never a view into a driver's buffer."""


@dataclass(frozen=True)
class Intrinsics:
    """Pinhole model of the colour camera in pixels, with the lens in the terms of CameraInfo."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = 'plumb_bob'
    """plumb_bob or equidistant."""
    distortion: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0, 0.0)
    """plumb_bob: k1, k2, p1, p2, k3; equidistant: k1 to k4."""


class FrameSource(Protocol):
    """A camera. All methods are called from one thread at a time."""

    expected_at_start: bool
    """True: a missing source ends the node. False: the node waits until it appears."""

    @property
    def promised_hz(self) -> float:
        """Rate at which frames should come [Hz]; 0 if there is no saying."""
        ...

    def open(self) -> None:
        """Connect; does nothing when already open. Raises SourceUnavailable or IbcError."""

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None after about `timeout_s` [s] without one.

        Raises:
            SourceUnavailable: The source is lost; `open` may bring it back.
            EndOfRecording: There will be no more frames.
        """

    def intrinsics(self) -> Intrinsics:
        """Return the model of the camera; only valid after the first frame."""
        ...

    def trouble(self) -> str:
        """Return what is not as it should be, in one line; empty if nothing."""
        ...

    def status(self) -> dict[str, object]:
        """Return what diagnostics should say about this source."""
        ...

    def close(self) -> None:
        """Disconnect; harmless when not open."""
