"""The steps of `ibc calibrate table`: touch or visit its corners, fit, judge, store."""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ibc_bringup.touching import read_key, read_numbers
from ibc_contract.errors import IbcError
from planar_arm.calibration_file import today
from planar_arm.errors import PlanarArmError
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.table import FILE, TableCalibration, read_calibration
from planar_arm.table_fit import MIN_POINTS, TableFit, fit_table, require_reach
from planar_arm.tool import Tool
from planar_arm.workspace import Workspace, convex_hull
from planar_arm.xarm6 import HOME_XY, TOOL_RADIUS

GOOD_RESIDUAL = 0.003
"""Of a point that was touched with some care [m]."""
GOOD_RISE = 0.004
"""Of a table that was levelled [m]."""
ON_PLANE = 0.005
"""A tool that is led by mouse is no further from its plane, or outside of its workspace [m]."""

Point = list[float]
Ask = Callable[[str], str]
"""Shows a line and returns the answer."""
Tell = Callable[[str], object]


def gather(tip: Callable[[], Point], ask: Ask, task: str, told: Tell) -> list[Point]:
    """Let a person bring the tip from place to place; return where it was, (3,) each [m].

    Args:
        tip: Returns where it is; IbcError while it moves.
        ask: The answer is empty once the tip is there, `u` to take a place back, `d` to end.
        task: What to do at each place.
        told: Takes lines on what was understood.
    """
    points: list[Point] = []
    while True:
        answer = ask(f'{len(points) + 1}: {task}, then Enter (u: undo, d: done) ').strip().lower()
        if answer == 'd':
            return points
        if answer == 'u':
            del points[-1:]
        else:
            try:
                points.append(tip())
            except IbcError as error:
                told(f'{error}\n')
                continue
        if points:
            x, y, z = (1e3 * value for value in points[-1])
            told(f'{len(points)} points, the last at ({x:.1f}, {y:.1f}, {z:.1f}) mm\n')


def read_points(path: Path) -> list[Point]:
    """Read `points: [[x, y, z], ...]` [m], as a calibration that was stored has it."""
    found = read_key(path, 'points')
    if not isinstance(found, list):
        raise IbcError(f'{path}: points must be [[x, y, z], ...]')
    return [read_numbers(path, point, 3) for point in found]


def said_before(site: Path) -> tuple[tuple[float, float], float]:
    """Return home (x, y) and radius of the tool [m] of the table that the site has, or ours."""
    try:
        stored = read_calibration(site / FILE)
    except PlanarArmError:
        return HOME_XY, TOOL_RADIUS
    return stored.home, stored.tool_radius


def solve(
    points: list[Point], inset: float, tool: Tool, home: tuple[float, float] = HOME_XY
) -> TableFit:
    """Fit the table, and make sure that the arm reaches all of the workspace.

    Raises:
        IbcError: The points or the table are of no use; nothing was stored.
    """
    kinematics = Xarm6Kinematics(tool=tool)
    try:
        fit = fit_table(points, inset, home)
        require_reach(kinematics, fit.workspace)
    except PlanarArmError as error:
        raise IbcError(f'{error}; nothing was stored') from None
    finally:
        kinematics.close()
    return fit


def judge(fit: TableFit) -> list[str]:
    """Return what is not as good as it should be."""
    warnings = []
    residuals = np.abs(fit.residuals)
    worst = int(np.argmax(residuals))
    if len(residuals) == MIN_POINTS:
        warnings.append(
            '3 points always lie in a plane: touch more of them to see how well they agree'
        )
    if residuals[worst] > GOOD_RESIDUAL:
        # Of four, each is as far from the plane of the other three as it lets them be.
        which = f'point {worst + 1}' if len(residuals) > 4 else 'one of the four (more tell which)'
        warnings.append(
            f'{which} lies {residuals[worst] * 1e3:.1f} mm from the plane of the others: '
            'touch it again, or the table is not flat'
        )
    if fit.rise > GOOD_RISE:
        warnings.append(
            f'the table rises by {fit.rise * 1e3:.1f} mm over the workspace: the tool pushes '
            'blocks higher at one end than at the other'
        )
    return warnings


def describe(fit: TableFit, points: list[Point], tool: Tool) -> TableCalibration:
    """Return what is stored of a fit."""
    return TableCalibration(
        tool_height=fit.workspace.tool_height,
        polygon=list(fit.workspace.polygon),
        tool_length=tool.length,
        tool_radius=tool.radius,
        home=fit.workspace.home,
        date=today(),
        table_height=round(fit.height, 5),
        tilt_deg=round(math.degrees(fit.tilt), 3),
        rise_mm=round(fit.rise * 1e3, 2),
        points=[(round(x, 5), round(y, 5), round(z, 5)) for x, y, z in points],
        residuals_mm=np.round(fit.residuals * 1e3, 2).tolist(),
    )


def stored_table(site: Path, tool: Tool) -> TableCalibration:
    """Return the table that the site has, if it was touched with this tool."""
    try:
        stored = read_calibration(site / FILE)
        stored.table().require_tool(tool.length)
    except PlanarArmError as error:
        raise IbcError(f'{error}: without --led first') from None
    return stored


def narrow(
    stored: TableCalibration, points: list[Point], inset: float, home: tuple[float, float]
) -> TableCalibration:
    """Return the stored table with the polygon of where the tool was led; its height stays.

    Raises:
        IbcError: The tool was off its plane or outside of the workspace, the places span no
            polygon, or home is not in it.
    """
    known = stored.table().workspace
    for number, (x, y, z) in enumerate(points, 1):
        off, outside = z - stored.tool_height, -known.depth((x, y))
        if abs(off) <= ON_PLANE and outside <= ON_PLANE:
            continue
        where = f'{off * 1e3:+.1f} mm from its plane'
        if outside > ON_PLANE:
            where = f'{outside * 1e3:.0f} mm outside of the workspace, which nobody has touched'
        raise IbcError(
            f'at point {number} the tool was {where}: lead it with the mouse, or touch the table, '
            'without --led; nothing was stored'
        )
    try:
        places = np.array([known.project(point[:2]) for point in points]).reshape(-1, 2)
        workspace = Workspace(convex_hull(places), stored.tool_height, home).inset(inset)
        workspace.require_home()
    except PlanarArmError as error:
        raise IbcError(f'{error}; nothing was stored') from None
    # Its date stays, which says how old the height is: nobody has touched the table.
    return dataclasses.replace(stored, polygon=list(workspace.polygon), home=home)
