"""`ibc demo`: watch the best shipped policy."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'demo',
        help='watch the best trained policy do its task in the twin (about 2 minutes)',
        description='Run a trained policy on the twin through the full ROS graph; write a video '
        'and a report, and show a window if there is a display.',
    )
    parser.add_argument('--model', help='name or folder (the one with the best success rate)')
    parser.add_argument('--task', help="task of the twin; the model's own task if left out")
    parser.add_argument('--seconds', type=float, default=75.0, help='time for trials (75)')
    parser.add_argument('--folder', type=Path, help='where the report goes (runs/demo-...)')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the demonstration and print where the report is."""
    import time

    from ibc_bringup.demo import DemoPlan, run_demo

    folder = arguments.folder or Path('runs') / time.strftime('demo-%Y%m%d-%H%M%S')
    report = run_demo(DemoPlan(folder, arguments.model, arguments.task, arguments.seconds))
    sys.stdout.write(f'video and report: {report}\n')
    return 0
