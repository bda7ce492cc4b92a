"""What moves the arm: servo commands at once, planned motion step by step, checked before sent."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from xarm_twin.controller.checks import outside_limits, place_fault, planned_fault, servo_fault
from xarm_twin.controller.firmware import Fault, Mode, Settings
from xarm_twin.controller.goals import Goal, JointGoal, PoseGoal
from xarm_twin.controller.moves import MotionFailed, reach
from xarm_twin.controller.online import (
    CartesianOnline,
    CartesianVelocity,
    JointOnline,
    JointVelocity,
)
from xarm_twin.controller.planner import Planner
from xarm_twin.controller.plant import ArmPlant
from xarm_twin.controller.poses import from_pose_mm
from xarm_twin.controller.posture import Posture

Vector = npt.NDArray[np.float64]

FRESH = 0.05
"""Time after a command in which the commanded joints still count as moving [s]."""


class Motion:
    """The commanded posture of one arm, and all that changes it. Not for use from two threads.

    Every method that commands a motion raises MotionFailed where the controller would fault; the
    arm then has been sent nothing.
    """

    def __init__(self, arm: ArmPlant, clock: Callable[[], float]) -> None:
        self.planner = Planner()
        self.command = Posture.of(np.array(arm.joint_positions(), float), np.eye(4))
        """What the arm was told last."""
        self._arm = arm
        self._clock = clock
        self._tool = np.eye(4)
        self._speeds = np.zeros(6)
        self._commanded_at = clock()

    @property
    def speeds(self) -> Vector:
        """How fast the commanded joints change, (6,) [rad/s]."""
        fresh = self._clock() - self._commanded_at < FRESH
        return self._speeds if fresh else np.zeros(6)

    def hold(self, settings: Settings) -> None:
        """Forget all motion and stay where the arm is."""
        self.planner.clear()
        self._tool = from_pose_mm(settings.tcp_offset)
        self._send(Posture.of(np.array(self._arm.joint_positions(), float), self._tool))
        self._speeds = np.zeros(6)

    def servo_joints(self, q: Vector, settings: Settings) -> None:
        """Go to `q`, (6,) [rad], at once."""
        posture = self._checked(q, settings)
        elapsed = self._clock() - self._commanded_at
        _raise(servo_fault(self.command, posture, elapsed, settings))
        self._send(posture)

    def guide(self, q: Vector, settings: Settings) -> None:
        """Be moved to `q`, (6,) [rad]: the controller follows."""
        self._send(self._checked(q, settings))

    def joints_at(self, goal: PoseGoal) -> Vector:
        """Return the joints (6,) [rad] for a pose, the ones next to the commanded."""
        return reach(goal.resolve(self.command.tcp), self.command.q, self._tool)

    def plan(self, goal: Goal, mode: int, settings: Settings) -> None:
        """Go to `goal`: after other moves in mode 0, instead of them in modes 6 and 7."""
        if isinstance(goal, JointGoal) and not goal.relative:
            target = goal.resolve(self.command.q)
            _raise(Fault.JOINT_LIMIT if outside_limits(target, settings) else None)
        if mode == Mode.POSITION:
            self.planner.enqueue(goal)
        elif isinstance(goal, JointGoal):
            q = self.command.q
            joints = self.planner.ongoing(JointOnline, lambda: JointOnline(q))
            joints.set(goal.resolve(q), goal.pace)
        elif isinstance(goal, PoseGoal):
            line = self.planner.ongoing(CartesianOnline, lambda: CartesianOnline(self._tool))
            line.set(goal.resolve(self.command.tcp), goal.pace)

    def joint_velocity(self, speeds: Vector, together: bool, seconds: float) -> None:
        """Move the joints with `speeds` (6,) [rad/s]."""
        self.planner.ongoing(JointVelocity, JointVelocity).set(speeds, together, seconds)

    def tcp_velocity(self, twist_mm: Vector, in_tool_frame: bool, seconds: float) -> None:
        """Move the tool with `twist_mm` (6,) [mm/s, rad/s]."""
        motion = self.planner.ongoing(CartesianVelocity, lambda: CartesianVelocity(self._tool))
        motion.set(twist_mm, in_tool_frame, seconds)

    def advance(self, dt: float, settings: Settings) -> None:
        """Let planned motion progress by `dt` [s]."""
        q = self.planner.step(self.command.q, self._tool, dt)
        if q is None:
            return
        posture = self._checked(q, settings)
        _raise(planned_fault(self.command, posture, dt))
        self._send(posture)

    def _checked(self, q: Vector, settings: Settings) -> Posture:
        _raise(Fault.JOINT_LIMIT if outside_limits(q, settings) else None)
        posture = Posture.of(q, self._tool)
        _raise(place_fault(posture, settings))
        return posture

    def _send(self, posture: Posture) -> None:
        now = self._clock()
        self._arm.set_joint_targets(posture.q)
        self._speeds = (posture.q - self.command.q) / max(now - self._commanded_at, 1e-3)
        self.command, self._commanded_at = posture, now


def _raise(fault: Fault | None) -> None:
    if fault is not None:
        raise MotionFailed(fault)
