"""The gate between a command and the arm: nothing reaches the arm without passing here.

Three stations, in the order in which a command travels: `admit_delta` (is this command usable?),
`limit_point` (is the next setpoint inside, and can the tool follow?), `check_joints` (may these
joint positions be sent?; `check_tool` where no setpoint has been limited before). The first two
mend what they can and count it; the last one trips.
"""

import math
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic import Field

import planar_arm.xarm6 as xarm6
from planar_arm.errors import BadFile, GateTrip, PlanarArmError
from planar_arm.strict_yaml import load_yaml
from planar_arm.workspace import Workspace

Vector = npt.NDArray[np.float64]

__all__ = ['Admission', 'GateTrip', 'SafetyGate', 'SafetyLimits', 'load_safety_limits']

SAME_POINT = 1e-6
"""Points nearer than this are one: less than the arm can tell [m]."""
CLOCK_SLACK_S = 0.05
"""A stamp this far in the future is still taken for clock skew between machines [s]."""


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra='forbid'))
class SafetyLimits:
    """What the gate allows; no field has a default, so limits are always somebody's decision."""

    max_tcp_speed: Annotated[float, Field(ge=0.005, le=xarm6.MAX_TCP_SPEED)]
    """Of the setpoint in the plane [m/s]."""
    max_tcp_acceleration: Annotated[float, Field(ge=0.1, le=50.0)]
    """Of the setpoint in the plane, where interpolation is jerk-limited [m/s^2]."""
    max_tcp_jerk: Annotated[float, Field(ge=1.0, le=10000.0)]
    """The same for its change [m/s^3]."""
    max_joint_speed: Annotated[float, Field(ge=0.02, le=xarm6.MAX_JOINT_SPEED)]
    """Of every joint command [rad/s]."""
    max_delta: Annotated[float, Field(ge=0.001, le=0.2)]
    """Length of one command's move; longer ones are shortened [m]."""
    max_lead: Annotated[float, Field(ge=0.001, le=0.5)]
    """How far the goal may run ahead of the setpoint: what the arm still travels after the last
    command [m]."""
    max_following_error: Annotated[float, Field(ge=0.002, le=0.1)]
    """How far the setpoint may be from the measured tool: what a tool that was blocked jumps once
    it is free [m]."""
    max_joint_error: Annotated[float, Field(ge=0.02, le=0.5)]
    """How far a measured joint may be from where it was sent, for longer than a moment: what the
    lag makes, and a tool that is held up, beyond it the arm stops [rad]."""
    max_height_error: Annotated[float, Field(ge=0.002, le=0.009)]
    """The same for the measured tool, from its plane [m]."""
    max_command_age: Annotated[float, Field(ge=0.05, le=5.0)]
    """Older commands are refused [s]."""


def load_safety_limits(path: str | Path | None = None) -> SafetyLimits:
    """Read limits from a YAML file, or the ones that ship with this package.

    Raises:
        PlanarArmError: The file cannot be read; a limit is missing, unknown, no number or out of
            range.
    """
    source = Path(path) if path else resources.files('planar_arm') / 'safety_limits.yaml'
    try:
        return load_yaml(source, SafetyLimits)
    except BadFile as error:
        raise PlanarArmError(f'safety limits {source}: {error}') from None


@dataclass(frozen=True, eq=False)
class Admission:
    """What became of one command."""

    accepted: bool
    delta: Vector
    """The move that counts, (2,) [m]; zero when refused."""
    reason: str
    """Empty when the command passed untouched."""


