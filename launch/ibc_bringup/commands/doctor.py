"""`ibc doctor`: say what this machine lacks."""

import argparse
import dataclasses
import json
import sys
from typing import Any

COLOURS = {'ok': 32, 'warn': 33, 'fail': 31}


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'doctor',
        help='check this machine: Python, libraries, ROS, renderer, ports, camera, models',
        description='Check this machine; exit code 1 if something that every run needs is missing.',
    )
    parser.add_argument('--json', action='store_true', help='print one JSON list')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the checks and print them as they finish."""
    from ibc_bringup.checks import run_checks

    findings = []
    for finding in run_checks():
        findings.append(finding)
        if not arguments.json:
            mark = finding.status
            if sys.stdout.isatty():
                mark = f'\033[{COLOURS[mark]}m{mark}\033[0m' + ' ' * (4 - len(mark))
            remedy = f'  -> {finding.remedy}' if finding.remedy else ''
            sys.stdout.write(f'{mark:<5}{finding.name:<20}{finding.detail}{remedy}\n')
            sys.stdout.flush()
    if arguments.json:
        json.dump([dataclasses.asdict(finding) for finding in findings], sys.stdout, indent=2)
        sys.stdout.write('\n')
    else:
        sys.stdout.write(f'\n{_verdict([finding.status for finding in findings])}\n')
    return 1 if any(finding.status == 'fail' for finding in findings) else 0


def _verdict(statuses: list[str]) -> str:
    failed, warned = statuses.count('fail'), statuses.count('warn')
    if failed:
        return f'{failed} failed: mend from the top, each -> says how.'
    if warned:
        return f'Ready for the twin. {warned} to know about (warn): only what it names is affected.'
    return 'Ready.'
