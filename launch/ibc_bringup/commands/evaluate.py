"""`ibc eval`: how often does a policy do a task in the twin?"""

import argparse
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'eval',
        help='measure the success rate of a policy in the twin',
        description='Roll a policy out in the twin and count successes. Episode k has seed '
        'SEED + k, whatever the number of workers.',
    )
    parser.add_argument('policy', help='a model (name or folder), demonstrator, random or nothing')
    parser.add_argument('--task', help="task of the twin; a model's own task if left out")
    parser.add_argument('--episodes', type=int, default=50, help='episodes (50)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the first episode (0)')
    parser.add_argument('--workers', type=int, default=0, help='processes (0: one per core)')
    parser.add_argument('--renderer', default='auto', help='auto, egl or tiny (auto)')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--save', action='store_true', help='note the result in the model card')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print the summary."""
    import json
    import os

    from ibc_bringup.policies import SCRIPTED, contestant
    from ibc_bringup.report import success_text
    from xarm_twin.tasks import get_task

    if arguments.task:
        get_task(arguments.task)
    chosen = contestant(arguments.policy, arguments.task, arguments.renderer)
    workers = arguments.workers or os.cpu_count() or 1
    summary = chosen.evaluate(arguments.episodes, arguments.seed, workers).to_dict()
    if arguments.save and arguments.policy not in SCRIPTED:
        from implicit_bc.bundle import add_result, find_bundle

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
