"""The paper's way between setpoints: straight ramps at constant speed."""

import math

import numpy as np
import numpy.typing as npt

from planar_arm.interpolation import SetpointRamp
from planar_arm.safety import SafetyGate

Vector = npt.NDArray[np.float64]


class LinearMotion:
    """Straight ramps at constant speed; the gate mends what they ask for."""

    def __init__(self, gate: SafetyGate) -> None:
        self._gate = gate
        self._period = 0.0
        self.start(np.zeros(2))

    def start(self, point: Vector) -> None:
        """As SetpointMotion says."""
        self._setpoint = point
        self._resume_at: float | None = None
        self._ramp = SetpointRamp.holding(point, 0.0)

    @property
    def goal(self) -> Vector:
        """As SetpointMotion says."""
        return self._ramp.goal

    def at(self, t: float) -> Vector:
        """As SetpointMotion says."""
        return self._resumed(t).at(t)

    def toward(self, goal: Vector, t: float, duration: float) -> None:
        """As SetpointMotion says."""
        ramp = self._resumed(t)
        self._ramp = ramp.toward(goal, t, max(duration, self._shortest(ramp.at(t), goal)))

    def hold(self, t: float) -> None:
        """As SetpointMotion says."""
        self._ramp = SetpointRamp.holding(self._setpoint, t)

    def propose(self, t: float, dt: float, tool: Vector) -> Vector:
        """As SetpointMotion says."""
        return self._gate.limit_point(self._setpoint, self._resumed(t).at(t), tool, dt)

    def confirm(self, point: Vector, t: float, dt: float) -> None:
        """As SetpointMotion says."""
        ramp = self._ramp
        if math.dist(point, ramp.at(t)) > 1e-9:
            goal = self._gate.workspace.project(ramp.goal)
            left = max(ramp.t1 - t, self._shortest(point, ramp.goal))
            ramp = SetpointRamp(point, goal, t, t + left)
        self._ramp, self._setpoint = ramp, point
        self._resume_at, self._period = t + dt, dt

    def _resumed(self, t: float) -> SetpointRamp:
        """Return the ramp as of `t`: after a stall it goes on from where the last step left it."""
        ramp = self._ramp
        if self._resume_at is None or t - self._resume_at <= 0.5 * self._period:
            return ramp
        late, self._resume_at = t - self._resume_at, t
        self._ramp = ramp.delayed(late)
        return self._ramp

    def _shortest(self, start: Vector, goal: Vector) -> float:
        return math.dist(start, goal) / self._gate.limits.max_tcp_speed
