"""`ibc loop`: record, generate, train, evaluate, run."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ibc_bringup.looked_up import task_names
from ibc_bringup.loop_plan import LoopPlan, loop_presets
from ibc_bringup.options import OneOf


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'loop',
        help='record, train and evaluate a small policy from scratch (under 15 minutes)',
        description='Record demonstrations through ROS, generate more, train a small image policy, '
        'compare it with baselines, run it through ROS; write a table and a report.',
    )
    parser.add_argument(
        '--task', action=OneOf, names=task_names, help=f'task of the twin ({LoopPlan.task})'
    )
    parser.add_argument(
        '--preset',
        action=OneOf,
        names=loop_presets,
        help=f'how to train ({LoopPlan.preset}): a YAML file, or a preset',
    )
    options: dict[str, tuple[type, str]] = {
        'recorded': (int, 'episodes recorded through ROS; 0: leave this part out'),
        'generated': (int, 'episodes generated in-process; 0: leave this part out'),
        'train_seconds': (float, 'time for training [s]'),
        'evaluated': (int, 'evaluation episodes per policy'),
        'run_seconds': (float, 'time for the trials through ROS [s]'),
        'seed': (int, 'seed of data and training'),
    }
    for name, (kind, text) in options.items():
        option = f'--{name.replace("_", "-")}'
        default = getattr(LoopPlan, name)
        shown = f'{default:g}' if kind is float else default
        parser.add_argument(option, type=kind, help=f'{text} ({shown})')
    parser.add_argument('--folder', type=Path, help='where everything goes (runs/loop-...)')
    parser.add_argument(
        '--resume', type=Path, metavar='FOLDER', help='go on where it stopped, with its own plan'
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object at the end')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the loop and print where the report is."""
    import json
    import time
    from dataclasses import fields

    from ibc_bringup.loop import Loop, open_loop
    from ibc_contract.errors import IbcError
    from implicit_bc.training.trainer import TrainingInterrupted

    given = {field.name: getattr(arguments, field.name, None) for field in fields(LoopPlan)}
    given = {name: value for name, value in given.items() if value is not None}
    if arguments.resume:
        refused = [f'--{name.replace("_", "-")}' for name in given]
        refused += ['--folder'] if arguments.folder else []
        if refused:
            raise IbcError(
                f'ibc loop --resume takes these from the loop itself: leave out '
                f'{", ".join(refused)}, or start a new loop'
            )
        loop = open_loop(arguments.resume)
    else:
        if Path(given.get('preset', '')).is_file():
            given['preset'] = str(Path(given['preset']).resolve())
        folder = arguments.folder or Path('runs') / time.strftime('loop-%Y%m%d-%H%M%S')
        loop = Loop(folder, LoopPlan(**given))
    try:
        report = loop.run()
    except (KeyboardInterrupt, TrainingInterrupted):
        sys.stderr.write(f'stopped; go on with: ibc loop --resume {loop.folder}\n')
        return 130
    if remark := loop.doubt():
        sys.stderr.write(f'warning: {remark}\n')
    if arguments.json:
        sys.stdout.write(json.dumps({**loop.to_dict(), 'report': str(report)}) + '\n')
    else:
        sys.stdout.write(loop.table().to_text())
        sys.stdout.write(f'{remark}\n' if remark else '')
        sys.stdout.write(f'report: {report}\n')
    return 0
