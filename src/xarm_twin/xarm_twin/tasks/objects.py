"""Bodies of a task: blocks and fixtures, made of boxes so that physics and camera agree exactly."""

import math
from dataclasses import dataclass
from typing import Literal

Vector3 = tuple[float, float, float]
Colour = tuple[float, float, float, float]

BLOCK_SIZE = 0.04
"""Edge of a block [m]."""

RED: Colour = (0.80, 0.09, 0.08, 1.0)
GREEN: Colour = (0.10, 0.58, 0.20, 1.0)
BLUE: Colour = (0.10, 0.27, 0.78, 1.0)
YELLOW: Colour = (0.93, 0.76, 0.06, 1.0)
BLACK: Colour = (0.035, 0.035, 0.04, 1.0)


@dataclass(frozen=True)
class Box:
    """A box of an object, in the object's frame [m]."""

    half_extents: Vector3
    centre: Vector3
    yaw: float = 0.0
    """Turn about the object's z axis [rad]."""

    @property
    def quaternion(self) -> tuple[float, float, float, float]:
        """The turn as xyzw."""
        return (0.0, 0.0, math.sin(self.yaw / 2), math.cos(self.yaw / 2))


@dataclass(frozen=True)
class ObjectSpec:
    """One rigid body: blocks move, fixtures are screwed to the board."""

    name: str
    kind: Literal['block', 'fixture']
    colour: Colour
    boxes: tuple[Box, ...]

    @property
    def is_block(self) -> bool:
        """Whether the tool can move it."""
        return self.kind == 'block'


def block(name: str, colour: Colour) -> ObjectSpec:
    """Make a cube whose frame is its centre."""
    half = BLOCK_SIZE / 2
    return ObjectSpec(name, 'block', colour, (Box((half, half, half), (0.0, 0.0, 0.0)),))


def u_fixture(
    name: str, inner_width: float, front: float, back: float, wall: float, height: float
) -> ObjectSpec:
    """Make a U of three walls, open towards -x, whose frame lies on the board.

    The frame's origin is where a block's centre belongs and x points into the fixture.

    Args:
        name: Name of the object.
        inner_width: Distance between the side walls [m].
        front: x of the open end (negative) [m].
        back: x of the inner face of the back wall [m].
        wall: Thickness of the walls [m].
        height: Height of the walls above the board [m].
    """
    half_height = height / 2
    side_y = (inner_width + wall) / 2
    side = (back - front) / 2, wall / 2, half_height
    middle_x = (back + front) / 2
    boxes = (
        Box(side, (middle_x, side_y, half_height)),
        Box(side, (middle_x, -side_y, half_height)),
        Box(
            (wall / 2, inner_width / 2 + wall, half_height),
            (back + wall / 2, 0.0, half_height),
        ),
    )
    return ObjectSpec(name, 'fixture', BLACK, boxes)
