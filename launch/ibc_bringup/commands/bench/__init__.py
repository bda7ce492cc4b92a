"""`ibc bench`: how fast this machine is; one module per benchmark, with `add_parser`."""

from typing import Any

from ibc_bringup.commands.bench import candidates, driver, inference, train

ALL = (inference, candidates, train, driver)


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'bench',
        help='measure the speed of a part on this machine',
        description='Measure the speed of a part on this machine; docs/benchmarks.md has figures.',
    )
    benchmarks = parser.add_subparsers(title='benchmarks', metavar='BENCHMARK', required=True)
    for module in ALL:
        module.add_parser(benchmarks)
