"""A slow straight line in joint space, for moves that are not on the tool plane."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from ruckig import InputParameter, Ruckig, Trajectory

from planar_arm.errors import BadGeometry

ACCELERATION = 2.0
"""Of every joint at most [rad/s^2]; the vendor allows ten times as much."""
JERK = 20.0
"""Of every joint at most [rad/s^3]."""


def joint_ramp(
    q0: npt.ArrayLike, q1: npt.ArrayLike, speed: float, period: float = 0.01
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield joint positions (6,) [rad], one per `period` [s], from after `q0` to exactly `q1`.

    All joints start and stop together, gently; none exceeds `speed` [rad/s], ACCELERATION or JERK.
    """
    start, end = np.array(q0, dtype=float), np.array(q1, dtype=float)
    if start.shape != end.shape or not (np.isfinite(start).all() and np.isfinite(end).all()):
        raise BadGeometry(f'joint ramp from {start} to {end}')
    if not (speed > 0 and period > 0):
        raise BadGeometry(f'joint ramp with speed {speed} rad/s and period {period} s')
    # One axis: the length of the way of the joint that goes farthest. The others go in proportion.
    farthest = float(np.abs(end - start).max(initial=0.0))
    if farthest == 0.0:
        return
    request, profile = InputParameter(1), Trajectory(1)
    request.current_position, request.target_position = [0.0], [farthest]
    request.max_velocity, request.max_acceleration = [speed], [ACCELERATION]
    request.max_jerk = [JERK]
    Ruckig(1).calculate(request, profile)
    for step in range(1, math.ceil(profile.duration / period)):
        (gone,), _, _ = profile.at_time(step * period)
        yield start + gone / farthest * (end - start)
    yield end
