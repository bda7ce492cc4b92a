"""The 100 Hz step from commanded setpoints to joint positions.

The driver and the in-process twin run this same code, so what is recorded or trained in one happens
in the other.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.errors import OutsideWorkspace, PlanarArmError
from planar_arm.jerk_limited_motion import JerkLimitedMotion
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.linear_motion import LinearMotion
from planar_arm.safety import SAME_POINT, Admission, SafetyGate
from planar_arm.setpoint_motion import Interpolation, SetpointMotion
from planar_arm.workspace import Workspace

Vector = npt.NDArray[np.float64]

TOOL_PLANE_TOLERANCE = 1e-3
"""How far from the tool plane the tool may be when the servo starts [m]."""
TOOL_DOWN_TOLERANCE = 0.005
"""How far from straight down the tool may point when the servo starts [rad]."""
SETTLING_SHARE = 0.2
"""Of the joints' speed limit, what brings a tool that started beside its plane onto it."""


@dataclass(frozen=True, eq=False)
class ServoStep:
    """What one tick commands."""

    setpoint_xy: Vector
    """Point of the tool plane in `link_base`, (2,) [m]."""
    q_command: Vector
    """Joint positions, (6,) [rad]."""


class PlanarServo:
    """Follows a goal in the tool plane: motion, gate, IK, gate.

    Time is an argument everywhere, in seconds of one clock that the caller chooses.
    """

    def __init__(
        self,
        kinematics: Xarm6Kinematics,
        gate: SafetyGate,
        workspace: Workspace,
        interpolation: Interpolation = Interpolation.LINEAR,
    ) -> None:
        self._kinematics = kinematics
        self._gate = gate
        self._workspace = workspace
        self._motion = _motion(interpolation, gate)
        self._is_started = False
        self._setpoint = np.zeros(2)
        self._q = np.zeros(xarm6.JOINTS)
        self._beside = np.zeros(xarm6.JOINTS)
        """From the joints that put the tool onto its plane to `_q` [rad]: where it started."""
        self._has_moved = False

    def start(self, q_measured: npt.ArrayLike) -> None:
        """Begin to hold the measured joint positions (6,) [rad].

        Within the tolerances the tool may be beside its plane: it stays there until the setpoint
        moves, and settles onto the plane on the way.

        Raises:
            PlanarArmError: The tool is not on its plane, not pointing down, or outside the
                workspace: move the arm home first.
        """
        q = np.array(q_measured, dtype=float)
        pose = self._kinematics.forward(q)
        height = float(pose.position[2]) - self._workspace.tool_height
        tilt = 2 * math.asin(min(1.0, float(np.linalg.norm(pose.quaternion[1:]))))
        depth = self._workspace.depth(pose.position[:2])
        if abs(height) > TOOL_PLANE_TOLERANCE or tilt > TOOL_DOWN_TOLERANCE:
            raise PlanarArmError(
                f'tool is {height * 1e3:+.1f} mm from its plane and {tilt:.3f} rad from pointing '
                'down: move the arm home first'
            )
        if depth < -TOOL_PLANE_TOLERANCE:
            raise OutsideWorkspace(
                f'tool at ({pose.position[0]:.3f}, {pose.position[1]:.3f}) m is {-depth:.3f} m '
                'outside the workspace: move the arm home first'
            )
        self._setpoint = self._workspace.project(pose.position[:2])
        self._q = q
        self._beside = q - self._kinematics.planar(self._setpoint, q)
        self._has_moved = False
        self._motion.start(self._setpoint)
        self._is_started = True

    @property
    def setpoint(self) -> Vector:
        """Point commanded by the last step, (2,) [m]."""
        return self._setpoint

    @property
    def goal(self) -> Vector:
        """Where the setpoint is going, (2,) [m]."""
        return self._motion.goal

    @property
    def moving(self) -> bool:
        """Whether the setpoint has still to reach its goal."""
        return math.dist(self._setpoint, self.goal) > SAME_POINT

    def command(self, delta: npt.ArrayLike, t: float, duration: float, age: float) -> Admission:
        """Add `delta` (2,) [m] to the goal and go there over `duration` [s] from time `t`.

        The result holds the move of the goal after every limit; a move that would need more than
        the allowed speed takes longer instead.
        """
        admission = self._gate.admit_delta(delta, age)
        if not admission.accepted:
            return admission
        goal = self._motion.goal
        new_goal = self._gate.limit_goal(self._motion.at(t), goal + admission.delta)
        self._motion.toward(new_goal, t, duration)
        return Admission(True, new_goal - goal, admission.reason)

    def goto(self, point: npt.ArrayLike, t: float, speed: float) -> None:
        """Go straight to `point` (2,) [m], or the nearest one inside, at `speed` [m/s]."""
        start, goal = self._motion.at(t), self._workspace.project(point)
        allowed = min(speed, self._gate.limits.max_tcp_speed)
        self._motion.toward(goal, t, math.dist(start, goal) / allowed)

    def hold(self, t: float) -> None:
        """Stop at the last commanded setpoint, or as soon as the interpolation allows."""
        self._motion.hold(t)

    def step(self, t: float, dt: float, tool: npt.ArrayLike) -> ServoStep:
        """Return the command for the tick at `t`, `dt` [s] after the one before it.

        `dt` is the nominal period. When more time has passed, the motion resumes where it was
        instead of catching up. `tool` is where the tool was measured last, (2,) [m] in its plane:
        the setpoint waits for a tool that is held up.

        Raises:
            PlanarArmError: It was not started.
            GateTrip: The joint command must not be sent.
            UnreachablePose: The setpoint has no joint command.
        """
        if not self._is_started:
            raise PlanarArmError('the servo was not started from a measured joint position')
        point = self._motion.propose(t, dt, np.asarray(tool, dtype=float))
        self._has_moved |= math.dist(point, self._setpoint) > SAME_POINT
        if self._has_moved:
            point, q = self._toward(point, dt)
        else:
            point, q = self._setpoint, self._q
        self._gate.check_joints(self._q, q, dt)
        self._motion.confirm(point, t, dt)
        self._setpoint, self._q = point, q
        return ServoStep(point, q)

    def _toward(self, point: Vector, dt: float) -> tuple[Vector, Vector]:
        """Return the point (2,) [m] that is reached on the way to `point`, and its joints (6,)."""
        beside = self._settled(dt)
        q = self._kinematics.planar(point, self._q) + beside
        share = self._gate.joint_share(self._q, q, dt)
        if share < 1.0:
            point = self._setpoint + share * (point - self._setpoint)
            beside = self._beside + share * (beside - self._beside)
            q = self._kinematics.planar(point, self._q) + beside
        self._beside = beside
        return point, q

    def _settled(self, dt: float) -> Vector:
        """Return what is left of `_beside` after `dt` [s] of motion."""
        largest = float(np.abs(self._beside).max())
        step = SETTLING_SHARE * self._gate.limits.max_joint_speed * dt
        return np.zeros(xarm6.JOINTS) if largest <= step else self._beside * (1 - step / largest)


def _motion(interpolation: Interpolation, gate: SafetyGate) -> SetpointMotion:
    if interpolation is Interpolation.JERK_LIMITED:
        return JerkLimitedMotion(gate)
    return LinearMotion(gate)
