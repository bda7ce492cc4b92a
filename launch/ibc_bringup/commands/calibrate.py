"""`ibc calibrate`: where the table is, where the camera stands, how late arm and camera are."""

import argparse
import contextlib
import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ibc_bringup.commands.latency import add_latency
from ibc_bringup.commands.table import add_table
from ibc_bringup.options import add_touch_options, number, whole

if TYPE_CHECKING:
    from ibc_bringup.touching import ArmTip
    from realsense_capture.calibration.charuco import CharucoBoard
    from realsense_capture.calibration.record import CameraCalibration


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'calibrate',
        help='find where table and camera are, and how late arm and camera are',
        description=__doc__,
    )
    actions = parser.add_subparsers(title='actions', metavar='ACTION', required=True)
    _add_board(actions)
    _add_camera(actions)
    add_table(actions)
    add_latency(actions)


def _add_board(actions: Any) -> None:
    text = 'write a ChArUco board to print in its own size'
    action = actions.add_parser('board', help=text, description=text)
    action.add_argument('file', type=Path, help='a .pdf, .svg or .png file')
    _add_board_size(action)
    action.set_defaults(run=board)


def _add_camera(actions: Any) -> None:
    action = actions.add_parser(
        'camera',
        help="find the camera's pose in link_base and store it as SITE/calibration/camera.yaml",
        description="Find the camera's pose in link_base and store it as "
        'SITE/calibration/camera.yaml. Needs the camera that SITE/camera.yaml asks for, with no '
        'stack running, and either the ChArUco board on the table or points that were touched.',
    )
    action.add_argument('site', type=Path, metavar='SITE', help="folder of the site's YAML files")
    where = action.add_mutually_exclusive_group(required=True)
    where.add_argument(
        '--robot-ip',
        metavar='IP',
        help='touch corners of the board: this arm, moved by hand, is asked where its tip is',
    )
    where.add_argument(
        '--touched',
        type=Path,
        metavar='FILE',
        help='YAML with where corners of the board were touched, such as an earlier camera.yaml',
    )
    where.add_argument(
        '--points',
        type=Path,
        metavar='FILE',
        help='without a board: YAML with pixels and the positions that they show',
    )
    action.add_argument(
        '--click',
        action='store_true',
        help='with --robot-ip, without a board: click on the tip in the picture, at many places',
    )
    add_touch_options(action)
    action.add_argument(
        '--rounds',
        type=whole(1, 20),
        default=3,
        metavar='N',
        help='with --robot-ip: how often each corner is touched (%(default)s)',
    )
    _add_board_size(action)
    action.add_argument(
        '--frames', type=whole(1, 1000), default=30, metavar='N', help='averaged (%(default)s)'
    )
    action.add_argument('--json', action='store_true', help='print one JSON object')
    action.set_defaults(run=camera)


def _add_board_size(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        '--squares',
        type=_squares,
        default=(7, 5),
        metavar='COLUMNSxROWS',
        help='squares of the board (7x5)',
    )
    action.add_argument(
        '--square-mm',
        type=number(5, 500),
        default=40.0,
        metavar='MM',
        help='edge of a square, measured on the print (%(default)g)',
    )


def _squares(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d{1,3})x(\d{1,3})', text)
    if match is None:
        raise argparse.ArgumentTypeError(f'{text!r} is not of the form 7x5')
    return int(match[1]), int(match[2])


def board(arguments: argparse.Namespace) -> int:
    """Write the board."""
    from ibc_bringup.board_print import print_board

    wanted = _board(arguments)
    print_board(wanted, arguments.file)
    sys.stdout.write(
        f'{arguments.file}: {wanted.columns}x{wanted.rows} squares of {arguments.square_mm:g} mm; '
        'print it at 100 %, glue it to something flat, and measure a square\n'
    )
    return 0


def camera(arguments: argparse.Namespace) -> int:
    """Calibrate and say how good it is."""
    from ibc_bringup import camera_calibration as steps
    from ibc_bringup.click_points import click_points
    from ibc_bringup.touching import ask_person, check_touch_options
    from ibc_contract.ending_signals import interruptible
    from ibc_contract.errors import IbcError
    from realsense_capture.calibration.pose import solve_camera_pose

    check_touch_options(arguments)
    if arguments.click and not arguments.robot_ip:
        raise IbcError('--click asks an arm where its tip is: give --robot-ip')
    touched = steps.read_touched(arguments.touched) if arguments.touched else {}
    points = steps.read_points(arguments.points) if arguments.points else None
    wanted = _board(arguments)
    with contextlib.ExitStack() as stack:
        stack.enter_context(interruptible())
        source = steps.site_camera(arguments.site)
        stack.callback(source.close)
        tip = stack.enter_context(_tip(arguments)) if arguments.robot_ip else None
        if points is not None:
            _, lens = steps.see_scene(source)
            solution = steps.Solution(solve_camera_pose(*points, lens), {}, {})
        elif tip is not None and arguments.click:
            _, lens = steps.see_scene(source)
            solution = steps.Solution(click_points(source, lens, tip.position), {}, {})
        else:
            if tip is not None:
                ask_person('Board on the table, arm out of the picture, then Enter ')
            sighting, lens = steps.see_board(source, wanted, arguments.frames)
            if tip is not None:
                touched = steps.touch_corners(wanted, tip.position, ask_person, arguments.rounds)
            solution = steps.solve_board(wanted, touched, sighting, lens)
        warnings = steps.judge(solution, steps.site_tool_height(arguments.site))
        if tip is not None:
            ask_person('Arm out of the picture, board away, then Enter ')
        scene, _ = steps.see_scene(source)
        camera_name = str(source.status()['source'])
    path, calibration = steps.store(arguments.site, camera_name, lens, solution, scene)
    residuals_mm = {corner: round(m * 1e3, 2) for corner, m in solution.residuals.items()}
    _show(path, calibration, residuals_mm, warnings, arguments.json)
    return 0


@contextlib.contextmanager
def _tip(arguments: argparse.Namespace) -> 'Iterator[ArmTip]':
    from ibc_bringup.touching import ArmTip, freed, site_tool

    tool = site_tool(arguments.site)
    tip = ArmTip(arguments.robot_ip, arguments.control_port, arguments.pin_mm / 1e3, tool)
    with contextlib.ExitStack() as stack:
        stack.callback(tip.close)
        if arguments.free:
            stack.enter_context(freed(tip))
        yield tip


def _board(arguments: argparse.Namespace) -> 'CharucoBoard':
    from realsense_capture.calibration.charuco import CharucoBoard

    columns, rows = arguments.squares
    return CharucoBoard(columns, rows, arguments.square_mm / 1e3)


def _show(
    path: Path,
    found: 'CameraCalibration',
    residuals_mm: dict[int, float],
    warnings: list[str],
    as_json: bool,
) -> None:
    if as_json:
        report = {
            'path': str(path),
            **dataclasses.asdict(found),
            'touch_residual_mm': residuals_mm,
            'warnings': warnings,
        }
        sys.stdout.write(f'{json.dumps(report)}\n')
        return
    x, y, z = found.position
    sys.stdout.write(
        f'camera at ({x:.4f}, {y:.4f}, {z:.4f}) m, +- {found.position_std_mm:.1f} mm by its '
        f'residuals: {found.points} points, {found.residual_px:.2f} px off\n'
    )
    for corner, residual_mm in residuals_mm.items():
        sys.stdout.write(f'corner {corner}: touched {residual_mm:.1f} mm off\n')
    for warning in warnings:
        sys.stdout.write(f'warning: {warning}\n')
    sys.stdout.write(f'{path}\n')
