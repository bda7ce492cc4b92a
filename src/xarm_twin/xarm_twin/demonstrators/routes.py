"""Shortest ways for the tool's centre around blocks and walls, by a visibility graph."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_twin.tasks.layout import Planar

Points = npt.NDArray[np.float64]

_CORNER_SLACK = 5e-4
"""Corners of the graph lie this far outside the obstacles [m]."""
_SIGNS = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], dtype=float)


@dataclass(frozen=True)
class Footprint:
    """A rectangle on the board that the tool's centre may not enter."""

    place: Planar
    half_extents: tuple[float, float]


class Obstacles:
    """Rectangles, grown by the tool's radius and a clearance."""

    def __init__(self, footprints: Sequence[Footprint], grow: float, margin: float = 0.0) -> None:
        """Grow all `footprints` by `grow` [m] to every side.

        Ways around them keep `margin` [m] from the border of the workspace.
        """
        self._margin = margin
        count = len(footprints)
        self._centres = np.array([f.place.xy for f in footprints]).reshape(count, 2)
        self._axes = np.array([f.place.rotation for f in footprints]).reshape(count, 2, 2)
        self._half = np.array([f.half_extents for f in footprints]).reshape(count, 2) + grow

    def local(self, points: Points) -> Points:
        """Coordinates (N, M, 2) of `points` (N, 2) in the M rectangles' frames."""
        offsets = points[:, None, :] - self._centres[None]
        x, y = offsets[..., :1], offsets[..., 1:]
        return x * self._axes[:, 0] + y * self._axes[:, 1]

    def contain(self, points: Points) -> npt.NDArray[np.bool_]:
        """Say for each of `points` (N, 2) whether it is inside some rectangle."""
        return np.any(np.all(np.abs(self.local(points)) < self._half, axis=2), axis=1)

    def cut(self, starts: Points, ends: Points) -> npt.NDArray[np.bool_]:
        """Say for each segment `starts` (N, 2) to `ends` (N, 2) whether it enters a rectangle."""
        origin, tip = self.local(starts), self.local(ends)
        step = tip - origin
        safe = np.where(np.abs(step) < 1e-12, 1e-12, step)
        first, second = (-self._half - origin) / safe, (self._half - origin) / safe
        enter = np.minimum(first, second).max(axis=2)
        leave = np.maximum(first, second).min(axis=2)
        hit = (np.maximum(enter, 0.0) < np.minimum(leave, 1.0) - 1e-9) & (leave > enter)
        return np.any(hit, axis=1)

    def corners(self) -> Points:
        """Corners (K, 2) that are free and inside the workspace."""
        local = _SIGNS[None] * (self._half + _CORNER_SLACK)[:, None]
        points = self._centres[:, None] + np.einsum('mij,mkj->mki', self._axes, local)
        return self._free(points.reshape(-1, 2))

    def nearest_free(self, point: Points) -> Points:
        """Return `point` (2,), or the nearest way out if it is inside a rectangle."""
        if not self.contain(point[None])[0]:
            return point
        local = self.local(point[None])[0]
        exits = []
        for axis in (0, 1):
            for sign in (1.0, -1.0):
                moved = local.copy()
                moved[:, axis] = sign * (self._half[:, axis] + _CORNER_SLACK)
                exits.append(self._centres + np.einsum('mij,mj->mi', self._axes, moved))
        inside = np.all(np.abs(local) < self._half, axis=1)
        candidates = self._free(np.concatenate([exit_[inside] for exit_ in exits]))
        if len(candidates) == 0:
            return point
        return candidates[np.argmin(np.linalg.norm(candidates - point, axis=1))]

    def _free(self, points: Points) -> Points:
        free = points[~self.contain(points)]
        inside = [DEFAULT_WORKSPACE.contains(point, self._margin) for point in free]
        return free[np.array(inside, dtype=bool)]


def route(start: Points, goal: Points, obstacles: Obstacles, bias: float = 0.0) -> Points:
    """Return the shortest way from `start` to `goal` (2,) as points (K, 2), without the start.

    Args:
        start: Where the tool is; if inside an obstacle, the way leaves it first.
        goal: Where it should go; if inside an obstacle, the way ends beside it.
        obstacles: What to go around.
        bias: Corners on the left of the beeline cost (1 + bias) times their distance, those on the
            right (1 - bias): a person's preference for a side, in (-1, 1).
    """
    begin, end = obstacles.nearest_free(start), obstacles.nearest_free(goal)
    lead = [] if begin is start else [begin]
    if not obstacles.cut(begin[None], end[None])[0]:
        return np.array([*lead, end])
    nodes = np.concatenate([begin[None], end[None], obstacles.corners()])
    count = len(nodes)
    rows, columns = np.triu_indices(count, 1)
    length = np.linalg.norm(nodes[rows] - nodes[columns], axis=1)
    length[obstacles.cut(nodes[rows], nodes[columns])] = np.inf
    cost = np.full((count, count), np.inf)
    cost[rows, columns] = cost[columns, rows] = length
    way = end - begin
    side = np.sign(way[0] * (nodes[:, 1] - begin[1]) - way[1] * (nodes[:, 0] - begin[0]))
    side[1] = 0.0
    return np.array([*lead, *nodes[_dijkstra(cost * (1.0 + bias * side)[None])]])


def _dijkstra(cost: Points) -> list[int]:
    """Cheapest node sequence from node 0 to node 1 of a dense graph; [1] if there is none."""
    count = len(cost)
    best = np.full(count, np.inf)
    best[0] = 0.0
    previous = np.zeros(count, dtype=int)
    open_ = np.ones(count, dtype=bool)
    for _ in range(count):
        node = int(np.argmin(np.where(open_, best, np.inf)))
        if node == 1 or not np.isfinite(best[node]):
            break
        open_[node] = False
        reach = best[node] + cost[node]
        better = open_ & (reach < best)
        best[better] = reach[better]
        previous[better] = node
    path = [1]
    while np.isfinite(best[1]) and previous[path[0]] != 0:
        path.insert(0, int(previous[path[0]]))
    return path


def length(start: Points, way: Points) -> float:
    """Length [m] of `way` (K, 2) from `start` (2,)."""
    return float(np.linalg.norm(np.diff(np.vstack([start, way]), axis=0), axis=1).sum())


def travel(start: Points, way: Points, distance: float) -> Points:
    """Point (2,) reached after `distance` [m] along `way` (K, 2) from `start`."""
    here = start
    for point in way:
        gap = float(np.linalg.norm(point - here))
        if gap > distance:
            return here + (point - here) * (distance / gap)
        here, distance = point, distance - gap
    return here
