"""The box that the arm's own controller shall not let the tool leave, whatever we send it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.errors import PlanarArmError
from planar_arm.homing import points_home
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.workspace import Workspace

MARGIN = 0.02
"""From the workspace, and from the way home, to the sides and the lid of the box [m]."""
BELOW = 0.008
"""From the tool plane to the floor of the box [m]: less than from the plane to the board."""
LOWEST_START = 0.006
"""How far below its plane the tool may be when it sets out [m]: a little above the floor."""


@dataclass(frozen=True)
class Fence:
    """A box in `link_base`."""

    low: tuple[float, float, float]
    """Least x, y, z [m]."""
    high: tuple[float, float, float]
    """Greatest x, y, z [m]."""

    def contains(self, point: npt.ArrayLike) -> bool:
        """Whether `point` (3,) [m] is inside."""
        place = np.asarray(point, dtype=float)
        return bool(np.all(place >= self.low) and np.all(place <= self.high))


def fence_around(kinematics: Xarm6Kinematics, workspace: Workspace, q: npt.ArrayLike) -> Fence:
    """Return the box around the workspace, home and the way home from joints `q` (6,) [rad].

    Once the arm is at home the box around the way it came is larger than needed; the next reset
    draws it anew. Its floor is always the same.

    Raises:
        PlanarArmError: The tool is on the floor or below, where the board is.
    """
    way = points_home(kinematics, workspace, q)
    below = workspace.tool_height - float(way[0, 2])
    if below > LOWEST_START:
        raise PlanarArmError(
            f'the tool is {below * 1e3:.0f} mm below its plane, where the board is: lift the arm '
            "by hand or with the vendor's software first"
        )
    corners = np.array([(x, y, workspace.tool_height) for x, y in workspace.polygon])
    points = np.concatenate([way, corners])
    low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    low[2] = workspace.tool_height - BELOW
    x0, y0, z0, x1, y1, z1 = map(float, (*low, *high))
    return Fence((x0, y0, z0), (x1, y1, z1))
