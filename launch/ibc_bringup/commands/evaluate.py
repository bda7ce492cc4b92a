"""`ibc eval`: how often does a policy do a task in the twin?"""

import argparse
import sys
from typing import Any

from ibc_bringup.looked_up import task_names
from ibc_bringup.options import OneOf, add_hand_options, number, whole


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'eval',
        help='measure the success rate of a policy in the twin',
        description='Roll a policy out in the twin and count successes. Episode k has seed '
        'SEED + k, whatever the number of workers.',
    )
    parser.add_argument('policy', help='a model (name or folder), demonstrator, random or nothing')
    parser.add_argument(
        '--task',
        action=OneOf,
        names=task_names,
        help="task of the twin (a model's own task)",
    )
    parser.add_argument(
        '--episodes', type=whole(1), default=50, metavar='N', help='episodes (%(default)s)'
    )
    parser.add_argument(
        '--seed',
        type=whole(0),
        default=0,
        metavar='N',
        help='seed of the first episode (%(default)s)',
    )
    parser.add_argument(
        '--workers', type=whole(0), default=0, metavar='N', help='processes (0: one per core)'
    )
    parser.add_argument(
        '--renderer',
        choices=('auto', 'egl', 'tiny'),
        default='auto',
        help='what draws the camera image (%(default)s)',
    )
    _add_steadiness(parser)
    add_hand_options(parser)
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--save', action='store_true', help='note the result in the model card')
    parser.set_defaults(run=run)


def _add_steadiness(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--warm-start',
        type=whole(0),
        metavar='N',
        help="best candidates of the last decision to begin with (the model's: 0)",
    )
    parser.add_argument(
        '--mode-margin',
        type=number(0, 1000),
        metavar='E',
        help="energy by which another mode must be better to be taken (the model's: 0)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the summary."""
    import json
    import os

    from ibc_bringup.policies import SCRIPTED, contestant
    from ibc_bringup.report import success_text
    from ibc_contract.errors import IbcError
    from xarm_twin.tasks import get_task

    if arguments.task:
        get_task(arguments.task)
    asked = {'warm_start': arguments.warm_start, 'mode_margin': arguments.mode_margin}
    steadiness = {name: value for name, value in asked.items() if value is not None}
    if arguments.save and steadiness:
        raise IbcError('--save notes what the model does as it is: write steadiness to policy.yaml')
    hand = {'noise': arguments.noise, 'multimodal': arguments.multimodal}
    hand = {name: value for name, value in hand.items() if value}
    chosen = contestant(arguments.policy, arguments.task, arguments.renderer, steadiness, hand)
    workers = arguments.workers or os.cpu_count() or 1
    summary = chosen.evaluate(arguments.episodes, arguments.seed, workers).to_dict()
    if arguments.save and arguments.policy not in SCRIPTED:
        from implicit_bc.bundle_files import add_result, find_bundle

        add_result(find_bundle(arguments.policy), chosen.task, summary)
    if arguments.json:
        sys.stdout.write(json.dumps(summary) + '\n')
    else:
        sys.stdout.write(
            f'{chosen.name} on {chosen.task}: success {success_text(summary)}, '
            f'score {summary["score"]:.2f}, {summary["episodes"]} episodes from seed '
            f'{summary["seed"]} in {summary["seconds"]:.0f} s\n'
        )
    return 0
