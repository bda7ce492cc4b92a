"""`ibc loop`: record, generate, train, evaluate, run."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'loop',
        help='record, train and evaluate a small policy from scratch (under 15 minutes)',
        description='Record demonstrations through ROS, generate more, train a small image policy, '
        'compare it with baselines, run it through ROS; write a table and a report.',
    )
    parser.add_argument('--task', default='push_red', help='task of the twin (push_red)')
    parser.add_argument('--recorded', type=int, help='episodes recorded through ROS')
    parser.add_argument('--generated', type=int, help='episodes generated in-process')
    parser.add_argument('--preset', help='training preset')
    parser.add_argument('--train-seconds', type=float, help='time for training [s]')
    parser.add_argument('--evaluated', type=int, help='evaluation episodes per policy')
    parser.add_argument('--seed', type=int, help='seed of data and training')
    parser.add_argument('--folder', type=Path, help='where everything goes (runs/loop-...)')
    parser.add_argument('--resume', type=Path, metavar='FOLDER', help='go on where it stopped')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the loop and print where the report is."""
    import time
    from dataclasses import fields

    from ibc_bringup.loop import Loop, LoopPlan, open_loop
    from implicit_bc.training.trainer import TrainingInterrupted
    from xarm_twin.tasks import get_task

    if arguments.resume:
        loop = open_loop(arguments.resume)
    else:
        given = {field.name: getattr(arguments, field.name, None) for field in fields(LoopPlan)}
        plan = LoopPlan(**{name: value for name, value in given.items() if value is not None})
        get_task(plan.task)
        folder = arguments.folder or Path('runs') / time.strftime('loop-%Y%m%d-%H%M%S')
        loop = Loop(folder, plan)
    try:
        report = loop.run()
    except (KeyboardInterrupt, TrainingInterrupted):
        sys.stderr.write(f'stopped; go on with: ibc loop --resume {loop.folder}\n')
        return 130
    sys.stdout.write(f'report: {report}\n')
    return 0
