"""Requests that move the arm: how their bytes become goals, and in which modes they count.

Assumed: a corner with a blend radius is driven to its point, as without one. Times that a request
asks for are ignored, as the vendor documents ("reserved").
"""

import math
import struct
from collections.abc import Callable

import numpy as np

from xarm_twin.controller.checks import outside_limits
from xarm_twin.controller.firmware import FEWEST_SECONDS, Fault, Mode, Warn
from xarm_twin.controller.goals import (
    CircleGoal,
    Frame,
    Goal,
    JointGoal,
    Pace,
    PauseGoal,
    PoseGoal,
    joint_pace,
    tcp_pace,
)
from xarm_twin.controller.protocol import Register, Request, split_floats, unpack_floats
from xarm_twin.controller.state import ControllerState

JOINT_MODES = (Mode.POSITION, Mode.JOINT_ONLINE)
POSE_MODES = (Mode.POSITION, Mode.TCP_ONLINE)
MODES: dict[int, tuple[Mode, ...]] = {
    Register.SERVO_JOINT: (Mode.SERVO,),
    Register.SERVO_POSE: (Mode.SERVO,),
    Register.SERVO_POSE_AXIS_ANGLE: (Mode.SERVO,),
    Register.JOINT_VELOCITY: (Mode.JOINT_VELOCITY,),
    Register.TCP_VELOCITY: (Mode.TCP_VELOCITY,),
    Register.MOVE_JOINT: JOINT_MODES,
    Register.MOVE_JOINT_BLEND: JOINT_MODES,
    Register.MOVE_LINE: POSE_MODES,
    Register.MOVE_LINE_BLEND: POSE_MODES,
    Register.MOVE_LINE_TOOL: POSE_MODES,
    Register.MOVE_LINE_AXIS_ANGLE: POSE_MODES,
    Register.MOVE_HOME: (Mode.POSITION,),
    Register.MOVE_CIRCLE: (Mode.POSITION,),
    Register.PAUSE: (Mode.POSITION,),
}
_RELATIVE_FLOATS = 11


def modes_of(request: Request) -> tuple[Mode, ...] | None:
    """Return the modes in which the arm takes `request`; None for what does not move it."""
    if request.register == Register.MOVE_RELATIVE:
        is_joint = request.params[4 * _RELATIVE_FLOATS : 4 * _RELATIVE_FLOATS + 1] == b'\1'
        return JOINT_MODES if is_joint else POSE_MODES
    return MODES.get(request.register)


