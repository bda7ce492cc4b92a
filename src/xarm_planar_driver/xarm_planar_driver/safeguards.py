"""Limits that the controller keeps by itself, whatever it is sent: set before every enabling.

Millimetres stop here. Whether reduced mode slows servo commands down is not documented, so the
driver's own gate keeps the same speeds; joint range and fence hold in every mode.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.fence import Fence
from planar_arm.safety import SafetyLimits
from planar_arm.tool import DEFAULT_TOOL, Tool

_STOP = 4
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Safeguards:
    """What the controller is told to keep."""

    fence: Fence
    """Error 35 when the tool leaves it."""
    tcp_speed: float
    """Of reduced mode [m/s]."""
    joint_speed: float
    """Of reduced mode [rad/s]."""
    joint_range: tuple[tuple[float, float], ...]
    """Least and greatest position of each joint [rad], of reduced mode."""
    collision_sensitivity: int
    """1 to 5; error 31 when the joints need more current than the model of the arm says."""
    tool: Tool = DEFAULT_TOOL
    """Whose end the fence holds, and whose weight that model counts."""

    @classmethod
    def around(
        cls,
        q: npt.NDArray[np.float64],
        fence: Fence,
        limits: SafetyLimits,
        sensitivity: int,
        tool: Tool = DEFAULT_TOOL,
    ) -> Self:
        """Return the gate's own limits for an arm that stands at joints `q` (6,) [rad].

        Arms of before 2022 can be a little beyond the joint limits that every xArm6 keeps.
        """
        low, high = np.minimum(xarm6.JOINT_LOWER, q), np.maximum(xarm6.JOINT_UPPER, q)
        joint_range = tuple(zip(low.tolist(), high.tolist(), strict=True))
        return cls(
            fence, limits.max_tcp_speed, limits.max_joint_speed, joint_range, sensitivity, tool
        )

    @property
    def boundary_mm(self) -> list[int]:
        """The fence as the SDK takes it: greatest and least x, y, z, outward to whole [mm]."""
        pairs = zip(self.fence.high, self.fence.low, strict=True)
        return [mm for high, low in pairs for mm in (math.ceil(high * 1e3), math.floor(low * 1e3))]


def set_safeguards(api: Any, safeguards: Safeguards) -> list[tuple[str, int]]:
    """Tell the SDK `api` everything; return the calls with their codes.

    The arm is stopped first, and most of this resets the mode.
    """
    flat = [limit for pair in safeguards.joint_range for limit in pair]
    return [
        # The SDK waits a second before it sets the sensitivity of an arm that is not stopped.
        ('set_state', api.set_state(_STOP)),
        (
            'set_collision_sensitivity',
            api.set_collision_sensitivity(safeguards.collision_sensitivity),
        ),
        *set_tool(api, safeguards.tool),
        ('set_reduced_tcp_boundary', api.set_reduced_tcp_boundary(safeguards.boundary_mm)),
        ('set_reduced_max_tcp_speed', api.set_reduced_max_tcp_speed(safeguards.tcp_speed * 1e3)),
        ('set_reduced_max_joint_speed', api.set_reduced_max_joint_speed(safeguards.joint_speed)),
        ('set_reduced_joint_range', api.set_reduced_joint_range(flat)),
        ('set_reduced_mode', api.set_reduced_mode(True)),
        ('set_fence_mode', first_code(api.set_fence_mode(True))),
    ]


def set_tool(api: Any, tool: Tool) -> list[tuple[str, int]]:
    """Tell the SDK `api` weight and length of the tool; return the calls with their codes."""
    length_mm = tool.length * 1e3
    return [
        ('set_tcp_load', api.set_tcp_load(tool.mass, [0.0, 0.0, length_mm / 2])),
        ('set_tcp_offset', api.set_tcp_offset([0.0, 0.0, length_mm, 0.0, 0.0, 0.0], wait=False)),
    ]


def find_difference(states: list[Any], safeguards: Safeguards) -> str | None:
    """Return what the SDK's `get_reduced_states` has that was not set so; None if nothing.

    Joint ranges are not compared: the SDK narrows them to its own table.
    """
    on, boundary, tcp_speed, joint_speed, *_ = states
    fence = states[-2]
    if not on:
        return 'reduced mode is off'
    if not fence:
        return 'the fence is off'
    if list(boundary) != safeguards.boundary_mm:
        return f'the fence is {boundary} mm instead of {safeguards.boundary_mm}'
    for name, value, wanted in (
        ('tool speed', tcp_speed * 1e-3, safeguards.tcp_speed),
        ('joint speed', joint_speed, safeguards.joint_speed),
    ):
        if not math.isclose(value, wanted, abs_tol=_TOLERANCE):
            return f'the reduced {name} is {value:.3f} instead of {wanted:.3f}'
    return None


def first_code(answer: int | list[int]) -> int:
    """The code of a call that returns it in a list, as SDK 1.18 does here and there."""
    return answer[0] if isinstance(answer, list) else answer
