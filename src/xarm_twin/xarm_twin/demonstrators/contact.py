"""Pushing a cube with a round tool: which face, where on it, and which way."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.xarm6 import TOOL_RADIUS
from xarm_twin.tasks.layout import Planar
from xarm_twin.tasks.objects import BLOCK_SIZE

Vector = npt.NDArray[np.float64]

TOUCH = BLOCK_SIZE / 2 + TOOL_RADIUS
"""Distance of the tool's centre from the block's, across the face, when they touch [m]."""
MAX_OFFSET = 0.014
"""Contacts stay this close to the middle of a face [m]."""
SPREAD = 0.027
"""Distance of the board's support from the block's middle: it rests on its four corners [m]."""
_STAY = 0.15
"""How much the face nearest to the tool is preferred, an angle per half turn [rad]."""


@dataclass(frozen=True)
class Face:
    """One side face of a block: a frame whose x axis points into the block."""

    frame: Planar

    @property
    def inward(self) -> Vector:
        """Unit normal (2,) into the block."""
        return self.frame.rotation[:, 0]

    def touching(self, offset: float, gap: float = 0.0) -> Vector:
        """Tool centre (2,) at `offset` [m] along the face, `gap` [m] off it."""
        return self.frame.point((-TOUCH - gap, offset))

    def gap_and_offset(self, tool: Vector) -> tuple[float, float]:
        """Distance of the tool (2,) off the face, and its offset along the face [m]."""
        x, y = self.frame.local(tool)
        return float(-x - TOUCH), float(y)

    def angle_to(self, direction: Vector) -> float:
        """Angle [rad] from the inward normal to `direction` (2,)."""
        return wrap(float(np.arctan2(direction[1], direction[0])) - self.frame.yaw)


def faces(block: Planar) -> list[Face]:
    """The four side faces."""
    return [Face(Planar(block.x, block.y, block.yaw + k * np.pi / 2)) for k in range(4)]


def faces_for(block: Planar, direction: Vector, tool: Vector) -> list[Face]:
    """Return the faces to push on so that the block moves in `direction` (2,), the best one first.

    Near a tie the face that the tool (2,) is at wins: no going back and forth between two.
    """

    def cost(face: Face) -> float:
        bearing = wrap(face.angle_to(block.xy - tool))
        return abs(face.angle_to(direction)) + _STAY * abs(bearing) / np.pi

    return sorted(faces(block), key=cost)


def translating_offset(angle: float) -> float:
    """Offset [m] at which a push at `angle` [rad] from the normal passes through the centre."""
    return float(-BLOCK_SIZE / 2 * np.tan(np.clip(angle, -1.0, 1.0)))


def translating_slope(offset: float) -> float:
    """Slope of the force at `offset` [m] that passes through the block's centre."""
    return -offset / (BLOCK_SIZE / 2)


def motion_of_contact(offset: float, slope: float) -> Vector:
    """Direction (2,), in the face's frame, in which a sticking contact moves under a force.

    The force at `offset` [m] along the face has the direction (1, slope). The block moves as on an
    ellipsoidal limit surface (quasi-static pushing), whose ratio of moment to force is SPREAD.
    """
    half = BLOCK_SIZE / 2
    moment = -(half * slope + offset) / SPREAD**2
    return unit(np.array((1.0 - moment * offset, slope - moment * half)))


def clip_offset(offset: float) -> float:
    """Keep a contact away from the edges of the face."""
    return float(np.clip(offset, -MAX_OFFSET, MAX_OFFSET))


def wrap(angle: float) -> float:
    """Wrap an angle [rad] to [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def unit(vector: Vector) -> Vector:
    """Return `vector` (2,) with length 1, or zeros."""
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else np.zeros(2)


def shortened(vector: Vector, length: float) -> Vector:
    """Return `vector` (2,), at most `length` [m] long."""
    norm = float(np.linalg.norm(vector))
    return vector * (length / norm) if norm > length else vector
