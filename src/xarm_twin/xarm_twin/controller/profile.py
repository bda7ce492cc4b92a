"""Speed profiles of the controller's own motion: how far along the way after some time."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trapezoid:
    """Speed up, cruise, slow down: from rest to rest over `length`, in any unit."""

    length: float
    speed: float
    """Ceiling [unit/s], positive."""
    acceleration: float
    """[unit/s^2], positive."""

    @property
    def peak(self) -> float:
        """Highest speed that is reached [unit/s]."""
        return min(self.speed, math.sqrt(self.acceleration * self.length))

    @property
    def duration(self) -> float:
        """How long it takes [s]."""
        if self.length <= 0.0:
            return 0.0
        return self.length / self.peak + self.peak / self.acceleration

    def at(self, t: float) -> float:
        """How far along after `t` [s]."""
        left = self.duration - t
        if left <= 0.0:
            return self.length
        ramp = self.peak / self.acceleration
        if t < ramp:
            return 0.5 * self.acceleration * t * t
        if left < ramp:
            return self.length - 0.5 * self.acceleration * left * left
        return self.peak * (t - 0.5 * ramp)


def toward(value: Vector, goal: Vector, most: float) -> Vector:
    """Return `value` moved in a straight line toward `goal` by at most `most`."""
    way = goal - value
    length = math.sqrt(float(way @ way))
    return goal if length <= most else value + way * (most / length)


def closing_speed(distance: float, speed: float, acceleration: float, dt: float) -> float:
    """Highest speed at `distance` from which steps of `dt` [s] still stop at it."""
    half = 0.5 * acceleration * dt
    return min(speed, math.sqrt(half * half + 2.0 * acceleration * distance) - half, distance / dt)
