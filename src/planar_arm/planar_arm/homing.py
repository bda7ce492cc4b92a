"""The way home for an arm that is not on the tool plane."""

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


def home_path(
    kinematics: Xarm6Kinematics,
    workspace: Workspace,
    q: npt.ArrayLike,
    speed: float,
    period: float,
) -> Iterator[Vector]:
    """Yield joint positions (6,) [rad], one per `period` [s], from `q` to the tool's home.

    First to above the home, then down onto the plane; no joint faster than `speed` [rad/s].

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
    return _chain(joint_ramp(start, above, speed, period), joint_ramp(above, home, speed, period))


def points_home(
    kinematics: Xarm6Kinematics, workspace: Workspace, q: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Return where the tool passes on the way home from joints `q` (6,) [rad], (N, 3) [m]."""
    start = np.asarray(q, dtype=float)
    above, home = _above_home(kinematics, workspace)
    way = start + np.linspace(0.0, 1.0, _CHECKED_POINTS)[:, None] * (above - start)
    return np.array([kinematics.forward(joints).position for joints in (*way, home)])


def _above_home(kinematics: Xarm6Kinematics, workspace: Workspace) -> tuple[Vector, Vector]:
    home = kinematics.planar(xarm6.HOME_XY, xarm6.HOME_Q)
    above = kinematics.inverse((*xarm6.HOME_XY, workspace.tool_height + CLEARANCE), home)
    return above, home


def _chain(*ramps: Iterator[Vector]) -> Iterator[Vector]:
    for ramp in ramps:
        yield from ramp
