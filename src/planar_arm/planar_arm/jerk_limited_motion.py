"""Setpoints of bounded acceleration and jerk, which can always stop within every limit."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.jerk_limited import JerkLimitedPlanner, PlaneState, Profile
from planar_arm.safety import SAME_POINT, SafetyGate

Vector = npt.NDArray[np.float64]

LONGEST = 3600.0
"""More than any ramp takes [s]; Ruckig finds none of two hours."""
_SHORTEST = 1e-3
_MOST_SAMPLES = 50


@dataclass(frozen=True, eq=False)
class _Step:
    """Where the setpoint is, and how it would stop."""

    state: PlaneState
    stop: Profile | None = None
    """None: it rests."""
    since: float = 0.0
    """Of the stop's duration, what is over [s]."""

    @property
    def rest(self) -> Vector:
        """Where the stop ends, (2,) [m]."""
        return self.state.point if self.stop is None else self.stop.end

    def slower(self, dt: float) -> '_Step':
        """Return the next step of the stop."""
        if self.stop is None or self.since + dt >= self.stop.duration:
            return _Step(PlaneState.at_rest(self.rest))
        return _Step(self.stop.at(self.since + dt), self.stop, self.since + dt)

    def points(self, dt: float) -> list[Vector]:
        """Return the points of the stop from here on, `dt` [s] apart or, if too many, more."""
        if self.stop is None:
            return [self.state.point]
        left = self.stop.duration - self.since
        stride = dt * max(1, math.ceil(left / dt / _MOST_SAMPLES))
        return [self.stop.at(t).point for t in np.arange(self.since, self.stop.duration, stride)]


class JerkLimitedMotion:
    """Profiles of bounded speed, acceleration and jerk that end at rest.

    A step is taken only if the quickest stop after it stays inside the workspace and near the tool;
    otherwise the quickest stop begins. So there is one at any time, whatever is commanded and
    wherever the tool is found. Time advances by steps: a late one moves no farther.
    """

    def __init__(self, gate: SafetyGate) -> None:
        self._gate = gate
        limits = gate.limits
        self._planner = JerkLimitedPlanner(
            limits.max_tcp_speed, limits.max_tcp_acceleration, limits.max_tcp_jerk
        )
        self.start(np.zeros(2))

    def start(self, point: Vector) -> None:
        """As SetpointMotion says."""
        self._now = self._next = _Step(PlaneState.at_rest(point))
        self._goal = point
        self._plan: Profile | None = None  # one has to be made from where the setpoint is
        self._elapsed = 0.0

    @property
    def goal(self) -> Vector:
        """As SetpointMotion says."""
        return self._goal

    def at(self, t: float) -> Vector:
        """As SetpointMotion says."""
        return self._now.state.point

    def toward(self, goal: Vector, t: float, duration: float) -> None:
        """As SetpointMotion says.

        The way takes longer by what a stop from its speed takes: it has just not begun to slow down
        when the next command comes after `duration`, so that commands in a row flow.
        """
        here, top = self._now.state, self._planner.axis_speed
        duration = min(max(duration, _SHORTEST), LONGEST)
        speed = np.clip((goal - here.point) / duration, -top, top)
        stop = self._planner.stop(PlaneState(here.point, speed, np.zeros(2)))
        slowing = 0.0 if stop is None else stop.duration
        self._goal, self._elapsed = goal, 0.0
        self._plan = self._planner.reach(here, goal, duration + slowing)

    def hold(self, t: float) -> None:
        """As SetpointMotion says: stop as quickly as the limits allow."""
        self._goal = self._now.rest
        self._plan, self._elapsed = self._now.stop, self._now.since

    def propose(self, t: float, dt: float, tool: Vector) -> Vector:
        """As SetpointMotion says."""
        self._next = self._step(dt, tool)
        return self._gate.limit_step(self._now.state.point, self._next.state.point, dt)

    def confirm(self, point: Vector, t: float, dt: float) -> None:
        """As SetpointMotion says."""
        before, self._now = self._now.state, self._next
        self._elapsed += dt
        if math.dist(point, self._next.state.point) > SAME_POINT:  # something else slowed it down
            top = self._planner.axis_speed
            velocity = np.clip((point - before.point) / dt, -top, top)
            state = PlaneState(point, velocity, np.zeros(2))
            self._now, self._plan = _Step(state, self._planner.stop(state)), None

    def _step(self, dt: float, tool: Vector) -> _Step:
        now, gate = self._now, self._gate
        if not np.isfinite(tool).all():
            gate.interventions['tool_not_finite'] += 1
            return self._slow_down(dt)
        near, reach = gate.workspace.project(tool), gate.limits.max_following_error
        distance = math.dist(now.rest, near)
        if distance > reach + SAME_POINT:  # the tool was pushed away: go after it
            gate.interventions['setpoint_waits_for_tool'] += 1
            self._plan = None
            back = near + reach / distance * (now.rest - near)
            step = self._try(self._planner.reach(now.state, back), dt)
            if step is None or not self._stays_inside(step, dt):
                return self._slow_down(dt)
            return step
        if now.stop is None and math.dist(now.rest, self._goal) <= SAME_POINT:
            return now
        if self._plan is None:
            self._plan, self._elapsed = self._planner.reach(now.state, self._goal), 0.0
        step = self._try(self._plan, self._elapsed + dt)
        if step is None or not self._stays_inside(step, dt):
            gate.interventions['setpoint_brakes_for_workspace'] += 1
        elif any(math.dist(point, near) > reach for point in step.points(dt)):
            gate.interventions['setpoint_waits_for_tool'] += 1
        else:
            return step
        return self._slow_down(dt)

    def _try(self, plan: Profile | None, t: float) -> _Step | None:
        """Return the step of `plan` at `t`, None if there is none that can be stopped."""
        if plan is None:
            return None
        state = plan.at(t)
        if t >= plan.duration:
            return _Step(state)
        stop = self._planner.stop(state)
        return None if stop is None else _Step(state, stop)

    def _slow_down(self, dt: float) -> _Step:
        self._plan = None
        return self._now.slower(dt)

    def _stays_inside(self, step: _Step, dt: float) -> bool:
        contains = self._gate.workspace.contains
        return all(contains(point, -SAME_POINT) for point in step.points(dt))
