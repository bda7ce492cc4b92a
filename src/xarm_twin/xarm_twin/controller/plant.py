"""What the emulated controller drives: an arm with joint targets and measured joints."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

MAX_JOINT_SPEED = np.pi
"""Joint speed limit of the xArm6, 180 deg/s [rad/s] (vendor's robot specification)."""


class ArmPlant(Protocol):
    """A six-joint arm. Calls may come from any thread."""

    def joint_positions(self) -> np.ndarray:
        """Measured joint positions, shape (6,) [rad]."""
        ...

    def joint_velocities(self) -> np.ndarray:
        """Measured joint velocities, shape (6,) [rad/s]."""
        ...

    def set_joint_targets(self, q: npt.ArrayLike) -> None:
        """Go to `q`, shape (6,) [rad], as fast as the servos can."""
        ...


class LagPlant:
    """Joints that follow their targets with a first-order lag and a speed cap.

    It integrates in closed form when somebody looks, so it needs no thread.
    """

    def __init__(
        self,
        q: npt.ArrayLike = (0.0,) * 6,
        time_constant: float = 0.02,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start at rest at `q`, shape (6,) [rad]; `time_constant` of the lag in [s]."""
        self._q = np.array(q, float)
        self._target = self._q.copy()
        self._lag = time_constant
        self._clock = clock
        self._time = clock()
        self._lock = threading.Lock()

    def joint_positions(self) -> np.ndarray:
        """Measured joint positions now, shape (6,) [rad]."""
        with self._lock:
            self._advance()
            return self._q.copy()

    def joint_velocities(self) -> np.ndarray:
        """Joint velocities now, shape (6,) [rad/s]."""
        with self._lock:
            self._advance()
            velocity = (self._target - self._q) / self._lag
            return np.clip(velocity, -MAX_JOINT_SPEED, MAX_JOINT_SPEED)

    def set_joint_targets(self, q: npt.ArrayLike) -> None:
        """Go to `q`, shape (6,) [rad], from here on."""
        with self._lock:
            self._advance()
            self._target = np.array(q, float)

    def _advance(self) -> None:
        now = self._clock()
        elapsed, self._time = now - self._time, now
        error = self._target - self._q
        # Far from the target the joint moves at the cap; the lag takes over at `near`.
        near = MAX_JOINT_SPEED * self._lag
        at_cap = np.clip((np.abs(error) - near) / MAX_JOINT_SPEED, 0.0, elapsed)
        error -= np.sign(error) * MAX_JOINT_SPEED * at_cap
        self._q = self._target - error * np.exp(-(elapsed - at_cap) / self._lag)
