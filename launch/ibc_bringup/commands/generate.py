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
    parser.add_argument('--seed', type=int, default=0, help='seed of the first layout (0)')
    parser.add_argument('--workers', type=int, default=0, help='processes (0: one per core)')
    parser.add_argument(
        '--noise', type=float, default=0.0, help='noise of the demonstrator, 0 to 1 (0)'
    )
    parser.add_argument(
        '--multimodal', action='store_true', help='pass obstacles on either side, not the nearest'
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Generate, then say how many there are."""
    import os

    from xarm_twin.generate import generate_episodes

    paths = generate_episodes(
        arguments.task,
        arguments.root,
        episodes=arguments.episodes,
        seed=arguments.seed,
        workers=arguments.workers or os.cpu_count() or 1,
        noise=arguments.noise,
        multimodal=arguments.multimodal,
    )
    sys.stdout.write(f'{len(paths)} episodes of {arguments.task} in {arguments.root}\n')
    return 0