class MotionCommands:
    """Turns requests into motion of one controller."""

    def __init__(self, state: ControllerState) -> None:
        self._state = state

    def handlers(self) -> dict[int, Callable[[bytes], bytes | None]]:
        """Return the handlers by register."""
        return {
            Register.MOVE_LINE: self._move_line,
            Register.MOVE_LINE_BLEND: lambda p: self._move_pose(p, 10, Frame.BASE),
            Register.MOVE_LINE_TOOL: lambda p: self._move_pose(p, 9, Frame.TOOL),
            Register.MOVE_LINE_AXIS_ANGLE: self._move_axis_angle,
            Register.MOVE_JOINT: self._move_joint,
            Register.MOVE_JOINT_BLEND: self._move_joint,
            Register.MOVE_HOME: self._move_home,
            Register.MOVE_CIRCLE: self._move_circle,
            Register.MOVE_RELATIVE: self._move_relative,
            Register.PAUSE: self._pause,
            Register.SERVO_JOINT: lambda p: self._state.servo_joints(unpack_floats(p, 6)),
            Register.SERVO_POSE: self._servo_pose,
            Register.SERVO_POSE_AXIS_ANGLE: self._servo_axis_angle,
            Register.JOINT_VELOCITY: self._joint_velocity,
            Register.TCP_VELOCITY: self._tcp_velocity,
        }

    def _move_line(self, params: bytes) -> bytes:
        if len(params) < 43:  # the form of old firmware
            return self._move_pose(params, 9, Frame.BASE)
        values, (in_tool, axis_angle, check, *_) = split_floats(params, 10)
        frame = Frame.TOOL if in_tool else Frame.BASE
        return self._go(self._pose(values, frame, bool(axis_angle)), check)

    def _move_pose(self, params: bytes, count: int, frame: Frame) -> bytes:
        values, rest = split_floats(params, count)
        return self._go(self._pose(values, frame), rest[0] if rest else None)

    def _move_axis_angle(self, params: bytes) -> bytes:
        values, (in_tool, relative, *check) = split_floats(params, 9)
        frame = Frame.TOOL if in_tool else Frame.RELATIVE if relative else Frame.BASE
        return self._go(self._pose(values, frame, True), check[0] if check else None)

    def _move_joint(self, params: bytes) -> bytes:
        values, rest = split_floats(params, 10)
        return self._go(self._joints(values[:6], values[7:9]), rest[0] if rest else None)

    def _move_home(self, params: bytes) -> bytes:
        values, rest = split_floats(params, 3)
        return self._go(self._joints((0.0,) * 6, values[:2]), rest[0] if rest else None)

    def _move_relative(self, params: bytes) -> bytes:
        values, (is_joint, axis_angle, *check) = split_floats(params, _RELATIVE_FLOATS)
        goal: Goal
        if is_joint:
            goal = self._joints(values[:6], values[7:9], relative=True)
        else:
            pose = (*values[:6], *values[7:9])
            goal = self._pose(pose, Frame.RELATIVE, bool(axis_angle))
        return self._go(goal, check[0] if check else None)

    def _move_circle(self, params: bytes) -> bytes:
        values, rest = split_floats(params, 16)
        in_tool, axis_angle, check = 0, 0, rest[0] if rest else None
        if len(rest) >= 3:  # the form of newer firmware
            in_tool, axis_angle, check = rest[:3]
        frame, pace = (Frame.TOOL if in_tool else Frame.BASE), values[12:14]
        through, to = (
            self._pose((*pose, *pace), frame, bool(axis_angle))
            for pose in (values[:6], values[6:12])
        )
        return self._go(CircleGoal(through, to, values[15] / 100.0), check)

    def _pause(self, params: bytes) -> None:
        (seconds,) = unpack_floats(params, 1)
        if seconds > FEWEST_SECONDS:
            self._state.plan(PauseGoal(seconds))

    def _servo_pose(self, params: bytes) -> None:
        values = unpack_floats(params, 9)
        self._servo(self._pose(values, Frame.TOOL if values[8] else Frame.BASE))

    def _servo_axis_angle(self, params: bytes) -> None:
        values, rest = split_floats(params, 8)
        in_tool, relative = struct.unpack_from('<iB', rest)
        frame = Frame.TOOL if in_tool else Frame.RELATIVE if relative else Frame.BASE
        self._servo(self._pose(values, frame, True))

    def _servo(self, goal: PoseGoal) -> None:
        if np.isfinite(goal.pose_mm).all():
            self._state.servo_pose(goal)
        else:
            self._state.warn(Warn.BAD_PARAMETER)

    def _joint_velocity(self, params: bytes) -> None:
        speeds, rest = split_floats(params, 7)
        self._finite(speeds, self._state.joint_velocity, bool(rest[0]), _seconds(rest[1:]))

    def _tcp_velocity(self, params: bytes) -> None:
        twist, rest = split_floats(params, 6)
        self._finite(twist, self._state.tcp_velocity, bool(rest[0]), _seconds(rest[1:]))

    def _finite(
        self,
        values: tuple[float, ...],
        move: Callable[[np.ndarray, bool, float], None],
        flag: bool,
        seconds: float,
    ) -> None:
        if all(map(math.isfinite, values)):
            move(np.array(values[:6]), flag, seconds)
        else:
            self._state.warn(Warn.BAD_PARAMETER)

    def _pose(self, values: tuple[float, ...], frame: Frame, axis_angle: bool = False) -> PoseGoal:
        settings = self._state.settings
        reduced = settings.reduced_tcp_speed if settings.reduced_mode else None
        pace = tcp_pace(Pace(values[6], values[7]), reduced)
        return PoseGoal(np.array(values[:6]), pace, frame, axis_angle)

    def _joints(
        self, joints: tuple[float, ...], pace: tuple[float, ...], relative: bool = False
    ) -> JointGoal:
        settings = self._state.settings
        reduced = settings.reduced_joint_speed if settings.reduced_mode else None
        return JointGoal(np.array(joints), joint_pace(Pace(*pace), reduced), relative)

    def _go(self, goal: JointGoal | PoseGoal | CircleGoal, check: int | None) -> bytes:
        """Plan `goal`, or with a `check` above 0 only say whether it could be reached."""
        if not goal.pace.usable() or not _makes_sense(goal):
            self._state.warn(Warn.BAD_PARAMETER)
        elif check:
            return bytes((0, 0, self._obstacle(goal)))
        else:
            self._state.plan(goal)
        return b'' if check is None else bytes(3)

    def _obstacle(self, goal: JointGoal | PoseGoal | CircleGoal) -> int:
        """Error that the end of `goal` would raise; 0 for none."""
        if isinstance(goal, JointGoal):
            q = goal.resolve(self._state.snapshot().q_command)
        else:
            pose = goal.to if isinstance(goal, CircleGoal) else goal
            found = self._state.joints_at(pose)
            if found is None:
                return Fault.KINEMATICS
            q = found
        return Fault.JOINT_LIMIT if outside_limits(q, self._state.settings) else 0


def _seconds(data: bytes) -> float:
    """How long a velocity lasts [s]: nothing, zero and less mean for good."""
    seconds = unpack_floats(data, 1)[0] if len(data) >= 4 else 0.0
    return seconds if seconds > 0 else math.inf


def _makes_sense(goal: JointGoal | PoseGoal | CircleGoal) -> bool:
    """Whether its numbers are numbers; infinite ones mean "as it is", but in no relative pose.

    Of one joint that shall turn relatively the SDK 1.18 sends infinite angles for the others.
    """
    if isinstance(goal, JointGoal):
        return True  # limits notice
    if isinstance(goal, CircleGoal):
        return math.isfinite(goal.share) and all(map(_makes_sense, (goal.through, goal.to)))
    wrong = np.isnan if goal.frame is Frame.BASE else lambda values: ~np.isfinite(values)
    return not wrong(goal.pose_mm).any()
