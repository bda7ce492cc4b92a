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
    home = kinematics.planar(xarm6.HOME_XY, xarm6.HOME_Q)
    above = kinematics.inverse((*xarm6.HOME_XY, workspace.tool_height + CLEARANCE), home)
    floor = min(workspace.tool_height, float(kinematics.forward(start).position[2])) - SAG
    for share in np.linspace(0.0, 1.0, _CHECKED_POINTS):
        height = float(kinematics.forward(start + share * (above - start)).position[2])
        if height < floor:
            raise PlanarArmError(
                f'on its way home the tool would dip to {height * 1e3:.0f} mm above the base, '
                f"into the board: lift the arm by hand or with the vendor's software first"
            )
    return _chain(joint_ramp(start, above, speed, period), joint_ramp(above, home, speed, period))


def _chain(*ramps: Iterator[Vector]) -> Iterator[Vector]:
    for ramp in ramps:
        yield from ramp
