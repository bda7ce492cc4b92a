"""What a motion command asks for, worked out only when its turn comes: targets may be relative.

Numbers that are infinite mean "as it is", which is what the SDK sends for arguments left out.
"""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
import numpy.typing as npt

from xarm_twin.controller import firmware
from xarm_twin.controller.poses import (
    Matrix,
    from_axis_angle_mm,
    from_pose_mm,
    to_axis_angle_mm,
    to_pose_mm,
)

Vector = npt.NDArray[np.float64]


class Frame(Enum):
    """What the numbers of a pose refer to."""

    BASE = auto()
    TOOL = auto()
    """The tool where it is when the move begins."""
    RELATIVE = auto()
    """Added to the pose where the move begins, along the axes of the base."""


@dataclass(frozen=True, eq=False)
class Pace:
    """How fast to go: speed and acceleration in [mm/s] and [mm/s^2], or [rad/s] and [rad/s^2]."""

    speed: float
    acceleration: float

    def usable(self) -> bool:
        """Whether both are positive numbers."""
        return self.speed > 0 and self.acceleration > 0  # also false for NaN

    def within(self, speed: float, acceleration: float) -> 'Pace':
        """Return the pace with these ceilings."""
        return Pace(min(self.speed, speed), min(self.acceleration, acceleration))


@dataclass(frozen=True, eq=False)
class JointGoal:
    """Joint positions, absolute or relative."""

    joints: Vector
    """(6,) [rad]."""
    pace: Pace
    relative: bool = False

    def resolve(self, q: Vector) -> Vector:
        """Return the joints to go to from `q`, both (6,) [rad]."""
        return np.where(np.isinf(self.joints), q, self.joints + q * self.relative)


@dataclass(frozen=True, eq=False)
class PoseGoal:
    """A pose of the tool."""

    pose_mm: Vector
    """x, y, z [mm], then roll, pitch, yaw or a rotation vector [rad], shape (6,)."""
    pace: Pace
    frame: Frame = Frame.BASE
    axis_angle: bool = False

    def resolve(self, tcp: Matrix) -> Matrix:
        """Return the pose to go to from `tcp`, both 4x4 [mm]."""
        build = from_axis_angle_mm if self.axis_angle else from_pose_mm
        if self.frame is Frame.TOOL:
            return tcp @ build(self.pose_mm)
        here = to_axis_angle_mm(tcp) if self.axis_angle else to_pose_mm(tcp)
        if self.frame is Frame.BASE:
            return build(np.where(np.isinf(self.pose_mm), here, self.pose_mm))
        if not self.axis_angle:
            return build(here + self.pose_mm)
        turned = build(self.pose_mm)
        turned[:3, :3] = turned[:3, :3] @ tcp[:3, :3]
        turned[:3, 3] += tcp[:3, 3]
        return turned


@dataclass(frozen=True, eq=False)
class CircleGoal:
    """Part of the circle through where the tool is and two points."""

    through: PoseGoal
    to: PoseGoal
    share: float
    """Of the whole circumference; more than 1 goes around again."""

    @property
    def pace(self) -> Pace:
        """How fast to go."""
        return self.to.pace


@dataclass(frozen=True)
class PauseGoal:
    """Stand still between two moves."""

    seconds: float


Goal = JointGoal | PoseGoal | CircleGoal | PauseGoal


def joint_pace(pace: Pace, reduced_speed: float | None) -> Pace:
    """Return `pace` within what the joints, and reduced mode where it is on, allow."""
    speed = firmware.MAX_JOINT_SPEED if reduced_speed is None else reduced_speed
    return pace.within(speed, firmware.MAX_JOINT_ACCELERATION)


def tcp_pace(pace: Pace, reduced_speed: float | None) -> Pace:
    """Return `pace` within what the tool, and reduced mode where it is on, allow."""
    speed = firmware.MAX_TCP_SPEED_MM if reduced_speed is None else reduced_speed
    return pace.within(speed, firmware.MAX_TCP_ACCELERATION_MM)
