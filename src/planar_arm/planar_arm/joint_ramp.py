"""A slow straight line in joint space, for moves that are not on the tool plane."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from planar_arm.errors import BadGeometry


def joint_ramp(
    q0: npt.ArrayLike, q1: npt.ArrayLike, speed: float, period: float = 0.01
) -> Iterator[npt.NDArray[np.float64]]:
    """Yield joint positions (6,) [rad], one per `period` [s], from after `q0` to exactly `q1`.

    Every joint starts and stops gently (half a cosine) and together; the fastest one never exceeds
    `speed` [rad/s].
    """
    start, end = np.array(q0, dtype=float), np.array(q1, dtype=float)
    if start.shape != end.shape or not (np.isfinite(start).all() and np.isfinite(end).all()):
        raise BadGeometry(f'joint ramp from {start} to {end}')
    if not (speed > 0 and period > 0):
        raise BadGeometry(f'joint ramp with speed {speed} rad/s and period {period} s')
    farthest = float(np.abs(end - start).max(initial=0.0))
    # The cosine's steepest slope is pi/2 times its mean.
    steps = math.ceil(farthest * (math.pi / 2) / speed / period)
    for step in range(1, steps):
        yield start + 0.5 * (1.0 - math.cos(math.pi * step / steps)) * (end - start)
    if steps:
        yield end
