"""`ibc bench driver`: how well the driver keeps its deadlines beside the whole twin stack."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ibc_bringup.options import number


def add_parser(benchmarks: Any) -> None:
    """Add the benchmark to `benchmarks`."""
    parser = benchmarks.add_parser(
        'driver',
        help='lateness of the 100 Hz driver beside twin, camera and policy',
        description='Lateness of the driver, 100 Hz, while twin, camera and policy run beside it '
        'and the policy moves the arm: how late ticks begin, and how long a command takes until '
        'the emulated controller has acknowledged joint positions that include it.',
    )
    parser.add_argument(
        '--seconds',
        type=number(1, 3600),
        default=60.0,
        metavar='S',
        help='time measured, from the first command on [s] (60)',
    )
    parser.add_argument('--model', help='name or folder (the one with the best success rate)')
    parser.add_argument('--folder', type=Path, help='where the log goes (runs/bench-driver-...)')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print."""
    import time

    from ibc_bringup.driver_benchmark import bench_driver

    folder = arguments.folder or Path('runs') / time.strftime('bench-driver-%Y%m%d-%H%M%S')
    result = bench_driver(folder, arguments.seconds, arguments.model)
    if arguments.json:
        sys.stdout.write(json.dumps(result) + '\n')
        return 0
    sys.stdout.write(
        f'{result["ticks"]} ticks on {result["device"]}; SCHED_FIFO {result["realtime_priority"]}\n'
        f'a tick begins {result["tick_p50_ms"]:.2f} ms after its deadline (p50), '
        f'{result["tick_p99_ms"]:.2f} (p99), {result["tick_max_ms"]:.2f} (max); '
        f'{result["late_ticks"]} late\n'
        f'command to wire: {result["command_to_wire_p50_ms"]:.1f} ms (p50), '
        f'{result["command_to_wire_p99_ms"]:.1f} (p99), {result["commands"]} commands\n'
    )
    return 0
