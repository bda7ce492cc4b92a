"""Options that benchmarks of networks have in common."""

import argparse

from ibc_bringup.options import whole

PRESETS = ('real_push', 'real_insert')


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add from which seed and where a benchmark runs, and how it answers."""
    parser.add_argument(
        '--seed', type=whole(0), default=0, metavar='N', help='of weights and draws (%(default)s)'
    )
    parser.add_argument(
        '--threads', type=whole(0), default=0, metavar='N', help="CPU threads (0: PyTorch's choice)"
    )
    parser.add_argument('--device', default='cpu', help='cpu, cuda, cuda:1 (%(default)s)')
    parser.add_argument('--json', action='store_true', help='print one JSON object')


def add_decision_options(parser: argparse.ArgumentParser, rounds: int) -> None:
    """Add what is decided and how often; and the common options."""
    parser.add_argument(
        '--preset', choices=PRESETS, default='real_push', help='of paper D.5 (%(default)s)'
    )
    parser.add_argument(
        '--rounds',
        type=whole(2),
        default=rounds,
        metavar='N',
        help='decisions timed of each kind (%(default)s)',
    )
    add_common_options(parser)
