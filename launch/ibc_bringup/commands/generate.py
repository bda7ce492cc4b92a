"""`ibc generate`: episodes of the scripted demonstrator, faster than real time."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ibc_bringup.looked_up import task_names
from ibc_bringup.options import OneOf, add_hand_options, number, whole


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'generate',
        help='write episodes of the scripted demonstrator as bags, faster than real time',
        description='Write episodes of the scripted demonstrator in the twin as bags. Run again '
        'with the same folder to go on where it stopped.',
    )
    parser.add_argument(
        '--task',
        action=OneOf,
        names=task_names,
        default='push_red',
        help='task of the twin (%(default)s)',
    )
    parser.add_argument(
        '--root', type=Path, default=Path('bags'), help='bags go here (%(default)s)'
    )
    parser.add_argument(
        '--episodes',
        type=whole(1),
        default=100,
        metavar='N',
        help='episodes wanted in all (%(default)s)',
    )
    parser.add_argument(
        '--seed',
        type=whole(0),
        metavar='N',
        help='seed of the first layout (1000000: no evaluation uses those)',
    )
    parser.add_argument(
        '--workers', type=whole(0), default=0, metavar='N', help='processes (0: one per core)'
    )
    add_hand_options(parser)
    _add_lead_in(parser)
    parser.add_argument(
        '--contract', default='planar_rgb', help='contract to record under (planar_rgb)'
    )
    parser.add_argument(
        '--randomize',
        action='store_true',
        help='draw light, colours, camera pose, friction and delays anew for every episode',
    )
    parser.set_defaults(run=run)


def _add_lead_in(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--lead-in',
        type=number(0, 600),
        default=0.0,
        metavar='S',
        help='let a very unsteady hand play for up to so long [s] before about half of the '
        'episodes begin, so that the demonstration shows how to mend what went wrong (%(default)g)',
    )
    parser.add_argument(
        '--lead-in-model',
        metavar='MODEL',
        help='let this trained model play before the episode begins, instead of the unsteady hand: '
        'the demonstration then shows how to mend what the model does wrong',
    )


def run(arguments: argparse.Namespace) -> int:
    """Generate, then say how many there are."""
    import os
    from dataclasses import replace

    from ibc_bringup.bundles import read_card
    from ibc_bringup.policies import player
    from xarm_twin.generate import generate_episodes
    from xarm_twin.recipe import Recipe
    from xarm_twin.tasks import DEMONSTRATION_SEED

    recipe = Recipe(
        arguments.task,
        arguments.root,
        arguments.contract,
        arguments.noise or 0.0,
        arguments.multimodal,
        lead_in_s=arguments.lead_in,
        randomize=arguments.randomize,
    )
    model = arguments.lead_in_model
    if model is not None:
        name = read_card(model).name
        recipe = replace(recipe, player=player(model, arguments.contract), player_name=name)
    seed = DEMONSTRATION_SEED if arguments.seed is None else arguments.seed
    workers = arguments.workers or os.cpu_count() or 1
    paths = generate_episodes(recipe, arguments.episodes, seed, workers)
    sys.stdout.write(f'{len(paths)} episodes of {arguments.task} in {arguments.root}\n')
    return 0
