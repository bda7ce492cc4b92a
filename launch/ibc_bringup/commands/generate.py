"""`ibc generate`: episodes of the scripted demonstrator, faster than real time."""

import argparse
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'generate',
        help='write episodes of the scripted demonstrator as bags, faster than real time',
        description='Write episodes of the scripted demonstrator in the twin as bags. Run again '
        'with the same folder to go on where it stopped.',
    )
    parser.add_argument('--task', default='push_red', help='task of the twin (push_red)')
    parser.add_argument('--root', type=Path, default=Path('bags'), help='bags go here (bags)')
    parser.add_argument('--episodes', type=int, default=100, help='episodes wanted in all (100)')
    parser.add_argument('--seed', type=int, help='seed of the first layout (1000000)')
    parser.add_argument('--workers', type=int, default=0, help='processes (0: one per core)')
    parser.add_argument(
        '--noise', type=float, default=0.0, help='noise of the demonstrator, 0 to 1 (0)'
    )
    parser.add_argument(
        '--lead-in',
        type=float,
        default=0.0,
        metavar='SECONDS',
        help='let a very unsteady hand play for up to so long before every second episode begins, '
        'so that the demonstration shows how to mend what went wrong (0)',
    )
    parser.add_argument(
        '--lead-in-model',
        metavar='MODEL',
        help='let this trained model play before the episode begins, instead of the unsteady hand: '
        'the demonstration then shows how to mend what the model does wrong',
    )
    parser.add_argument(
        '--contract', default='planar_rgb', help='contract to record under (planar_rgb)'
    )
    parser.add_argument(
        '--multimodal', action='store_true', help='pass obstacles on either side, not the nearest'
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Generate, then say how many there are."""
    import os
    from dataclasses import replace

    from ibc_bringup.bundles import read_card
    from ibc_bringup.policies import player
    from xarm_twin.generate import Recipe, generate_episodes
    from xarm_twin.tasks import DEMONSTRATION_SEED

    recipe = Recipe(
        arguments.task,
        arguments.root,
        arguments.contract,
        arguments.noise,
        arguments.multimodal,
        lead_in_s=arguments.lead_in,
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
