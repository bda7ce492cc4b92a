"""Whether the arm runs into itself: capsules around its links, thinner than the links.

The firmware's own model is not public. Assumed here: it notices when the axes of two links that
are no neighbours come nearer than the two radii, in every motion mode; the tool offset is the tool.
"""

import math

from xarm_twin.controller.flange import FOREARM_MM
from xarm_twin.controller.poses import Matrix

BASE_RADIUS_MM = 60.0
LINK_RADIUS_MM = 45.0
HAND_RADIUS_MM = 35.0
"""Assumed [mm]; the casings are 63 to 75 mm thick at the joints."""

Point = tuple[float, float, float]
Segment = tuple[Point, Point]


def self_collision(frames: list[Matrix], tcp: Matrix) -> bool:
    """Whether links of the arm with these joint frames and tool, all 4x4 [mm], touch."""
    shoulder, elbow, wrist, flange = (_origin(frames[i]) for i in (1, 2, 3, 5))
    base = ((0.0, 0.0, 0.0), shoulder)
    upper_arm = (shoulder, elbow)
    forearm = (_origin(frames[3], -FOREARM_MM), wrist)
    hand = ((wrist, flange), (flange, _origin(tcp)))
    if distance_mm(base, forearm) < BASE_RADIUS_MM + LINK_RADIUS_MM:
        return True
    return any(
        distance_mm(base, part) < BASE_RADIUS_MM + HAND_RADIUS_MM
        or distance_mm(upper_arm, part) < LINK_RADIUS_MM + HAND_RADIUS_MM
        for part in hand
    )


def distance_mm(one: Segment, other: Segment) -> float:
    """Shortest distance between two line segments [mm]; plain floats, for it runs per command."""
    along, across, gap = (
        _minus(one[1], one[0]),
        _minus(other[1], other[0]),
        _minus(one[0], other[0]),
    )
    a, e = _dot(along, along), _dot(across, across)
    b, c, f = _dot(along, across), _dot(along, gap), _dot(across, gap)
    determinant = a * e - b * b
    # Nearest points of the two lines, then moved to the ends of the segments.
    s = _share((b * f - c * e) / determinant) if determinant > 1e-9 else 0.0
    t = _share((b * s + f) / e) if e > 1e-9 else 0.0
    s = _share((b * t - c) / a) if a > 1e-9 else 0.0
    return math.dist(
        [p + s * d for p, d in zip(one[0], along, strict=True)],
        [p + t * d for p, d in zip(other[0], across, strict=True)],
    )


def _origin(frame: Matrix, along_z: float = 0.0) -> Point:
    (_, _, zx, x), (_, _, zy, y), (_, _, zz, z), _ = frame.tolist()
    return x + along_z * zx, y + along_z * zy, z + along_z * zz


def _minus(one: Point, other: Point) -> Point:
    return one[0] - other[0], one[1] - other[1], one[2] - other[2]


def _dot(one: Point, other: Point) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
