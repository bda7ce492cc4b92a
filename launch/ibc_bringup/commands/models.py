"""`ibc models`: which trained bundles there are, and what they do."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from ibc_bringup.options import whole


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser('models', help='list trained bundles', description=__doc__)
    actions = parser.add_subparsers(title='actions', metavar='ACTION', required=True)
    listing = actions.add_parser('list', help='name, task and measured success rate of each')
    listing.add_argument('--json', action='store_true', help='print one JSON list')
    listing.set_defaults(run=run)
    report = actions.add_parser(
        'report',
        help='one HTML page: what each was measured to do, and a film of each at work',
        description='Run models in the twin, film them, and write a page with what was measured.',
    )
    report.add_argument('models', nargs='*', metavar='MODEL', help='names or folders (all)')
    report.add_argument(
        '--episodes', type=whole(1), default=1, metavar='N', help='films of each (%(default)s)'
    )
    report.add_argument(
        '--seed', type=whole(0), default=0, metavar='N', help='first layout (%(default)s)'
    )
    report.add_argument(
        '--workers', type=whole(0), default=0, metavar='N', help='processes (0: one per core)'
    )
    report.add_argument('--folder', type=Path, help='where it goes (runs/models-TIME)')
    report.set_defaults(run=show)


def run(arguments: argparse.Namespace) -> int:
    """Print one line per bundle."""
    from ibc_bringup.bundles import list_cards
    from ibc_bringup.report import Table

    cards = list_cards()
    if arguments.json:
        entries = [{**dataclasses.asdict(card), 'path': str(card.path)} for card in cards]
        sys.stdout.write(json.dumps(entries, indent=2) + '\n')
        return 0
    rows = [(card.name, ', '.join(card.tasks), card.success_text, str(card.path)) for card in cards]
    sys.stdout.write(Table(('name', 'task', 'success', 'folder'), rows).to_text())
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Film models and write the page."""
    import os
    import time

    from ibc_bringup.bundles import list_cards, read_card
    from ibc_bringup.models_report import write_models_report
    from xarm_twin.tasks import TASK_NAMES

    named = [read_card(name) for name in arguments.models]
    cards = named or [card for card in list_cards() if set(card.tasks) & set(TASK_NAMES)]
    folder = arguments.folder or Path('runs') / time.strftime('models-%Y%m%d-%H%M%S')
    workers = arguments.workers or os.cpu_count() or 1
    page = write_models_report(cards, folder, arguments.seed, arguments.episodes, workers)
    sys.stdout.write(f'{page}\n')
    return 0
