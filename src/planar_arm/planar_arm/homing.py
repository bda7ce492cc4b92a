"""The way home for an arm that is not on the tool plane."""

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.errors import PlanarArmError
from planar_arm.joint_ramp import joint_ramp
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.workspace import Workspace

Vector = npt.NDArray[np.float64]

CLEARANCE = 0.08
"""Height above the tool plane at which the tool arrives over its home [m]."""
SAG = 0.003
"""How far the tool may dip below where it started, or below its plane [m]."""
_CHECKED_POINTS = 50
_MEAN_OF_TOP = 0.95
"""From one checked point to the next the tool's mean speed is no less than this share of its top
speed: 0.97 was the least of 300 ways from anywhere in joint space."""


def home_path(
    kinematics: Xarm6Kinematics,
    workspace: Workspace,
    q: npt.ArrayLike,
    joint_speed: float,
    tool_speed: float,
    period: float,
) -> Iterator[Vector]:
    """Yield joint positions (6,) [rad], one per `period` [s], from `q` to the tool's home.

    First to above the home, then down onto the plane; no joint faster than `joint_speed` [rad/s],
    nor the tool faster than `tool_speed` [m/s].

    Raises:
        PlanarArmError: On the way the tool would dip below its plane: into the board.
    """
    start = np.asarray(q, dtype=float)
    heights = points_home(kinematics, workspace, start)[:, 2]
    height = float(heights.min())
    if height < min(workspace.tool_height, heights[0]) - SAG:
        raise PlanarArmError(
            f'on its way home the tool would dip to {height * 1e3:.0f} mm above the base, '
            f"into the board: lift the arm by hand or with the vendor's software first"
        )
    above, home = _above_home(kinematics, workspace)
    return itertools.chain.from_iterable(
        joint_ramp(*leg, _leg_speed(kinematics, *leg, joint_speed, tool_speed), period)
        for leg in ((start, above), (above, home))
    )


def points_home(
    kinematics: Xarm6Kinematics, workspace: Workspace, q: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return where the tool passes on the way home from joints `q` (6,) [rad], (N, 3) [m]."""
    start = np.asarray(q, dtype=float)
    above, home = _above_home(kinematics, workspace)
    way = _tool_points(kinematics, start, above)
    return np.array([*way, kinematics.forward(home).position])


def _tool_points(
    kinematics: Xarm6Kinematics, start: Vector, end: Vector
) -> npt.NDArray[np.float64]:
    """Where the tool passes while all joints go from `start` to `end` in proportion, (N, 3) [m]."""
    way = start + np.linspace(0.0, 1.0, _CHECKED_POINTS)[:, None] * (end - start)
    return np.array([kinematics.forward(joints).position for joints in way])


def _leg_speed(
    kinematics: Xarm6Kinematics, start: Vector, end: Vector, joint_speed: float, tool_speed: float
) -> float:
    """Speed of the fastest joint [rad/s] at which the tool keeps its own."""
    points = _tool_points(kinematics, start, end)
    step = float(np.linalg.norm(np.diff(points, axis=0), axis=1).max())
    turn = float(np.abs(end - start).max()) / (_CHECKED_POINTS - 1)
    return min(joint_speed, _MEAN_OF_TOP * tool_speed * turn / step) if step else joint_speed


def _above_home(kinematics: Xarm6Kinematics, workspace: Workspace) -> tuple[Vector, Vector]:
    home = kinematics.planar(workspace.home, xarm6.HOME_Q)
    above = kinematics.inverse((*workspace.home, workspace.tool_height + CLEARANCE), home)
    return above, home
