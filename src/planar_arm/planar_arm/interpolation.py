"""A straight line between two setpoints, as a value: time is always an argument."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.errors import BadGeometry

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SetpointRamp:
    """Linear motion from `start` at `t0` to `goal` at `t1` (paper C.3.2), constant outside.

    Points are (2,) [m] in the plane of `link_base`; times are seconds of any one clock.
    """

    start: Vector
    goal: Vector
    t0: float
    t1: float

    def __post_init__(self) -> None:
        for name in ('start', 'goal'):
            point = np.array(getattr(self, name), dtype=float)
            if point.shape != (2,) or not np.isfinite(point).all():
                raise BadGeometry(f'ramp {name} must be a finite point (x, y), got {point}')
            point.setflags(write=False)
            object.__setattr__(self, name, point)
        if not self.t1 >= self.t0:
            raise BadGeometry(f'ramp ends at {self.t1} s, before it starts at {self.t0} s')

    @classmethod
    def holding(cls, point: npt.ArrayLike, t: float) -> 'SetpointRamp':
        """Return a ramp that stays at `point` (2,) [m]."""
        here = np.asarray(point, dtype=float)
        return cls(here, here, t, t)

    def at(self, t: float) -> Vector:
        """Return the commanded point (2,) [m] at time `t` [s]."""
        if t >= self.t1:
            return self.goal
        if t <= self.t0:
            return self.start
        return self.start + (t - self.t0) / (self.t1 - self.t0) * (self.goal - self.start)

    def toward(self, goal: npt.ArrayLike, t: float, duration: float) -> 'SetpointRamp':
        """Return a new ramp to `goal` (2,) [m] over `duration` [s] from where this one is at `t`.

        It starts from the commanded point: starting from the measured one would feed the arm's lag
        back into the command.
        """
        return SetpointRamp(self.at(t), np.asarray(goal, dtype=float), t, t + duration)

    def delayed(self, seconds: float) -> 'SetpointRamp':
        """Return the same motion, `seconds` later: what a stalled loop needs to not catch up."""
        return SetpointRamp(self.start, self.goal, self.t0 + seconds, self.t1 + seconds)
