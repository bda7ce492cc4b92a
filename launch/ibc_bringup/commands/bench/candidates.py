"""`ibc bench candidates`: how a decision grows with the number of candidates."""

import argparse
import json
import sys
from typing import Any

from ibc_bringup.commands.bench.options import add_decision_options
from ibc_bringup.options import whole

COUNTS = (256, 512, 1024, 2048, 4096, 8192, 16384)


def add_parser(benchmarks: Any) -> None:
    """Add the benchmark to `benchmarks`."""
    parser = benchmarks.add_parser(
        'candidates',
        help='time and memory of a decision over the number of candidates',
        description='Time and memory of a decision over the number of candidates, against the '
        'direct formulation.',
    )
    parser.add_argument(
        '--samples',
        type=whole(1),
        nargs='+',
        default=COUNTS,
        metavar='N',
        help=f'candidates per iteration ({" ".join(map(str, COUNTS))})',
    )
    add_decision_options(parser, rounds=20)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from implicit_bc.benchmarks.candidates import bench_candidates
    from implicit_bc.threads import use_threads

    if arguments.threads:
        use_threads(arguments.threads)
    result = bench_candidates(
        arguments.preset, arguments.samples, arguments.rounds, arguments.device, arguments.seed
    )
    if arguments.json:
        sys.stdout.write(json.dumps(result) + '\n')
        return 0
    lines = [f'{result["preset"]} on {result["device"]}; time p50, memory at its peak']
    lines += [f'{"candidates":>10}{"here":>22}{"direct":>22}']
    for row in result['curve']:
        here = _cell(row['p50_ms'], row['peak_mb'])
        direct = _cell(row['direct_p50_ms'], row['direct_peak_mb'])
        lines.append(f'{row["samples"]:>10}{here:>22}{direct:>22}')
    sys.stdout.write('\n'.join(lines) + '\n')
    return 0


def _cell(milliseconds: float, megabytes: float | None) -> str:
    memory = '' if megabytes is None else f'{megabytes:>6.0f} MB'
    return f'{milliseconds:.1f} ms {memory}'
