"""`ibc bench inference`: one decision of the paper's real-robot network."""

import argparse
import json
import sys
from typing import Any

from ibc_bringup.commands.bench.options import add_decision_options
from ibc_bringup.options import whole


def add_parser(benchmarks: Any) -> None:
    """Add the benchmark to `benchmarks`."""
    parser = benchmarks.add_parser(
        'inference',
        help='time of one decision, against the direct formulation',
        description='Time of one decision from two 120x90 images, against the direct formulation: '
        'every evaluation encodes the image, concatenates features and action, and takes all '
        'candidates through all layers. Same weights, interleaved; ends with an error where the '
        'results differ.',
    )
    parser.add_argument(
        '--samples', type=whole(1), metavar='N', help="candidates per iteration (the preset's)"
    )
    add_decision_options(parser, rounds=200)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    from implicit_bc.benchmarks.inference import bench_inference
    from implicit_bc.threads import use_threads

    if arguments.threads:
        use_threads(arguments.threads)
    result = bench_inference(
        arguments.preset, arguments.samples, arguments.rounds, arguments.device, arguments.seed
    )
    if arguments.json:
        sys.stdout.write(json.dumps(result) + '\n')
        return 0
    sys.stdout.write(
        f'{result["preset"]}, {result["samples"]} candidates, {result["iterations"]} iterations, '
        f'{result["rounds"]} decisions on {result["device"]}\n'
        f'{"":<8}{"p50":>10}{"p99":>10}\n'
        f'{"direct":<8}{result["direct_p50_ms"]:>7.1f} ms{result["direct_p99_ms"]:>7.1f} ms\n'
        f'{"here":<8}{result["p50_ms"]:>7.1f} ms{result["p99_ms"]:>7.1f} ms   '
        f'{result["speedup"]:.2f} times faster\n'
        f'with the image encoded once, direct takes {result["late_fusion_p50_ms"]:.1f} ms: '
        f'{result["late_fusion_speedup"]:.2f} times faster\n'
    )
    return 0
