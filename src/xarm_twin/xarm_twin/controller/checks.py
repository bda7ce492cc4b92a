"""What the controller checks before it executes a command."""

import numpy as np
import numpy.typing as npt

from xarm_twin.controller import firmware
from xarm_twin.controller.firmware import Fault, Settings
from xarm_twin.controller.posture import Posture
from xarm_twin.controller.self_collision import self_collision

ROUNDING = 1 + 1e-6
"""Planned motion at exactly a limit is not beyond it."""


def outside_limits(q: npt.ArrayLike, settings: Settings | None = None) -> bool:
    """Whether a joint of `q`, shape (6,) [rad], is not finite or beyond its limits.

    The narrower limits of reduced mode count where `settings` have it on.
    """
    q = np.asarray(q, float)
    low = firmware.JOINT_LOWER - firmware.JOINT_SLACK
    high = firmware.JOINT_UPPER + firmware.JOINT_SLACK
    if settings is not None and settings.reduced_mode:
        low = np.maximum(low, settings.reduced_joint_range[0:12:2])
        high = np.minimum(high, settings.reduced_joint_range[1:12:2])
    return not bool(np.all((q >= low) & (q <= high)))  # a comparison with NaN is false


def place_fault(posture: Posture, settings: Settings) -> Fault | None:
    """Whether the arm must not be there, and why; its joints are within their limits."""
    if settings.self_collision_check and self_collision(posture.frames, posture.tcp):
        return Fault.SELF_COLLISION
    if outside_fence(posture.tcp_mm, settings):
        return Fault.FENCE
    return None


def servo_fault(
    before: Posture, after: Posture, elapsed: float, settings: Settings
) -> Fault | None:
    """Whether the step from one servo command to the next is too fast, and in which way.

    Args:
        before: The last command.
        after: The new one.
        elapsed: Time between them [s].
        settings: Where the tool's ceiling comes from.
    """
    window = float(np.clip(elapsed, firmware.SHORTEST_STEP, firmware.LONGEST_STEP))
    if np.abs(after.q - before.q).max() > firmware.MAX_JOINT_SPEED * window:
        return Fault.SPEED
    ceiling = firmware.MAX_TCP_SPEED_MM * settings.linear_speed_factor
    if np.linalg.norm(after.tcp_mm - before.tcp_mm) > ceiling * window:
        return Fault.SERVO_LINEAR_SPEED
    return None


def planned_fault(before: Posture, after: Posture, dt: float) -> Fault | None:
    """Whether a step of planned motion is too fast for a joint, as beside a singularity."""
    fastest = np.abs(after.q - before.q).max() / dt
    return Fault.SPEED if fastest > firmware.MAX_JOINT_SPEED * ROUNDING else None


def outside_fence(tcp_mm: np.ndarray, settings: Settings) -> bool:
    """Whether a tool position, shape (3,) [mm], is beyond a fence that is switched on."""
    high, low = settings.tcp_boundary[::2], settings.tcp_boundary[1::2]
    return bool(settings.fence) and not np.all((tcp_mm <= high) & (tcp_mm >= low))
