"""Moves from rest to rest that the controller interpolates (mode 0), one step at a time."""

import math
from typing import Protocol

import numpy as np
import numpy.typing as npt

from xarm_twin.controller import firmware
from xarm_twin.controller.firmware import Fault
from xarm_twin.controller.flange import flange_transform_mm, inverse_mm
from xarm_twin.controller.goals import CircleGoal, Goal, JointGoal, Pace, PauseGoal, PoseGoal
from xarm_twin.controller.poses import Matrix, between, rotation_of, rotation_vector
from xarm_twin.controller.profile import Trapezoid

Vector = npt.NDArray[np.float64]

NO_WAY_MM = 1e-3
"""A tool that moves less only turns [mm]."""

STRAIGHT = 1e-6
"""Three points whose triangle has sides with a smaller sine between them make no circle."""


class MotionFailed(Exception):
    """The controller cannot make this motion."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.name)
        self.fault = fault


class Move(Protocol):
    """A motion under way."""

    @property
    def done(self) -> bool:
        """Whether it has come to rest at its end."""
        ...

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the joints to command `dt` [s] after `q`, both (6,) [rad].

        Raises:
            MotionFailed: There is no way on.
        """
        ...


class Timed:
    """What a profile says about time; the point on the way is up to the kind of move."""

    def __init__(self, profile: Trapezoid) -> None:
        self._profile = profile
        self._elapsed = 0.0

    @property
    def done(self) -> bool:
        """Whether the profile has run out."""
        return self._elapsed >= self._profile.duration

    def share_after(self, dt: float) -> float:
        """Let `dt` [s] pass and return the share of the way that is behind."""
        self._elapsed = min(self._elapsed + dt, self._profile.duration)
        length = self._profile.length
        return self._profile.at(self._elapsed) / length if length > 0 else 1.0


class JointMove(Timed):
    """A straight line in joint space; the fastest joint keeps the pace."""

    def __init__(self, start: Vector, goal: Vector, pace: Pace) -> None:
        longest = float(np.abs(goal - start).max())
        super().__init__(Trapezoid(longest, pace.speed, pace.acceleration))
        self._start, self._goal = start, goal

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the next joints."""
        return self._start + self.share_after(dt) * (self._goal - self._start)


class LineMove(Timed):
    """A straight line of the tool, its orientation turning about one axis meanwhile.

    Assumed: the turn has limits of its own, and where the tool only turns, the speed that was
    asked for counts as degrees instead of millimetres.
    """

    def __init__(self, start: Matrix, goal: Matrix, tool: Matrix, pace: Pace) -> None:
        way = float(np.linalg.norm(goal[:3, 3] - start[:3, 3]))
        turn = float(np.linalg.norm(rotation_vector(goal[:3, :3] @ start[:3, :3].T)))
        turn_speed = firmware.MAX_ROTATION_SPEED
        if way < NO_WAY_MM:
            turn_speed = min(turn_speed, math.radians(pace.speed))
        moving = Trapezoid(way, pace.speed, pace.acceleration)
        turning = Trapezoid(turn, turn_speed, firmware.MAX_ROTATION_ACCELERATION)
        super().__init__(max(moving, turning, key=lambda profile: profile.duration))
        self._start, self._goal, self._tool = start, goal, tool

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the next joints."""
        return reach(between(self._start, self._goal, self.share_after(dt)), q, self._tool)


class CircleMove(Timed):
    """Part of a circle. Assumed: the tool keeps the orientation that it has at the start."""

    def __init__(
        self, start: Matrix, through: Matrix, to: Matrix, share: float, tool: Matrix, pace: Pace
    ) -> None:
        self._centre, normal = circle_through(start[:3, 3], through[:3, 3], to[:3, 3])
        self._angle = 2 * math.pi * share
        self._axis = normal
        radius = float(np.linalg.norm(start[:3, 3] - self._centre))
        super().__init__(Trapezoid(radius * abs(self._angle), pace.speed, pace.acceleration))
        self._start, self._tool = start, tool

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the next joints."""
        turn = rotation_of(self._axis * self._angle * self.share_after(dt))
        tcp = self._start.copy()
        tcp[:3, 3] = self._centre + turn @ (self._start[:3, 3] - self._centre)
        return reach(tcp, q, self._tool)


class Pause(Timed):
    """Standing still for a while."""

    def __init__(self, seconds: float) -> None:
        super().__init__(Trapezoid(0.0, 1.0, 1.0))
        self._left = seconds

    @property
    def done(self) -> bool:
        """Whether the time is over."""
        return self._left <= 0.0

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the same joints."""
        self._left -= dt
        return q


def begin(goal: Goal, q: Vector, tool: Matrix) -> Move:
    """Start toward `goal` from joints `q` (6,) [rad] with `tool` in the flange frame, 4x4 [mm].

    Raises:
        MotionFailed: The goal makes no sense from there.
    """
    if isinstance(goal, PauseGoal):
        return Pause(goal.seconds)
    if isinstance(goal, JointGoal):
        return JointMove(q, goal.resolve(q), goal.pace)
    start = flange_transform_mm(q) @ tool
    if isinstance(goal, PoseGoal):
        return LineMove(start, goal.resolve(start), tool, goal.pace)
    assert isinstance(goal, CircleGoal)
    through, to = goal.through.resolve(start), goal.to.resolve(start)
    return CircleMove(start, through, to, goal.share, tool, goal.pace)


def reach(tcp: Matrix, q: Vector, tool: Matrix) -> Vector:
    """Return the joints next to `q` (6,) [rad] with the tool at `tcp`, 4x4 [mm].

    Raises:
        MotionFailed: There are none.
    """
    found = inverse_mm(tcp, q, tool)
    if found is None:
        raise MotionFailed(Fault.KINEMATICS)
    return found


def circle_through(a: Vector, b: Vector, c: Vector) -> tuple[Vector, Vector]:
    """Return centre and unit normal of the circle through three points (3,), a to b to c.

    Raises:
        MotionFailed: They lie on a line.
    """
    ab, ac = b - a, c - a
    normal = np.cross(ab, ac)
    area = float(np.linalg.norm(normal))
    if not area > STRAIGHT * float(np.linalg.norm(ab) * np.linalg.norm(ac)):
        raise MotionFailed(Fault.CIRCLE)
    to_centre = float(ac @ ac) * np.cross(normal, ab) + float(ab @ ab) * np.cross(ac, normal)
    return a + to_centre / (2.0 * area**2), normal / area
