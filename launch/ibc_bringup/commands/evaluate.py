"""`ibc eval`: how often does a policy do a task in the twin, and is it better than another?"""

import argparse
import sys
from pathlib import Path
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
        '--compare',
        metavar='POLICY',
        help='hold it against this one, as it is, on the same seeds: any policy, or the CSV file '
        'of an earlier evaluation',
    )
    parser.add_argument(
        '--ros',
        action='store_true',
        help='run a model through the whole ROS graph, in real time; --compare MODEL then runs '
        'in-process and says whether the rates agree',
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
    parser.add_argument(
        '--delays',
        metavar='FILE',
        help='draw the delays of every episode: graph (what the ROS graph has), or the file that '
        'ibc calibrate latency has stored (frames 80 ms old, commands at once)',
    )
    parser.add_argument(
        '--randomize',
        action='store_true',
        help='draw light, colours, camera pose, friction and delays anew for every episode',
    )
    parser.add_argument('--videos', type=Path, metavar='FOLDER', help='film what fails')
    parser.add_argument(
        '--all-videos', action='store_true', help='with --videos: film successes too'
    )
    _add_steadiness(parser)
    add_hand_options(parser)
    parser.add_argument(
        '--folder', type=Path, help='where CSV and results go (runs/eval-NAME-TIME)'
    )
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
    """Evaluate and print what was measured; 130 where an interrupt cut it short."""
    import json
    import os

    from ibc_bringup.evaluation import EvaluationPlan, run_evaluation
    from ibc_bringup.evaluation_text import evaluation_text
    from xarm_twin.tasks import get_task

    if arguments.task:
        get_task(arguments.task)
    steadiness = {'warm_start': arguments.warm_start, 'mode_margin': arguments.mode_margin}
    hand = {'noise': arguments.noise, 'multimodal': arguments.multimodal}
    plan = EvaluationPlan(
        arguments.policy,
        arguments.task,
        arguments.episodes,
        arguments.seed,
        arguments.workers or os.cpu_count() or 1,
        arguments.compare,
        arguments.renderer,
        arguments.delays,
        arguments.videos,
        arguments.all_videos,
        {name: value for name, value in steadiness.items() if value is not None},
        {name: value for name, value in hand.items() if value},
        ros=arguments.ros,
        folder=arguments.folder,
        save=arguments.save,
        randomize=arguments.randomize,
    )
    found = run_evaluation(plan)
    text = json.dumps(found.to_dict()) + '\n' if arguments.json else evaluation_text(found)
    sys.stdout.write(text)
    return 130 if found.interrupted else 0
