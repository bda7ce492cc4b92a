"""How a setpoint gets to its goal: the paper's straight ramps, or motion of bounded jerk."""

from enum import StrEnum
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


class Interpolation(StrEnum):
    """How the setpoint moves between commands."""

    LINEAR = 'linear'
    """At constant speed (paper C.3.2): each command changes the velocity from one tick to the
    next."""
    JERK_LIMITED = 'jerk_limited'
    """Within limits on acceleration and jerk, up to a tenth of a second later.

    Each axis has its limits over the square root of two, so that no direction exceeds them: along x
    or y alone the tool reaches 0.7 of its speed."""


class SetpointMotion(Protocol):
    """Goes from setpoint to setpoint; times are seconds of the caller's clock."""

    @property
    def goal(self) -> Vector:
        """Where the setpoint is going, (2,) [m]."""
        ...

    def start(self, point: Vector) -> None:
        """Hold at `point` (2,) [m]."""
        ...

    def at(self, t: float) -> Vector:
        """Return the point (2,) [m] from which a command at `t` counts."""
        ...

    def toward(self, goal: Vector, t: float, duration: float) -> None:
        """Go to `goal` (2,) [m] over `duration` [s] from `t`, or longer where limits ask for it."""
        ...

    def hold(self, t: float) -> None:
        """Forget the goal."""
        ...

    def propose(self, t: float, dt: float, tool: Vector) -> Vector:
        """Return the next setpoint (2,) [m], after the gate; `tool` (2,) [m] was measured last."""
        ...

    def confirm(self, point: Vector, t: float, dt: float) -> None:
        """Take note that `point` (2,) [m] was commanded, the one proposed or one on the way."""
        ...
