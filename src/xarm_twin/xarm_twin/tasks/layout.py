"""Planar poses, and rejection sampling of layouts that leave the tool room to work."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ibc_contract.errors import IbcError
from xarm_twin.tasks.objects import BLOCK_SIZE, Box, ObjectSpec

BOARD_TOP = 0.02
"""Height of the board's upper face in `link_base` [m]."""

DEMONSTRATION_SEED = 1_000_000
"""Layouts of seeds from here on are for demonstrations; those below are left to evaluations."""
RECORDING_SEED = 2_000_000
"""First layout of what is recorded in real time, apart from what is generated: an episode in the
training data and one that is held out must not show the same layout."""

MAX_DRAWS = 2000
_DRAWS_PER_PLACE = 20
_SIGNS = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], dtype=float)


@dataclass(frozen=True)
class Planar:
    """A pose in the plane of the board: x, y [m] and yaw [rad], in `link_base`."""

    x: float
    y: float
    yaw: float

    @property
    def xy(self) -> np.ndarray:
        """Position, shape (2,) [m]."""
        return np.array([self.x, self.y])

    @property
    def rotation(self) -> np.ndarray:
        """Matrix (2, 2) whose columns are the pose's axes in `link_base`."""
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[c, -s], [s, c]])

    def point(self, local: Sequence[float] | np.ndarray) -> np.ndarray:
        """Bring a point (2,) of this frame to `link_base`."""
        return self.xy + self.rotation @ np.asarray(local)

    def local(self, point: Sequence[float] | np.ndarray) -> np.ndarray:
        """Bring a point (2,) of `link_base` to this frame."""
        return self.rotation.T @ (np.asarray(point) - self.xy)


@dataclass(frozen=True)
class Area:
    """A rectangle of positions and a range of yaw to draw a pose from."""

    x: tuple[float, float]
    y: tuple[float, float]
    yaw: tuple[float, float] = (-np.pi, np.pi)

    def sample(self, rng: np.random.Generator) -> Planar:
        """Draw a pose, uniform in all three."""
        return Planar(*(float(rng.uniform(*bounds)) for bounds in (self.x, self.y, self.yaw)))


def planar(pose: np.ndarray) -> Planar:
    """Drop z, roll and pitch of a pose (7,) = xyz + quaternion xyzw."""
    x, y, _, qx, qy, qz, qw = (float(value) for value in pose)
    yaw = np.arctan2(2 * (qw * qz + qx * qy), 1 - 2 * (qy * qy + qz * qz))
    return Planar(x, y, float(yaw))


def box_place(box: Box, pose: np.ndarray) -> Planar:
    """Planar pose of a box of an object at `pose` (7,)."""
    place = planar(pose)
    x, y = place.point(box.centre[:2])
    return Planar(float(x), float(y), place.yaw + box.yaw)


def box_corners(box: Box, pose: np.ndarray) -> np.ndarray:
    """Corners (4, 2) [m] of a box's footprint in `link_base`, for an object at `pose` (7,)."""
    place = box_place(box, pose)
    return place.xy + (_SIGNS * np.asarray(box.half_extents[:2])) @ place.rotation.T


def poses_of(specs: Sequence[ObjectSpec], places: Sequence[Planar]) -> np.ndarray:
    """Rest poses (n, 7) = xyz + quaternion xyzw in `link_base` for planar `places` (n)."""
    poses = np.zeros((len(places), 7))
    for row, spec, place in zip(poses, specs, places, strict=True):
        height = BOARD_TOP + (BLOCK_SIZE / 2 if spec.is_block else 0.0)
        row[:] = place.x, place.y, height, 0, 0, np.sin(place.yaw / 2), np.cos(place.yaw / 2)
    return poses


def draw(
    areas: Sequence[Area],
    accept: Callable[[Sequence[Planar]], bool],
    rng: np.random.Generator,
) -> list[Planar]:
    """Sample one pose per area until `accept` is content with all of them together."""
    for _ in range(MAX_DRAWS):
        places = [area.sample(rng) for area in areas]
        if accept(places):
            return places
    raise IbcError(f'no layout found in {MAX_DRAWS} draws: the areas are too narrow for the rules')


def scatter(
    area: Area, count: int, spacing: float, apart_from: np.ndarray, rng: np.random.Generator
) -> list[Planar]:
    """Sample poses one after the other, each at least `spacing` [m] from all others.

    Args:
        area: Where they may lie.
        count: How many.
        spacing: Between any two positions, and between each and `apart_from` [m].
        apart_from: A point (2,) [m] to be left free.
        rng: Where they come from.

    Raises:
        IbcError: There is hardly room for so many.
    """
    for _ in range(MAX_DRAWS):
        places: list[Planar] = []
        taken = [(float(apart_from[0]), float(apart_from[1]))]
        for _ in range(_DRAWS_PER_PLACE * count):
            place = area.sample(rng)
            here = place.x, place.y
            if all(math.dist(here, other) >= spacing for other in taken):
                places.append(place)
                taken.append(here)
                if len(places) == count:
                    return places
    raise IbcError(f'no room found for {count} objects, {spacing} m apart, in {area}')


def distance_to_segment(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """Distance [m] of `point` (2,) from the segment between `start` and `end` (2,)."""
    along = end - start
    fraction = np.clip((point - start) @ along / max(along @ along, 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(point - start - fraction * along))
