"""The ChArUco board: printed, found in an image, placed by touching its corners."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ibc_contract.errors import IbcError

MARKERS = cv2.aruco.DICT_4X4_50
MARKER_SHARE = 0.75
"""Edge of a marker as a share of its square's."""
MIN_TOUCHED = 3
MAX_SCALE_ERROR = 0.01
"""A print that is not to scale is out by more than this; who touches corners is not."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sighting:
    """Corners of a board in one image."""

    ids: npt.NDArray[np.int64]
    """(n,), counted along the rows of the print."""
    pixels: Points
    """(n, 2) [px]."""


@dataclass(frozen=True)
class CharucoBoard:
    """A chessboard with markers in its white squares; corners are where four squares meet.

    Its own frame lies in the print, seen from above: x along the rows, y to the upper edge, origin
    in the upper left corner [m].
    """

    columns: int = 7
    rows: int = 5
    square: float = 0.04
    """Edge of a square [m]."""

    def __post_init__(self) -> None:
        squares = self.columns * self.rows
        if not (self.columns >= 3 and self.rows >= 3 and squares <= 100 and self.square > 0):
            raise IbcError(
                f'a board of {self.columns}x{self.rows} squares of {self.square * 1e3:g} mm: it '
                'needs 3x3 or more, not over 100 in all'
            )

    @property
    def corners(self) -> Points:
        """All corners (n, 2) in the order of their ids [m]."""
        across, down = np.meshgrid(np.arange(1, self.columns), np.arange(1, self.rows))
        return np.column_stack([across.ravel(), -down.ravel()]).astype(float) * self.square

    @property
    def outer_ids(self) -> tuple[int, int, int, int]:
        """Corners to touch: upper left, upper right, lower right, lower left of the print."""
        last = (self.columns - 1) * (self.rows - 1) - 1
        return 0, self.columns - 2, last, last - (self.columns - 2)

    def draw(self, square_px: int) -> npt.NDArray[np.uint8]:
        """Return the print, (rows * square_px, columns * square_px) uint8 grey."""
        size = (self.columns * square_px, self.rows * square_px)
        return np.asarray(self._opencv().generateImage(size, marginSize=0), np.uint8)

    def find(self, rgb: np.ndarray) -> Sighting:
        """Return the corners that are seen in an image (H, W, 3) uint8; maybe none."""
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        pixels, ids, _, _ = cv2.aruco.CharucoDetector(self._opencv()).detectBoard(grey)
        if ids is None or pixels is None:
            return Sighting(np.zeros(0, np.int64), np.zeros((0, 2)))
        return Sighting(np.asarray(ids, np.int64).ravel(), np.asarray(pixels, float).reshape(-1, 2))

    def _opencv(self) -> 'cv2.aruco.CharucoBoard':
        markers = cv2.aruco.getPredefinedDictionary(MARKERS)
        size = (self.columns, self.rows)
        return cv2.aruco.CharucoBoard(size, self.square, MARKER_SHARE * self.square, markers)


@dataclass(frozen=True)
class Placement:
    """Where a board lies."""

    corners: Points
    """All corners (n, 3) in `link_base` [m], in the order of their ids."""
    residuals: Points
    """Distance (m,) of each touched point from its corner [m]."""


def place_board(board: CharucoBoard, touched: Mapping[int, npt.ArrayLike]) -> Placement:
    """Find where a board lies, face up and level, from corners touched with the tip of the tool.

    Level, that is parallel to x and y of `link_base`, as the whole stack takes the table to be. A
    tilt shows in the residuals.

    Args:
        board: What was printed.
        touched: Corner id to position (3,) in `link_base` [m].

    Raises:
        IbcError: Too few points, an unknown corner, or distances that are not those of the board.
    """
    if len(touched) < MIN_TOUCHED:
        raise IbcError(f'{len(touched)} corners touched: {MIN_TOUCHED} or more are needed')
    known = board.corners
    if unknown := sorted(i for i in touched if not 0 <= i < len(known)):
        raise IbcError(f'the board has no corner {unknown[0]}: they are 0 to {len(known) - 1}')
    ours = known[list(touched)]
    theirs = np.array([np.asarray(p, dtype=float) for p in touched.values()])
    if theirs.shape != (len(touched), 3) or not np.isfinite(theirs).all():
        raise IbcError('a touched corner needs three numbers: x, y, z in metres')
    our_middle, their_middle = ours.mean(axis=0), theirs.mean(axis=0)
    # A rotation with scale is one complex number: theirs = turn * ours (Kabsch in the plane).
    a = (ours - our_middle) @ (1, 1j)
    b = (theirs - their_middle)[:, :2] @ (1, 1j)
    turn = np.vdot(a, b) / np.vdot(a, a)
    if abs(abs(turn) - 1) > MAX_SCALE_ERROR:
        raise IbcError(
            f'the touched corners are {abs(turn):.3f} times as far apart as those of a board with '
            f'squares of {board.square * 1e3:g} mm: measure a square of the print, and check '
            'which corners were touched'
        )
    placed = (known - our_middle) @ (1, 1j) * turn / abs(turn)
    corners = np.column_stack([placed.real, placed.imag, np.zeros(len(known))]) + their_middle
    residuals = np.linalg.norm(corners[list(touched)] - theirs, axis=1)
    return Placement(corners, residuals)
