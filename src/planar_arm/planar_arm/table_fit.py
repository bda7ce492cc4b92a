"""The table from points that the tool has touched: a plane, a polygon, one height for the tool.

The tool moves in a plane that is level in `link_base`: policies and the inverse kinematics know one
height. A tilted table is therefore not followed but measured, and refused where the gap between
tool and table would change too much for pushing.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.errors import BadGeometry, UnreachablePose
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.workspace import Workspace, convex_hull
from planar_arm.xarm6 import HOME_Q, HOME_XY

Vector = npt.NDArray[np.float64]

MIN_POINTS = 3
MIN_SPREAD = 0.05
"""Points closer together than this along either way through them say too little [m]."""
CLEARANCE = 0.01
"""Of the tool over the highest place of the table [m]."""
MAX_RISE = 0.008
"""By this much the table may rise over the workspace [m]: the tool is then 18 mm above its lowest
place, which still pushes a block of 40 mm below its middle."""
MAX_RESIDUAL = 0.005
"""A point further from the plane of the others was not on it, or the table is not flat [m]."""
GRID = 0.05
"""Places inside the polygon that the arm must reach are so far apart [m]."""


@dataclass(frozen=True, eq=False)
class TableFit:
    """What the points say."""

    workspace: Workspace
    height: float
    """z of the table in the middle of the workspace [m]."""
    tilt: float
    """Angle between the table and the plane of x and y [rad]."""
    rise: float
    """Difference between the table's highest and lowest place under the workspace [m]."""
    residuals: Vector
    """How far each point lies above the plane through the others, (n,) [m]; 0 where the others
    say nothing, as with three points."""


@dataclass(frozen=True)
class _Plane:
    """z = height + slope . (p - middle)."""

    middle: Vector
    slope: Vector
    height: float

    def at(self, places: npt.ArrayLike) -> Vector:
        """Height over each of `places` (n, 2) [m]."""
        return self.height + (np.asarray(places) - self.middle) @ self.slope


def fit_table(points: npt.ArrayLike, inset: float, home: tuple[float, float] = HOME_XY) -> TableFit:
    """Fit plane and workspace to places of the table that the tool's end has touched.

    Args:
        points: (n, 3) in `link_base` [m]; the outermost ones are the corners.
        inset: From these corners to the workspace [m].
        home: Where the tool shall wait (x, y) [m].

    Raises:
        BadGeometry: Too few points, points on a line, points that are in no one plane, a table that
            is too tilted, a polygon that is too small or does not hold the tool's home.
    """
    touched = np.asarray(points, dtype=float).reshape(-1, 3)
    if not np.isfinite(touched).all():
        raise BadGeometry('a touched point has a number that is not finite')
    plane = _fit_plane(touched)
    residuals = _off_the_others(touched, plane)
    worst = int(np.argmax(np.abs(residuals)))
    if abs(residuals[worst]) > MAX_RESIDUAL:
        # Of four, each is as far from the plane of the other three as it lets them be.
        which = f'point {worst + 1}' if len(touched) > 4 else 'one of the four (more tell which)'
        raise BadGeometry(
            f'{which} lies {abs(residuals[worst]) * 1e3:.1f} mm from the plane through '
            f'the others (at most {MAX_RESIDUAL * 1e3:g}): touch it again, or the table is not flat'
        )
    outline = Workspace(convex_hull(touched[:, :2]), 0.0).inset(inset)
    heights = plane.at(outline.polygon)
    rise = float(np.ptp(heights))
    tilt = math.atan(float(np.linalg.norm(plane.slope)))
    if rise > MAX_RISE:
        raise BadGeometry(
            f'the table rises by {rise * 1e3:.1f} mm over the workspace ({math.degrees(tilt):.2f} '
            f'degrees), and the tool moves at one height: {MAX_RISE * 1e3:g} mm are possible. '
            'Level the table to the base of the robot'
        )
    top = max(float(heights.max()), float(touched[:, 2].max()))
    workspace = Workspace(outline.polygon, round(top + CLEARANCE, 5), home)
    workspace.require_home()
    middle = np.mean(workspace.polygon, axis=0)
    return TableFit(workspace, float(plane.at(middle)), tilt, rise, residuals)


def require_reach(kinematics: Xarm6Kinematics, workspace: Workspace) -> None:
    """Raise BadGeometry unless the arm reaches every part of the workspace, tool down."""
    x0, y0, x1, y1 = workspace.bounds
    grid = [(x, y) for x in np.arange(x0, x1, GRID) for y in np.arange(y0, y1, GRID)]
    try:
        home = kinematics.planar(workspace.home, HOME_Q)
        for place in (*workspace.polygon, *filter(workspace.contains, grid)):
            kinematics.inverse((*place, workspace.tool_height), home)
    except UnreachablePose as error:
        raise BadGeometry(f'the workspace is not within reach: {error}') from None


def _fit_plane(points: Vector) -> _Plane:
    if len(points) < MIN_POINTS:
        raise BadGeometry(f'{len(points)} points: a plane needs {MIN_POINTS} or more')
    middle = points.mean(axis=0)
    places = points[:, :2] - middle[:2]
    spread = np.linalg.svd(places, compute_uv=False)[1] / math.sqrt(len(points))
    if spread < MIN_SPREAD / 2:
        raise BadGeometry('the points lie close to one line or spot: spread them over the table')
    slope, *_ = np.linalg.lstsq(places, points[:, 2] - middle[2], rcond=None)
    return _Plane(middle[:2], slope, float(middle[2]))


def _off_the_others(points: Vector, plane: _Plane) -> Vector:
    """Residuals of each point from the plane fitted without it, by its leverage."""
    off = points[:, 2] - plane.at(points[:, :2])
    columns = np.column_stack([np.ones(len(points)), points[:, :2] - plane.middle])
    leverage = np.einsum('ij,ji->i', columns, np.linalg.pinv(columns))
    known = leverage < 1 - 1e-6
    return np.where(known, off / np.where(known, 1 - leverage, 1.0), 0.0)
