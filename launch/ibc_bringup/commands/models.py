"""`ibc models`: which trained bundles there are."""

import argparse
import dataclasses
import json
import sys
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser('models', help='list trained bundles', description=__doc__)
    actions = parser.add_subparsers(title='actions', metavar='ACTION', required=True)
    listing = actions.add_parser('list', help='name, task and measured success rate of each')
    listing.add_argument('--json', action='store_true', help='print one JSON list')
    listing.set_defaults(run=run)


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
