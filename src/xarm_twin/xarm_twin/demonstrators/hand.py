"""A person's hand on the mouse: pace, preferred sides, unsteadiness; and its two basic moves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.workspace import DEFAULT_WORKSPACE
from planar_arm.xarm6 import TOOL_RADIUS
from xarm_twin.demonstrators.contact import (
    Face,
    clip_offset,
    faces_for,
    motion_of_contact,
    shortened,
    translating_offset,
    translating_slope,
    unit,
)
from xarm_twin.demonstrators.routes import Footprint, Obstacles, length, route, travel
from xarm_twin.tasks import ObjectSpec
from xarm_twin.tasks.layout import Planar, box_place

Vector = npt.NDArray[np.float64]

CLEARANCE = 0.005
"""Kept between tool and bodies on the way [m]."""
READY_GAP = 0.008
"""Off the face, where the way ends and the push begins [m]."""
# The tool is at a face if it is this far off it and from its middle [m].
_READY_GAPS = (-0.006, 0.012)
_READY_OFFSET = 0.022
_AHEAD = 0.6
"""Share of a stride by which the tool may seem to be inside a block that was seen late."""
_SLIDE = 0.016
"""So far off the wanted contact a careful hand pushes no further, but goes there first [m]."""
_BRAKE = 1.0
"""Speed beyond pushing speed, per distance left to go [1/s]."""
_CONE = 0.25
"""Largest slope of a force that the contact holds without sliding."""
_ALIGN = 0.6
_STEEPEST = np.deg2rad(65.0)
"""Beyond this angle to its normal, pushing on a face only turns the block."""


@dataclass(frozen=True)
class Style:
    """How this hand moves in this episode."""

    free_speed: float
    """Without contact [m/s]."""
    push_speed: float
    """While pushing [m/s]."""
    bias: float = 0.0
    """Preference for going around on the left (negative) or on the right, in (-1, 1)."""
    hurry: float = 0.0
    """How far off the wanted contact it still pushes on, beyond what a careful hand does [m]."""
    noise: float = 0.0
    """Standard deviation of a move's error, per axis, as a share of the move's length."""
    noise_memory: float = 0.7
    """Correlation of that error from one period to the next."""


def footprints(specs: Sequence[ObjectSpec], poses: Vector) -> list[Footprint]:
    """Rectangles that the objects at `poses` (n, 7) cover."""
    return [
        Footprint(box_place(box, pose), box.half_extents[:2])
        for spec, pose in zip(specs, poses, strict=True)
        for box in spec.boxes
    ]


class Hand:
    """Moves of one period each, from where the setpoint is. Keeps no state but its tremor."""

    def __init__(self, style: Style, period: float, rng: np.random.Generator) -> None:
        self.style = style
        self._period = period
        self._rng = rng
        self._tremor = np.zeros(2)

    def unsteady(self, delta: Vector) -> Vector:
        """Add this hand's smooth Gaussian error to a move (2,) [m]."""
        style = self.style
        if style.noise <= 0.0:
            return delta
        fresh = self._rng.normal(0.0, np.sqrt(1 - style.noise_memory**2), 2)
        self._tremor = style.noise_memory * self._tremor + fresh
        return delta + style.noise * np.linalg.norm(delta) * self._tremor

    def go(self, tool: Vector, goal: Vector, around: Obstacles) -> Vector:
        """Move (2,) [m] towards `goal` (2,), around obstacles."""
        way = route(tool, DEFAULT_WORKSPACE.project(goal), around, self.style.bias)
        left = length(tool, way)
        # Slows down before it touches anything.
        speed = min(self.style.free_speed, self.style.push_speed + _BRAKE * left)
        return travel(tool, way, speed * self._period) - tool

    def can_push(self, tool: Vector, block: Planar, travel_by: Vector, around: Obstacles) -> bool:
        """Whether nothing keeps the tool from where it would begin to `push` the block."""
        direction = unit(travel_by)
        return any(
            abs(face.angle_to(direction)) < _STEEPEST and _is_within_reach(face, offset, around)
            for face, offset in _places_to_push(block, direction, tool, None)
        )

    def push(
        self,
        tool: Vector,
        block: Planar,
        travel_by: Vector,
        around: Obstacles,
        turn: float | None = None,
    ) -> Vector:
        """Move (2,) [m] that pushes `block` by `travel_by` (2,), or gets the tool ready to.

        Args:
            tool: Setpoint of the tool (2,) [m].
            block: The block's pose.
            travel_by: Wanted move of the block's centre; longer ones take several periods [m].
            around: Obstacles on the way to the block, itself included.
            turn: Contact offset that turns the block while it moves [m]; positive turns it left.
                By default the block turns a face to the direction of travel.
        """
        direction = unit(travel_by)
        options = _places_to_push(block, direction, tool, turn)
        face, offset = next(
            (option for option in options if _is_within_reach(*option, around)), options[0]
        )
        gap, here = face.gap_and_offset(tool)
        stride = self.style.push_speed * self._period
        if not _is_ready(gap, here, _AHEAD * stride):
            return self.go(tool, face.touching(offset, READY_GAP), around)
        # Sliding along the face comes first: pushing off the wanted contact turns the block.
        slide, limit = abs(offset - here), _SLIDE + self.style.hurry
        step = min(stride, float(np.linalg.norm(travel_by))) * max(0.0, 1.0 - slide / limit)
        return shortened(face.touching(offset) + direction * step - tool, max(gap, 0.0) + stride)

    def drive(
        self,
        tool: Vector,
        block: Planar,
        direction: Vector,
        contact: 'Contact',
        distance: float,
        around: Obstacles,
    ) -> Vector:
        """Move (2,) [m] that pushes `block` on by `distance` [m] through a sticking contact.

        Where the tool is not at the wanted contact of the face towards `direction` (2,), it backs
        off and goes there first.
        """
        face = faces_for(block, direction, tool)[0]
        gap, here = face.gap_and_offset(tool)
        is_at = abs(here - contact.offset) < contact.tolerance
        if not (_READY_GAPS[0] < gap < _READY_GAPS[1] and is_at):
            return self.go(tool, face.touching(contact.offset, READY_GAP), around)
        step = min(self.style.push_speed * self._period, distance)
        # A contact that is a little off is made up for by the lean of the force.
        slope = contact.slope + translating_slope(here - contact.offset)
        motion = face.frame.rotation @ motion_of_contact(here, np.clip(slope, -_CONE, _CONE))
        return max(gap, 0.0) * face.inward + step * motion


