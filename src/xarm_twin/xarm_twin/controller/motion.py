"""Joint moves that the controller itself interpolates (mode 0)."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

SHORTEST_MOVE = 0.05
"""Duration of a move that goes nowhere [s]."""


@dataclass(frozen=True)
class JointMove:
    """A straight line in joint space with a smooth start and stop."""

    start: np.ndarray
    goal: np.ndarray
    duration: float
    elapsed: float = 0.0

    @classmethod
    def between(cls, start: np.ndarray, goal: np.ndarray, speed: float) -> Self:
        """Plan a move, points of shape (6,) [rad]; the fastest joint peaks at `speed` [rad/s]."""
        # A cubic blend peaks at 1.5 times its mean speed.
        duration = 1.5 * float(np.abs(goal - start).max()) / max(speed, 1e-3)
        return cls(start, goal, max(duration, SHORTEST_MOVE))

    @property
    def done(self) -> bool:
        """Whether the goal is reached."""
        return self.elapsed >= self.duration

    def after(self, dt: float) -> Self:
        """Return the same move `dt` [s] later."""
        return replace(self, elapsed=min(self.elapsed + dt, self.duration))

    def point(self) -> np.ndarray:
        """Joints at the elapsed time, shape (6,) [rad]."""
        u = self.elapsed / self.duration
        return self.start + (3 * u**2 - 2 * u**3) * (self.goal - self.start)
