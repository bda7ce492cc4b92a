"""`ibc demo`: watch the best shipped policy."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ibc_bringup.looked_up import task_names
from ibc_bringup.options import OneOf


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'demo',
        help='watch the best trained policy do its task in the twin (under 3 minutes)',
        description='Run a trained policy on the twin through the full ROS graph; write a video '
        'and a report, and show a window if there is a display. Q in the window or Ctrl-C ends it '
        'early; the report is written all the same.',
    )
    parser.add_argument('--model', help='name or folder (the one with the best success rate)')
    parser.add_argument(
        '--task',
        action=OneOf,
        names=task_names,
        help="task of the twin; the model's own task if left out",
    )
    parser.add_argument(
        '--seconds',
        type=float,
        default=130.0,
        metavar='S',
        help='time for trials [s] (130); the last one is stopped when it is over',
    )
    parser.add_argument('--folder', type=Path, help='where the report goes (runs/demo-...)')
    parser.add_argument('--json', action='store_true', help='print one JSON object at the end')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration and print where the report is."""
    import json
    import time

    from ibc_bringup.demo import DemoPlan, run_demo

    folder = arguments.folder or Path('runs') / time.strftime('demo-%Y%m%d-%H%M%S')
    demo = run_demo(DemoPlan(folder, arguments.model, arguments.task, arguments.seconds))
    if arguments.json:
        sys.stdout.write(json.dumps(demo.to_dict()) + '\n')
    else:
        sys.stdout.write(f'video and report: {demo.report}\n')
    return 130 if demo.interrupted else 0
