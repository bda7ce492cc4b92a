"""The convex polygon of the tool plane that the tool's centre may not leave."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from planar_arm.errors import BadGeometry
from planar_arm.xarm6 import HOME_XY

HOME_MARGIN = 0.01
"""Home lies inside the polygon by this much [m]."""


@dataclass(frozen=True)
class Workspace:
    """Where the tool may be, in `link_base`.

    Corners run around the polygon in either direction; the polygon must be convex.
    """

    polygon: tuple[tuple[float, float], ...]
    """Corners (x, y) [m]."""
    tool_height: float
    """z of `link_tcp` while the tool works [m]."""
    home: tuple[float, float] = HOME_XY
    """Where the tool waits (x, y) [m]."""

    def __post_init__(self) -> None:
        corners = np.asarray(self.polygon, dtype=float)
        if corners.ndim != 2 or corners.shape[0] < 3 or corners.shape[1] != 2:
            raise BadGeometry(f'workspace needs at least 3 corners (x, y), got {self.polygon!r}')
        if not np.isfinite((*corners.flat, self.tool_height, *self.home)).all():
            raise BadGeometry(f'workspace has a number that is not finite: {self!r}')
        edges = np.roll(corners, -1, axis=0) - corners
        turns = _cross(edges, np.roll(edges, -1, axis=0))
        if not ((turns > 0).all() or (turns < 0).all()):
            raise BadGeometry(f'workspace polygon is not convex: {self.polygon!r}')
        outward = np.arctan2(edges[:, 1], edges[:, 0])
        total = np.abs(np.angle(np.exp(1j * (np.roll(outward, -1) - outward))).sum())
        if total > 2 * np.pi + 1e-6:  # a star turns one way too, but more than once around
            raise BadGeometry(f'workspace polygon crosses itself: {self.polygon!r}')

    @cached_property
    def _corners(self) -> npt.NDArray[np.float64]:
        """Corners in counter-clockwise order, shape (N, 2) [m]."""
        corners = np.asarray(self.polygon, dtype=float)
        x, y = corners[:, 0], corners[:, 1]
        signed_area = np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
        return corners if signed_area > 0 else corners[::-1].copy()

    @cached_property
    def _edges(self) -> npt.NDArray[np.float64]:
        return np.roll(self._corners, -1, axis=0) - self._corners

    @cached_property
    def _normals(self) -> npt.NDArray[np.float64]:
        """Inward unit normals of the edges, shape (N, 2)."""
        edges = self._edges
        normals = np.stack([-edges[:, 1], edges[:, 0]], axis=1)
        return normals / np.linalg.norm(normals, axis=1, keepdims=True)

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """Bounding box (x_min, y_min, x_max, y_max) [m]."""
        low, high = self._corners.min(axis=0), self._corners.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    def depth(self, p_xy: npt.ArrayLike) -> float:
        """Distance to the nearest edge line [m]: positive inside, negative outside."""
        offsets = np.asarray(p_xy, dtype=float) - self._corners
        return float(np.min(np.einsum('ij,ij->i', offsets, self._normals)))

    def contains(self, p_xy: npt.ArrayLike, margin: float = 0.0) -> bool:
        """Say whether `p_xy` (2,) [m] is inside by at least `margin` [m] (negative: tolerance)."""
        return self.depth(p_xy) >= margin

    def project(self, p_xy: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the point of the polygon nearest to `p_xy`, shape (2,) [m]."""
        point = np.array(p_xy, dtype=float)
        if not np.isfinite(point).all():
            raise BadGeometry(f'point {p_xy!r} is not finite: there is no nearest point inside')
        if self.contains(point):
            return point
        offsets = point - self._corners
        along = np.einsum('ij,ij->i', offsets, self._edges)
        along /= np.einsum('ij,ij->i', self._edges, self._edges)
        feet = self._corners + np.clip(along, 0.0, 1.0)[:, None] * self._edges
        nearest = int(np.argmin(np.linalg.norm(feet - point, axis=1)))
        return feet[nearest]

    def require_home(self) -> None:
        """Raise BadGeometry unless home lies inside, with HOME_MARGIN around it."""
        if not self.contains(self.home, HOME_MARGIN):
            raise BadGeometry(
                f'home, ({self.home[0]}, {self.home[1]}) m, is not {HOME_MARGIN * 1e3:g} mm inside '
                f'the polygon of the workspace'
            )

    def inset(self, margin: float) -> 'Workspace':
        """Return what is inside by at least `margin` [m], to a tenth of a millimetre.

        Raises:
            BadGeometry: Nothing is.
        """
        kept = self._corners
        for corner, normal in zip(self._corners, self._normals, strict=True):
            kept = _clipped(kept, (kept - corner) @ normal - margin)
        try:
            return Workspace(convex_hull(np.round(kept, 4)), self.tool_height, self.home)
        except BadGeometry:
            raise BadGeometry(
                f'nothing of the workspace is {margin * 1e3:g} mm inside: {self.polygon!r}'
            ) from None


def convex_hull(points: npt.ArrayLike) -> tuple[tuple[float, float], ...]:
    """Return the corners of the smallest convex polygon around `points` (n, 2), in turn.

    Points on its edges are left out (Andrew 1979, the monotone chain).
    """
    ordered = sorted({(float(x), float(y)) for x, y in np.asarray(points, dtype=float)})
    hull: list[tuple[float, float]] = []
    for way in (ordered, ordered[::-1]):
        chain: list[tuple[float, float]] = []
        for point in way:
            while len(chain) > 1 and not _turns_left(chain[-2], chain[-1], point):
                chain.pop()
            chain.append(point)
        hull += chain[:-1]
    return tuple(hull)


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) > 0


def _clipped(
    corners: npt.NDArray[np.float64], depths: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Corners (n, 2) of the part of a convex polygon where `depths` (n,), linear, is positive."""
    kept = []
    for i, depth in enumerate(depths):
        j = i - 1
        if (depth > 0) != (depths[j] > 0):
            share = depths[j] / (depths[j] - depth)
            kept.append(corners[j] + share * (corners[i] - corners[j]))
        if depth > 0:
            kept.append(corners[i])
    return np.array(kept).reshape(-1, 2)


def _cross(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]


DEFAULT_WORKSPACE = Workspace(
    polygon=((0.20, -0.28), (0.60, -0.28), (0.60, 0.28), (0.20, 0.28)),
    tool_height=0.03,
)
"""Tool centre over the 24x18 in board centred at (0.40, 0), 10 mm above its surface."""