def _places_to_push(
    block: Planar, direction: Vector, tool: Vector, turn: float | None
) -> list[tuple[Face, float]]:
    """Faces, and offsets on them [m], to push at in `direction` (2,), the best first."""
    return [
        (face, offset)
        for face in faces_for(block, direction, tool)[:2]  # the others would pull
        for offset in (_pushing_offset(face.angle_to(direction), turn), 0.0)
    ]


def _pushing_offset(angle: float, turn: float | None) -> float:
    """Where on a face to push at `angle` [rad] from its normal; `turn` as in `Hand.push`."""
    through_centre = translating_offset(angle)
    return clip_offset(through_centre + (_ALIGN * through_centre if turn is None else -turn))


def _is_ready(gap: float, offset: float, ahead: float = 0.0) -> bool:
    """Whether the tool is at the face; one that pushes may be `ahead` [m] of what was seen."""
    return min(_READY_GAPS[0], -ahead) < gap < _READY_GAPS[1] and abs(offset) < _READY_OFFSET


def _is_within_reach(face: Face, offset: float, around: Obstacles) -> bool:
    """Whether nothing is in the way of a tool that wants to begin a push there."""
    ready = DEFAULT_WORKSPACE.project(face.touching(offset, READY_GAP))
    return _is_ready(*face.gap_and_offset(around.nearest_free(ready)))


@dataclass(frozen=True)
class Contact:
    """Where on a face the tool pushes, and how the force leans."""

    offset: float
    """From the middle of the face [m]."""
    tolerance: float
    """Of the offset, before the tool lets go and comes again [m]."""
    slope: float
    """Force along the face per force into it; inside the friction cone."""


def obstacles(specs: Sequence[ObjectSpec], poses: Vector) -> Obstacles:
    """All objects at `poses` (n, 7), grown by the tool and a clearance."""
    return Obstacles(footprints(specs, poses), TOOL_RADIUS + CLEARANCE)