class SafetyGate:
    """Checks and mends commands against limits and a workspace; counts every intervention."""

    def __init__(self, limits: SafetyLimits, workspace: Workspace) -> None:
        self.limits = limits
        self.workspace = workspace
        self.interventions: Counter[str] = Counter()
        """How often each intervention happened since the gate was made."""

    def admit_delta(self, delta: npt.ArrayLike, age: float) -> Admission:
        """Judge a command to move the setpoint by `delta` (2,) [m], `age` [s] after its stamp."""
        move = np.array(delta, dtype=float)
        if move.shape != (2,) or not np.isfinite(move).all():
            return self._refuse('command_not_finite', f'delta {move} is not two finite numbers')
        limit = self.limits.max_command_age
        if not -CLOCK_SLACK_S <= age <= limit:
            return self._refuse('command_stale', f'command is {age:.3f} s old, limit {limit} s')
        length = math.hypot(move[0], move[1])
        if length > self.limits.max_delta:
            self.interventions['delta_shortened'] += 1
            move *= self.limits.max_delta / length
            reason = f'delta of {length:.3f} m shortened to {self.limits.max_delta} m'
            return Admission(True, move, reason)
        return Admission(True, move, '')

    def limit_goal(self, setpoint: npt.ArrayLike, goal: npt.ArrayLike) -> Vector:
        """Return the goal (2,) [m] nearest to `goal` inside the workspace and the allowed lead."""
        here, there = np.asarray(setpoint, dtype=float), np.asarray(goal, dtype=float)
        inside = self.workspace.project(there)
        if math.dist(inside, there) > SAME_POINT:
            self.interventions['goal_outside_workspace'] += 1
        limited = _within(here, inside, self.limits.max_lead)
        if limited is not inside:
            self.interventions['goal_too_far_ahead'] += 1
        return limited

    def limit_point(
        self, previous: npt.ArrayLike, wanted: npt.ArrayLike, tool: npt.ArrayLike, dt: float
    ) -> Vector:
        """Return the setpoint (2,) [m] to command `dt` [s] after `previous`.

        It is `wanted`, moved into the workspace, then toward the measured `tool` (2,) [m] until
        that can follow, then toward `previous` until the speed is allowed. From a point inside the
        workspace the result is always inside.
        """
        here = np.array(previous, dtype=float)
        there, measured = np.asarray(wanted, dtype=float), np.asarray(tool, dtype=float)
        for kind, point in (('setpoint', there), ('tool', measured)):
            if not np.isfinite(point).all():
                self.interventions[f'{kind}_not_finite'] += 1
                return here
        inside = self._inside(there)
        near = _within(self.workspace.project(measured), inside, self.limits.max_following_error)
        if near is not inside:
            self.interventions['setpoint_waits_for_tool'] += 1
        return self._slowed(here, near, dt)

    def limit_step(self, previous: npt.ArrayLike, wanted: npt.ArrayLike, dt: float) -> Vector:
        """Return the setpoint (2,) [m] as `limit_point` does, for who looks after the tool itself.

        It must not be pulled toward the tool faster than its acceleration allows.
        """
        here, there = np.array(previous, dtype=float), np.asarray(wanted, dtype=float)
        if not np.isfinite(there).all():
            self.interventions['setpoint_not_finite'] += 1
            return here
        return self._slowed(here, self._inside(there), dt)

    def joint_share(self, previous: npt.ArrayLike, q: npt.ArrayLike, dt: float) -> float:
        """Return the share (0, 1] of the step from `previous` to `q` that the joints may make.

        Near the workspace's far corners the arm is almost stretched: a tool speed that is fine
        elsewhere would need too much of the elbow there, so the setpoint slows down.
        """
        fastest = float(np.abs(np.asarray(q) - np.asarray(previous)).max()) / dt
        if fastest <= self.limits.max_joint_speed:
            return 1.0
        self.interventions['setpoint_slowed_for_joints'] += 1
        return 0.95 * self.limits.max_joint_speed / fastest  # IK is not quite linear

    def check_joints(self, previous: npt.ArrayLike, q: npt.ArrayLike, dt: float) -> None:
        """Judge joint positions `q` (6,) [rad] to be sent `dt` [s] after `previous`.

        Raises:
            GateTrip: They are not finite, beyond a joint limit, or too fast.
        """
        before, after = np.asarray(previous, dtype=float), np.asarray(q, dtype=float)
        if after.shape != (xarm6.JOINTS,) or not np.isfinite(after).all():
            raise self._trip('joints_not_finite', f'joint command {after} is not finite')
        outside = (after < xarm6.JOINT_LOWER) | (after > xarm6.JOINT_UPPER)
        if outside.any():
            joint = int(np.argmax(outside))
            raise self._trip(
                'joint_limit',
                f'joint{joint + 1} at {after[joint]:.3f} rad, allowed '
                f'{xarm6.JOINT_LOWER[joint]:.3f} to {xarm6.JOINT_UPPER[joint]:.3f}',
            )
        speed = np.abs(after - before) / dt
        joint = int(np.argmax(speed))
        if not speed[joint] <= self.limits.max_joint_speed * (1 + 1e-6):
            raise self._trip(
                'joint_speed',
                f'joint{joint + 1} at {speed[joint]:.2f} rad/s, limit '
                f'{self.limits.max_joint_speed} rad/s',
            )

    def check_tool(self, previous: npt.ArrayLike, place: npt.ArrayLike, dt: float) -> None:
        """Judge where joint positions put the tool, `place` (3,) [m], `dt` [s] after `previous`.

        Raises:
            GateTrip: It would move faster than the tool may.
        """
        speed = math.dist(np.asarray(previous), np.asarray(place)) / dt
        if not speed <= self.limits.max_tcp_speed * (1 + 1e-3):
            raise self._trip(
                'tool_speed', f'tool at {speed:.3f} m/s, limit {self.limits.max_tcp_speed} m/s'
            )

    def _inside(self, wanted: Vector) -> Vector:
        inside = self.workspace.project(wanted)
        if math.dist(inside, wanted) > SAME_POINT:
            self.interventions['setpoint_outside_workspace'] += 1
        return inside

    def _slowed(self, here: Vector, there: Vector, dt: float) -> Vector:
        # A part in a million of slack: a ramp at exactly the limit is not an intervention.
        limited = _within(here, there, self.limits.max_tcp_speed * dt * (1 + 1e-6))
        if limited is not there:
            self.interventions['setpoint_slowed'] += 1
        return limited

    def _refuse(self, kind: str, reason: str) -> Admission:
        self.interventions[kind] += 1
        return Admission(False, np.zeros(2), reason)

    def _trip(self, kind: str, reason: str) -> GateTrip:
        self.interventions[kind] += 1
        return GateTrip(reason)


def _within(here: Vector, there: Vector, distance: float) -> Vector:
    """Return `there` itself, or the point at `distance` [m] from `here` on the way to it."""
    length = math.dist(here, there)
    return there if length <= distance else here + (distance / length) * (there - here)
