"""Limits that the controller keeps by itself, whatever it is sent: set before every enabling.

Millimetres stop here. Whether reduced mode slows servo commands down is not documented, so the
driver's own gate keeps the same speeds; joint range and fence hold in every mode.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.fence import Fence
from planar_arm.safety import SafetyLimits
from planar_arm.tool import DEFAULT_TOOL, Tool
from xarm_planar_driver.status_reports import StatusReport

_STOP = 4
_TOLERANCE = 1e-3
_TOOL_TOLERANCE = 0.01


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
    mass, *centre = load_mm(tool)
    return [
        ('set_tcp_load', api.set_tcp_load(mass, centre)),
        ('set_tcp_offset', api.set_tcp_offset(offset_mm(tool), wait=False)),
    ]


def load_mm(tool: Tool) -> list[float]:
    """Mass [kg] and its centre x, y, z [mm] in the flange frame: half way along the tool."""
    return [tool.mass, 0.0, 0.0, tool.length * 1e3 / 2]


def offset_mm(tool: Tool) -> list[float]:
    """The tool's end in the flange frame: x, y, z [mm], roll, pitch, yaw [rad]."""
    return [0.0, 0.0, tool.length * 1e3, 0.0, 0.0, 0.0]


def find_difference(states: list[Any], safeguards: Safeguards) -> str | None:
    """Return what the SDK's `get_reduced_states` has that was not set so; None if nothing."""
    on, boundary, tcp_speed, joint_speed, joint_range, fence, *_ = states
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
    found = zip(joint_range[::2], joint_range[1::2], strict=True)
    for joint, (ends, wanted) in enumerate(zip(found, safeguards.joint_range, strict=False), 1):
        if not _is_close(ends, wanted, _TOLERANCE):
            return f'the range of joint{joint} is {_list(ends)} rad instead of {_list(wanted)}'
    return None


def find_reported_difference(report: StatusReport, safeguards: Safeguards) -> str | None:
    """Return what of sensitivity and tool a report has that was not set so; None if nothing."""
    sensitivity, wanted = report.collision_sensitivity, safeguards.collision_sensitivity
    if sensitivity != wanted:
        return f'the collision sensitivity is {sensitivity} instead of {wanted}'
    tool = safeguards.tool
    for name, values, expected in (
        ('payload [kg, mm]', report.tcp_load_mm, load_mm(tool)),
        ('tool offset [mm, rad]', report.tcp_offset_mm, offset_mm(tool)),
    ):
        if not _is_close(values, expected, _TOOL_TOLERANCE):
            return f'the {name} is {_list(values)} instead of {_list(expected)}'
    return None


def _is_close(values: Sequence[float], wanted: Sequence[float], tolerance: float) -> bool:
    return np.allclose(values, wanted, rtol=0.0, atol=tolerance)


def _list(values: Sequence[float]) -> str:
    return ', '.join(f'{value:.3f}' for value in values)


def first_code(answer: int | list[int]) -> int:
    """The code of a call that returns it in a list, as SDK 1.18 does here and there."""
    return answer[0] if isinstance(answer, list) else answer
