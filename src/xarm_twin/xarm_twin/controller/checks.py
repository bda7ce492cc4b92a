"""What the controller checks before it executes a command."""

import numpy as np
import numpy.typing as npt

from planar_arm.xarm6 import MAX_JOINT_SPEED
from xarm_twin.controller import firmware
from xarm_twin.controller.firmware import Fault, Settings


def outside_limits(q: npt.ArrayLike) -> bool:
    """Whether a joint of `q`, shape (6,) [rad], is not finite or beyond its limits."""
    q = np.asarray(q, float)
    low = firmware.JOINT_LOWER - firmware.JOINT_SLACK
    high = firmware.JOINT_UPPER + firmware.JOINT_SLACK
    return not bool(np.all((q >= low) & (q <= high)))  # a comparison with NaN is false


def step_fault(
    joint_step: npt.ArrayLike,
    tcp_step_mm: npt.ArrayLike,
    elapsed: float,
    settings: Settings,
) -> Fault | None:
    """Whether the step from one servo command to the next is too fast, and in which way.

    Args:
        joint_step: Difference of the two commands, shape (6,) [rad].
        tcp_step_mm: Difference of their tool positions, shape (3,) [mm].
        elapsed: Time between them [s].
        settings: Where the tool's ceiling comes from.
    """
    window = float(np.clip(elapsed, firmware.SHORTEST_STEP, firmware.LONGEST_STEP))
    if np.abs(joint_step).max() > MAX_JOINT_SPEED * window:
        return Fault.SPEED
    ceiling = firmware.MAX_SERVO_SPEED_MM * settings.linear_speed_factor
    if np.linalg.norm(tcp_step_mm) > ceiling * window:
        return Fault.SERVO_LINEAR_SPEED
    return None


def outside_fence(tcp_mm: np.ndarray, settings: Settings) -> bool:
    """Whether a tool position, shape (3,) [mm], is beyond a fence that is switched on."""
    high, low = settings.tcp_boundary[::2], settings.tcp_boundary[1::2]
    return bool(settings.fence) and not np.all((tcp_mm <= high) & (tcp_mm >= low))
