"""`ibc calibrate latency`: how late arm and camera are."""

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ibc_bringup.options import number, whole
from ibc_contract.reach import missing_settings

if TYPE_CHECKING:
    from ibc_bringup.latency import Recording, StepTest
    from ibc_bringup.latency_node import StepPlan

ROWS = {
    'setpoint': 'command to setpoint',
    'arm': 'setpoint to measured tool',
    'camera': 'scene to stamp of its picture',
    'loop': 'command to a picture that shows it',
}


def add_latency(actions: Any) -> None:
    """Add the action to those of `ibc calibrate`."""
    action = actions.add_parser(
        'latency',
        help='measure how late arm and camera are; stored as SITE/calibration/latency.yaml',
        description='Measure how late arm and camera are, by small steps to and fro while a stack '
        'runs, of which nobody else commands the arm. Stored as SITE/calibration/latency.yaml, '
        'with a picture of the steps.',
    )
    action.add_argument('site', type=Path, metavar='SITE', help="folder of the site's YAML files")
    action.add_argument(
        '--step-mm',
        type=number(3, 30),
        default=20.0,
        metavar='MM',
        help='length of a step, to the side (%(default)g)',
    )
    action.add_argument(
        '--pairs',
        type=whole(1, 200),
        default=10,
        metavar='N',
        help='steps to and fro (%(default)s)',
    )
    action.add_argument(
        '--namespace', default='', metavar='NAME', help='of the stack, as in namespace:=NAME'
    )
    action.add_argument(
        '--yes', action='store_true', help='do not ask whether the way of the tool is free'
    )
    action.add_argument('--json', action='store_true', help='print one JSON object')
    action.set_defaults(run=latency)


def latency(arguments: argparse.Namespace) -> int:
    """Move, measure, store, show."""
    from ibc_bringup.latency import evaluate
    from ibc_bringup.latency_file import PICTURE, save_latency
    from ibc_contract.errors import IbcError

    if not arguments.site.is_dir():
        raise IbcError(
            f'no folder {arguments.site}: make it, copies of our YAML files go there too'
        )
    if not arguments.yes:
        _ask(arguments.step_mm, arguments.pairs)
    os.environ.update(missing_settings())  # before its first node: as in those of the stack
    from ibc_bringup.latency_node import StepPlan

    step = arguments.step_mm / 1e3
    test = evaluate(_move(StepPlan(2 * arguments.pairs, step), arguments.namespace))
    found = test.calibration(step)
    path = save_latency(arguments.site, found)
    from ibc_bringup.latency_plot import draw_steps

    draw_steps(test, arguments.site / PICTURE)
    if arguments.json:
        report = {'path': str(path), **dataclasses.asdict(found), 'warnings': test.warnings}
        sys.stdout.write(f'{json.dumps(report)}\n')
    else:
        _show(test, path)
    return 0


def _move(plan: 'StepPlan', namespace: str) -> 'Recording':
    from ibc_bringup.latency_node import LatencyNode
    from ibc_contract.runner import run

    nodes: list[LatencyNode] = []

    def make() -> LatencyNode:
        nodes.append(LatencyNode(plan))
        return nodes[-1]

    words = ['--ros-args', '-r', f'__ns:=/{namespace}'] if namespace else []
    code = run(make, words)
    node = nodes[0] if nodes else None
    if node is not None and node.failure is not None:
        raise node.failure
    if code:  # what is wrong has been said
        sys.exit(code)
    if node is None or node.recording is None:
        raise KeyboardInterrupt
    return node.recording


def _ask(step_mm: float, pairs: int) -> None:
    from ibc_contract.errors import IbcError

    sys.stderr.write(
        f'The tool will move {step_mm:g} mm to the side and back, {pairs} times: is the way free? '
        'Enter begins, Ctrl-C does not '
    )
    sys.stderr.flush()
    if not sys.stdin.readline():
        raise IbcError('nobody answers: run it in a terminal, or with --yes')


def _show(test: 'StepTest', path: Path) -> None:
    sys.stdout.write(f'{"":<36}{"delay":>8}{"spread of one step":>22}\n')
    for name, words in ROWS.items():
        lag = getattr(test, name)
        sys.stdout.write(f'{words:<36}{_ms(lag.seconds)}{_ms(lag.spread):>22}\n')
    sys.stdout.write(f'{"stamp to arrival of a picture":<36}{_ms(test.arrival_s)}\n')
    for warning in test.warnings:
        sys.stdout.write(f'warning: {warning}\n')
    sys.stdout.write(f'{path}\n')


def _ms(seconds: float) -> str:
    return f'{1e3 * seconds:5.1f} ms'
