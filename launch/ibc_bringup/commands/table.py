"""`ibc calibrate table`: where the table is, and how far the tool may go on it."""

import argparse
import contextlib
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ibc_bringup.options import add_touch_options, number
from ibc_contract.ending_signals import interruptible

if TYPE_CHECKING:
    from planar_arm.table import TableCalibration
    from planar_arm.tool import Tool

TOUCH = 'Tip of the tool onto the table'
VISIT = 'Lead the tool to a corner of its workspace'
INSET_MM = 10.0


def add_table(actions: Any) -> None:
    """Add the action to `actions`."""
    action = actions.add_parser(
        'table',
        help="find the table's height and the workspace, and store them as "
        'SITE/calibration/table.yaml',
        description='Touch the table with the tip of the tool: first the corners of where it may '
        'work, all around, then some places between them, five or more in all. Stores the height '
        'at which the tool works, 10 mm over the highest place, the workspace inside the outermost '
        'points, and how well all points agree, as SITE/calibration/table.yaml, which driver and '
        'mouse window read.',
    )
    action.add_argument('site', type=Path, metavar='SITE', help="folder of the site's YAML files")
    where = action.add_mutually_exclusive_group(required=True)
    where.add_argument(
        '--robot-ip', metavar='IP', help='this arm, moved by hand, is asked where its tip is'
    )
    where.add_argument(
        '--points',
        type=Path,
        metavar='FILE',
        help='YAML with points: [[x, y, z], ...] [m], such as an earlier table.yaml',
    )
    action.add_argument(
        '--led',
        action='store_true',
        help='with --robot-ip: do not touch, but lead the tool to the corners with the mouse, in '
        'the running stack teleop_record; changes the workspace alone, and only makes it smaller',
    )
    add_touch_options(action)
    action.add_argument(
        '--inset-mm',
        type=number(0, 200),
        metavar='MM',
        help=f'from the outermost points to the workspace ({INSET_MM:g}; with --led 0)',
    )
    action.add_argument(
        '--home-mm',
        type=number(-1000, 1000),
        nargs=2,
        metavar=('X', 'Y'),
        help='where the tool waits, in link_base (as before, else 240 0)',
    )
    action.add_argument(
        '--tool-radius-mm',
        type=number(1, 100),
        metavar='MM',
        help='of the lower end of the tool (as before, else 12.7)',
    )
    action.add_argument('--json', action='store_true', help='print one JSON object')
    action.set_defaults(run=table)


def table(arguments: argparse.Namespace) -> int:
    """Calibrate and say how good it is."""
    from ibc_bringup import table_calibration as steps
    from ibc_bringup.touching import check_touch_options, site_tool
    from ibc_contract.errors import IbcError
    from planar_arm.table import save_table

    check_touch_options(arguments)
    if arguments.led and not arguments.robot_ip:
        raise IbcError('--led is of an arm that a stack moves: give --robot-ip')
    if arguments.free and arguments.led:
        raise IbcError('--led is for an arm that a stack moves, --free for one that hands move')
    if arguments.led and arguments.tool_radius_mm:
        raise IbcError('--led changes the workspace alone: --tool-radius-mm is for touching')
    home, radius = steps.said_before(arguments.site)
    if arguments.home_mm:
        home = (arguments.home_mm[0] / 1e3, arguments.home_mm[1] / 1e3)
    if arguments.tool_radius_mm:
        radius = arguments.tool_radius_mm / 1e3
    tool = dataclasses.replace(site_tool(arguments.site), radius=radius)
    stored = steps.stored_table(arguments.site, tool) if arguments.led else None
    points = steps.read_points(arguments.points) if arguments.points else _gather(arguments, tool)
    default_mm = 0.0 if arguments.led else INSET_MM
    inset = (default_mm if arguments.inset_mm is None else arguments.inset_mm) / 1e3
    if stored is not None:
        found, warnings = steps.narrow(stored, points, inset, home), []
    else:
        fit = steps.solve(points, inset, tool, home)
        found, warnings = steps.describe(fit, points, tool), steps.judge(fit)
    path = save_table(arguments.site, found)
    _show(path, found, warnings, arguments.json)
    return 0


def _gather(arguments: argparse.Namespace, tool: 'Tool') -> list[list[float]]:
    from ibc_bringup.table_calibration import gather
    from ibc_bringup.touching import ArmTip, ask_person, freed

    tip = ArmTip(arguments.robot_ip, arguments.control_port, arguments.pin_mm / 1e3, tool)
    with contextlib.ExitStack() as stack:
        stack.callback(tip.close)
        stack.enter_context(interruptible())
        if arguments.free:
            stack.enter_context(freed(tip))
        where, task = (tip.position, VISIT) if arguments.led else (tip.contact, TOUCH)
        points = gather(where, ask_person, task, sys.stderr.write)
        if arguments.free:  # a driver refuses to begin on the table
            ask_person('Lift the tool well above the table; Enter holds the arm there ')
        return points


def _show(path: Path, found: 'TableCalibration', warnings: list[str], as_json: bool) -> None:
    if as_json:
        report = {'path': str(path), **dataclasses.asdict(found), 'warnings': warnings}
        sys.stdout.write(f'{json.dumps(report)}\n')
        return
    if found.table_height is not None:
        sys.stdout.write(
            f'table at z = {found.table_height * 1e3:.1f} mm in the middle, tilted by '
            f'{found.tilt_deg:.2f} degrees: {found.rise_mm:.1f} mm over the workspace\n'
        )
    sys.stdout.write(f'the tool works at z = {found.tool_height * 1e3:.1f} mm, inside\n')
    for x, y in found.polygon:
        sys.stdout.write(f'  ({x:.4f}, {y:.4f}) m\n')
    x, y = found.home
    sys.stdout.write(f'and waits at ({x:.4f}, {y:.4f}) m\n')
    for index, residual_mm in enumerate(found.residuals_mm, 1):
        sys.stdout.write(f'point {index}: {residual_mm:+.1f} mm from the plane of the others\n')
    for warning in warnings:
        sys.stdout.write(f'warning: {warning}\n')
    sys.stdout.write(f'{path}\n')
