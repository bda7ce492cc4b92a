"""Motion in the plane whose speed, acceleration and jerk are bounded, as values: Ruckig inside.

L. Berscheid, T. Kröger: Jerk-limited real-time trajectory generation with arbitrary target states,
RSS 2021 (https://github.com/pantor/ruckig).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ruckig import ControlInterface, InputParameter, Result, Ruckig, RuckigError, Trajectory

Vector = npt.NDArray[np.float64]

AXES = 2


@dataclass(frozen=True, eq=False)
class PlaneState:
    """Where a setpoint is and how it moves; each (2,)."""

    point: Vector
    """[m]"""
    velocity: Vector
    """[m/s]"""
    acceleration: Vector
    """[m/s^2]"""

    @classmethod
    def at_rest(cls, point: npt.ArrayLike) -> 'PlaneState':
        """Return the state of a setpoint that stays at `point` (2,) [m]."""
        return cls(np.array(point, dtype=float), np.zeros(AXES), np.zeros(AXES))


class Profile:
    """One motion from a state to rest, as a function of the time since it began."""

    def __init__(self, trajectory: Trajectory, goal: Vector | None = None) -> None:
        """`goal` (2,) [m] is where it ends, where that is known without rounding."""
        self._trajectory = trajectory
        self.duration: float = trajectory.duration
        """Until it rests [s]."""
        self.end: Vector = np.array(trajectory.at_time(self.duration)[0]) if goal is None else goal
        """Where it rests, (2,) [m]."""

    def at(self, t: float) -> PlaneState:
        """Return the state `t` [s] after the beginning; after the end it rests."""
        if t >= self.duration:
            return PlaneState.at_rest(self.end)
        return PlaneState(*map(np.array, self._trajectory.at_time(t)))


class JerkLimitedPlanner:
    """Finds the quickest profile within limits on the length of each derivative.

    Ruckig limits each axis. With 1/sqrt(2) of a limit on both, the length keeps it in every
    direction; along an axis motion is slower than it might be.
    """

    def __init__(self, speed: float, acceleration: float, jerk: float) -> None:
        """Plan within `speed` [m/s], `acceleration` [m/s^2] and `jerk` [m/s^3]."""
        # Ruckig bounds each axis by itself. A box inside the circle of every limit also holds while
        # one plan replaces another, which shares that follow the direction would not.
        self._ruckig = Ruckig(AXES)
        self._input = InputParameter(AXES)
        self._input.max_velocity = [speed / math.sqrt(AXES)] * AXES
        self._input.max_acceleration = [acceleration / math.sqrt(AXES)] * AXES
        self._input.max_jerk = [jerk / math.sqrt(AXES)] * AXES
        self.axis_speed = speed / math.sqrt(AXES)
        """Of one axis at most [m/s]."""

    def reach(self, state: PlaneState, goal: Vector, at_least: float = 0.0) -> Profile | None:
        """Return the way from `state` to rest at `goal` (2,) [m], in `at_least` [s] or more.

        None when none was found, which for a finite state within the limits is a numerical failure.
        """
        request = self._start_from(state)
        request.control_interface = ControlInterface.Position
        request.target_position = goal.tolist()
        request.minimum_duration = at_least
        return self._solve(request, goal)

    def stop(self, state: PlaneState) -> Profile | None:
        """Return the quickest way from `state` to rest, wherever that is; None as `reach`."""
        request = self._start_from(state)
        request.control_interface = ControlInterface.Velocity
        request.minimum_duration = None
        return self._solve(request)

    def _start_from(self, state: PlaneState) -> InputParameter:
        self._input.current_position = state.point.tolist()
        self._input.current_velocity = state.velocity.tolist()
        self._input.current_acceleration = state.acceleration.tolist()
        return self._input

    def _solve(self, request: InputParameter, goal: Vector | None = None) -> Profile | None:
        trajectory = Trajectory(AXES)
        try:
            result = self._ruckig.calculate(request, trajectory)
        except RuckigError:
            return None
        return Profile(trajectory, goal) if result in (Result.Working, Result.Finished) else None
