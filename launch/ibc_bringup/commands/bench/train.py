"""`ibc bench train`: one training step at the paper's settings."""

import argparse
import json
import sys
from typing import Any

from ibc_bringup.commands.bench.options import add_common_options
from ibc_bringup.options import whole


def add_parser(benchmarks: Any) -> None:
    """Add the benchmark to `benchmarks`."""
    parser = benchmarks.add_parser(
        'train',
        help='time of a training step, against a plain eager implementation',
        description='Time of a training step of paper D.2 (states) and D.5 (pixels), against a '
        'plain eager implementation: whole batch, all layers for all candidates. Same weights, '
        'interleaved; ends with an error where the gradients differ.',
    )
    parser.add_argument(
        '--rounds', type=whole(1), default=5, metavar='N', help='steps timed (%(default)s)'
    )
    parser.add_argument(
        '--growth', action='store_true', help='instead: time and memory against the size of a step'
    )
    add_common_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from implicit_bc.benchmarks.training import bench_training
    from implicit_bc.threads import use_threads

    if arguments.threads:
        use_threads(arguments.threads)
    if arguments.growth:
        return _growth(arguments)
    result = bench_training(arguments.rounds, arguments.device, arguments.seed)
    if arguments.json:
        sys.stdout.write(json.dumps(result) + '\n')
        return 0
    sys.stdout.write(f'{result["rounds"]} steps on {result["device"]}\n')
    for name in ('states', 'pixels'):
        of = result[name]
        sys.stdout.write(
            f'{name:<8}{of["batch"]} x {1 + of["negatives"]} candidates: '
            f'{of["steps_per_s"]:.3f} steps/s, plain {of["plain_steps_per_s"]:.3f}; '
            f'{of["speedup"]:.2f} times faster\n'
        )
    return 0


def _growth(arguments: argparse.Namespace) -> int:
    from implicit_bc.benchmarks.growth import bench_growth

    rows = bench_growth(device=arguments.device, seed=arguments.seed)
    if arguments.json:
        sys.stdout.write(json.dumps({'benchmark': 'train-growth', 'sizes': rows}) + '\n')
        return 0
    sys.stdout.write(f'{"candidates":>12}{"CPU":>9}{"peak":>9}{"plain":>9}{"peak":>9}\n')
    for row in rows:
        here, plain = row['here'], row['plain']
        sys.stdout.write(
            f'{row["batch"]} x {1 + row["negatives"]:<4}'.rjust(12)
            + f'{here["cpu_s"]:>7.2f} s{here["peak_mb"]:>6.0f} MB'
            f'{plain["cpu_s"]:>7.2f} s{plain["peak_mb"]:>6.0f} MB\n'
        )
    return 0
