"""Motions whose goal may change at any moment: velocity modes (4, 5), online planning (6, 7).

They keep the speed that they have when a new command comes, and never exceed their accelerations.
"""

import math

import numpy as np
import numpy.typing as npt

from xarm_twin.controller import firmware
from xarm_twin.controller.flange import flange_transform_mm
from xarm_twin.controller.goals import Pace
from xarm_twin.controller.moves import reach
from xarm_twin.controller.poses import Matrix, rotation_of, rotation_vector
from xarm_twin.controller.profile import closing_speed, toward

Vector = npt.NDArray[np.float64]


class JointVelocity:
    """Mode 4: joint speeds, for a while or until further notice."""

    def __init__(self) -> None:
        self._speeds = np.zeros(6)
        self._wanted = np.zeros(6)
        self._together = True
        self._left = math.inf

    @property
    def done(self) -> bool:
        """Whether it stands and is not asked to move."""
        return not (self._wanted.any() or self._speeds.any())

    def set(self, speeds: Vector, together: bool, seconds: float) -> None:
        """Go for `speeds` (6,) [rad/s] for `seconds`; `together`: all joints get there at once."""
        limit = firmware.MAX_JOINT_SPEED
        self._wanted = np.clip(speeds, -limit, limit)
        self._together, self._left = together, seconds

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the next joints."""
        if self._left <= 0.0:
            self._wanted = np.zeros(6)
        self._left -= dt
        change = self._wanted - self._speeds
        most = firmware.VELOCITY_MODE_JOINT_ACCELERATION * dt
        if self._together:
            largest = float(np.abs(change).max())
            change = change * min(1.0, most / largest) if largest > 0 else change
        else:
            change = np.clip(change, -most, most)
        self._speeds = self._speeds + change
        return q + self._speeds * dt


class CartesianVelocity:
    """Mode 5: velocity of the tool in the base or in its own frame, for a while or for good."""

    def __init__(self, tool: Matrix) -> None:
        self._tool = tool
        self._tcp: Matrix | None = None
        self._linear, self._angular = np.zeros(3), np.zeros(3)
        self._wanted = np.zeros(6)
        self._in_tool_frame = False
        self._left = math.inf

    @property
    def done(self) -> bool:
        """Whether it stands and is not asked to move."""
        return not (self._wanted.any() or self._linear.any() or self._angular.any())

    def set(self, twist_mm: Vector, in_tool_frame: bool, seconds: float) -> None:
        """Go for `twist_mm` (6,) [mm/s, rad/s] for `seconds`."""
        linear = toward(np.zeros(3), twist_mm[:3], firmware.MAX_TCP_SPEED_MM)
        angular = toward(np.zeros(3), twist_mm[3:], firmware.MAX_ROTATION_SPEED)
        self._wanted = np.concatenate([linear, angular])
        self._in_tool_frame, self._left = in_tool_frame, seconds

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the next joints."""
        if self._left <= 0.0:
            self._wanted = np.zeros(6)
        self._left -= dt
        # The pose is carried on rather than read back: no drift from solving for the joints.
        tcp = flange_transform_mm(q) @ self._tool if self._tcp is None else self._tcp
        linear, angular = self._wanted[:3], self._wanted[3:]
        if self._in_tool_frame:
            linear, angular = tcp[:3, :3] @ linear, tcp[:3, :3] @ angular
        most = firmware.VELOCITY_MODE_TCP_ACCELERATION_MM * dt
        self._linear = toward(self._linear, linear, most)
        self._angular = toward(self._angular, angular, firmware.MAX_ROTATION_ACCELERATION * dt)
        self._tcp = _moved(tcp, self._linear * dt, self._angular * dt)
        return reach(self._tcp, q, self._tool)


class JointOnline:
    """Mode 6: each joint goes to its goal by itself, from whatever speed it has."""

    def __init__(self, q: Vector) -> None:
        self._goal = q
        self._speeds = np.zeros(6)
        self._pace = Pace(1.0, 1.0)
        self._arrived = True

    @property
    def goal(self) -> Vector:
        """Joints that it goes to, (6,) [rad]."""
        return self._goal

    @property
    def done(self) -> bool:
        """Whether every joint is at its goal."""
        return self._arrived

    def set(self, goal: Vector, pace: Pace) -> None:
        """Go to `goal` (6,) [rad] from here on."""
        self._goal, self._pace, self._arrived = goal, pace, False

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the next joints."""
        way, pace = self._goal - q, self._pace
        wanted = np.array(
            [
                math.copysign(closing_speed(abs(w), pace.speed, pace.acceleration, dt), w)
                for w in way
            ]
        )
        most = pace.acceleration * dt
        self._speeds = self._speeds + np.clip(wanted - self._speeds, -most, most)
        if np.abs(way).max() < 1e-6 and np.abs(self._speeds).max() <= most:
            self._arrived, self._speeds = True, np.zeros(6)
            return self._goal
        return q + self._speeds * dt


class CartesianOnline:
    """Mode 7: the tool goes to its goal in a line, bending where the goal has changed."""

    def __init__(self, tool: Matrix) -> None:
        self._tool = tool
        self._tcp: Matrix | None = None
        self._goal = np.eye(4)
        self._linear, self._angular = np.zeros(3), np.zeros(3)
        self._pace = Pace(1.0, 1.0)
        self._arrived = True

    @property
    def done(self) -> bool:
        """Whether the tool is at its goal."""
        return self._arrived

    def set(self, goal: Matrix, pace: Pace) -> None:
        """Go to `goal`, 4x4 [mm], from here on."""
        self._goal, self._pace, self._arrived = goal, pace, False

    def step(self, q: Vector, dt: float) -> Vector:
        """Return the next joints."""
        tcp = flange_transform_mm(q) @ self._tool if self._tcp is None else self._tcp
        way = self._goal[:3, 3] - tcp[:3, 3]
        turn = rotation_vector(self._goal[:3, :3] @ tcp[:3, :3].T)
        speed, acceleration = self._pace.speed, self._pace.acceleration
        rotation = (firmware.MAX_ROTATION_SPEED, firmware.MAX_ROTATION_ACCELERATION)
        self._linear = _approach(self._linear, way, speed, acceleration, dt)
        self._angular = _approach(self._angular, turn, *rotation, dt)
        near = float(np.linalg.norm(way)) < 1e-3 and float(np.linalg.norm(turn)) < 1e-5
        if near and float(np.linalg.norm(self._linear)) <= acceleration * dt:
            self._arrived = True
            self._linear, self._angular = np.zeros(3), np.zeros(3)
            self._tcp = self._goal
        else:
            self._tcp = _moved(tcp, self._linear * dt, self._angular * dt)
        return reach(self._tcp, q, self._tool)


def _approach(
    velocity: Vector, way: Vector, speed: float, acceleration: float, dt: float
) -> Vector:
    distance = float(np.linalg.norm(way))
    wanted = np.zeros(3)
    if distance > 0:
        wanted = way * (closing_speed(distance, speed, acceleration, dt) / distance)
    return toward(velocity, wanted, acceleration * dt)


def _moved(tcp: Matrix, shift: Vector, turn: Vector) -> Matrix:
    moved = np.eye(4)
    moved[:3, :3] = rotation_of(turn) @ tcp[:3, :3]
    moved[:3, 3] = tcp[:3, 3] + shift
    return moved
