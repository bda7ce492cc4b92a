"""`ibc bags`: look at recorded episodes, check, repair and export them."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'bags', help='info, verify, repair or export recorded episodes', description=__doc__
    )
    actions = parser.add_subparsers(title='actions', metavar='ACTION', required=True)
    for name, run, text in (
        ('info', info, 'say what each episode holds'),
        ('verify', verify, 'read every message and check it; exit code 1 if one cannot be used'),
        ('repair', repair, 'save what truncated or damaged episodes still hold'),
        (
            'export',
            export,
            'pack what `ibc train` learns from into a few megabytes, to be carried to a machine '
            'with a GPU',
        ),
    ):
        action = actions.add_parser(name, help=text, description=text)
        action.add_argument('paths', nargs='+', type=Path, help='episodes, or folders of them')
        action.add_argument('--json', action='store_true', help='print JSON')
        action.set_defaults(run=run)
        if run is export:
            _add_export_options(action)


def _add_export_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--to', type=Path, required=True, metavar='FOLDER', help='new folder')
    parser.add_argument(
        '--contract', default='planar_rgb', help='what becomes of the bags (%(default)s)'
    )
    parser.add_argument('--failures', action='store_true', help='failed episodes too')
    parser.add_argument(
        '--leave-out-damaged',
        action='store_true',
        help='do without truncated and damaged bags instead of refusing them',
    )


def info(arguments: argparse.Namespace) -> int:
    """Print one line per episode, or everything as JSON; those that cannot be read go last."""
    from demo_recorder.summary import episode_summary
    from ibc_bringup.report import Table
    from ibc_contract.errors import IbcError

    summaries, unreadable = [], []
    for path in _episodes(arguments.paths):
        try:
            summaries.append(episode_summary(path))
        except IbcError as error:
            unreadable.append({'path': str(path), 'error': str(error)})
    if arguments.json:
        _print_json([*summaries, *unreadable])
        return 1 if unreadable else 0
    rows = [
        (
            summary['name'],
            summary['task'],
            summary['outcome'],
            f'{summary["duration_s"]:.1f}',
            str(summary['messages']),
            f'{summary["size_bytes"] / 1e6:.1f}',
            summary['source'],
        )
        for summary in summaries
    ]
    headers = ('episode', 'task', 'outcome', 'seconds', 'messages', 'MB', 'source')
    if rows:
        sys.stdout.write(Table(headers, rows).to_text())
    for entry in unreadable:
        sys.stderr.write(f'error: {entry["error"]}\n')
    return 1 if unreadable else 0


def verify(arguments: argparse.Namespace) -> int:
    """Check every episode; what is wrong goes to stdout, one line each."""
    from tqdm import tqdm

    from demo_recorder.verify import Severity, verify_episode

    paths = _episodes(arguments.paths)
    unusable = 0
    entries = []
    for path in tqdm(paths, desc='verify', unit='episode', disable=None):
        findings = verify_episode(path)
        unusable += any(finding.severity is Severity.ERROR for finding in findings)
        entries.append(
            {
                'path': str(path),
                'findings': [
                    {'severity': str(f.severity), 'code': f.code, 'message': f.message}
                    for f in findings
                ],
            }
        )
        if not arguments.json:
            for finding in findings:
                place = '' if str(path) in finding.message else f'{path}: '
                sys.stdout.write(f'{finding.severity}: {place}{finding.message}\n')
    if arguments.json:
        _print_json(entries)
    else:
        sys.stdout.write(f'{len(paths)} episodes, {unusable} cannot be used\n')
    return 1 if unusable else 0


def repair(arguments: argparse.Namespace) -> int:
    """Repair what is damaged in or below `paths`; one that cannot be does not keep the others."""
    from demo_recorder.repair import repair_episode
    from ibc_contract.episode_reader import EpisodeReader
    from ibc_contract.errors import IbcError

    entries: list[dict[str, Any]] = []
    failed = 0
    for damaged in _damaged(arguments.paths):
        try:
            repaired = repair_episode(damaged)
            info = EpisodeReader(repaired).info
        except IbcError as error:
            failed += 1
            entries.append({'path': str(damaged), 'error': str(error)})
            sys.stderr.write(f'error: {error}\n')
            continue
        entry = {'repaired': str(repaired), 'outcome': info.outcome, 'note': info.note}
        entries.append({'path': str(damaged), **entry})
        if not arguments.json:
            sys.stdout.write(f'{damaged} -> {repaired}: {info.outcome}; {info.note}\n')
    if arguments.json:
        _print_json(entries)
    elif not entries:
        sys.stdout.write('there is nothing to repair\n')
    return 1 if failed else 0


def export(arguments: argparse.Namespace) -> int:
    """Decode the episodes, pack them, say how large that is."""
    import tempfile

    from ibc_contract.contract import load_contract
    from implicit_bc.dataset_builder import BuildOptions, build_dataset
    from implicit_bc.dataset_export import export_dataset, require_new

    contract, target = load_contract(arguments.contract), arguments.to
    require_new(target)
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: the dataset takes a gigabyte, and /tmp is small on some machines.
    with tempfile.TemporaryDirectory(dir=target.absolute().parent) as scratch:
        dataset = build_dataset(
            arguments.paths,
            contract,
            Path(scratch) / 'dataset',
            BuildOptions(arguments.failures),
            leave_out_damaged=arguments.leave_out_damaged,
        )
        size = export_dataset(dataset, target)
    made = {
        'folder': str(target),
        'contract': contract.name,
        'episodes': len(dataset.meta.episodes),
        'left_out': dataset.meta.excluded,
        'steps': len(dataset),
        'size_bytes': size,
    }
    if arguments.json:
        sys.stdout.write(json.dumps(made) + '\n')
    else:
        sys.stdout.write(
            f'{made["episodes"]} episodes, {made["steps"]} steps, {size / 1e6:.1f} MB: '
            f'ibc train {target}\n'
        )
    return 0


def _damaged(paths: list[Path]) -> list[Path]:
    """Episodes in or below `paths` that are not sound."""
    from tqdm import tqdm

    from demo_recorder.repair import is_sound

    found = tqdm(_episodes(paths), desc='check', unit='episode', disable=None, leave=False)
    return [path for path in found if not is_sound(path)]


def _episodes(paths: list[Path]) -> list[Path]:
    """Episodes in or below `paths`, those that were never closed included."""
    from ibc_contract.episode_reader import find_episodes
    from ibc_contract.errors import BadEpisode

    found = []
    for path in paths:
        below = [*find_episodes(path), *_unclosed(path)]
        if not below and any(path.glob('*.mcap')):
            below = [path]
        if not below:
            raise BadEpisode(f'{path}: there are no episodes in this folder')
        found += below
    return found


def _unclosed(path: Path) -> list[Path]:
    from ibc_contract.episode_writer import PARTIAL

    if path.name.endswith(PARTIAL):
        return [path]
    return sorted(folder for folder in path.rglob(f'*{PARTIAL}') if folder.is_dir())


def _print_json(entries: list[dict[str, Any]]) -> None:
    sys.stdout.write(json.dumps(entries, indent=2) + '\n')
