"""`ibc study`: the simulated studies of the paper, trained here."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ibc_bringup.options import whole

PRESETS = ('quick', 'paper')
_STARTED = time.monotonic()


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'study',
        help='reproduce a study of the paper without a robot',
        description='Reproduce a study of the paper without a robot: demonstrations, training, '
        'evaluation, a table.',
    )
    studies = parser.add_subparsers(title='studies', metavar='STUDY', required=True)
    _add_functions(studies)
    _add_coordinates(studies)
    particle = _add_study(studies, 'particle', 'a particle led to two goals (Fig. 6)', _particle)
    particle.add_argument(
        '--dims', type=whole(1, 32), default=2, metavar='N', help='dimensions (%(default)s)'
    )
    pushing = _add_study(
        studies, 'pushing-states', 'pushing a block, from its pose (Table 3)', _pushing
    )
    pushing.add_argument(
        '--task', choices=('single', 'multi'), default='single', help='targets (%(default)s)'
    )
    pushing.add_argument(
        '--form',
        choices=('fixed', 'faithful'),
        default='fixed',
        help='without or with the bugs of the released environment (%(default)s)',
    )


def _add_functions(studies: Any) -> None:
    what = 'functions with jumps and with several answers (Figs 2 and 3)'
    parser = studies.add_parser('functions', help=what, description=f'Study of {what}.')
    parser.add_argument('--seed', type=whole(0), default=0, metavar='N', help='(%(default)s)')
    parser.add_argument(
        '--folder',
        type=Path,
        default=Path('runs/study-functions'),
        help='runs and tables go here (%(default)s)',
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.set_defaults(run=_functions)


def _add_coordinates(studies: Any) -> None:
    what = 'finding a dot in an image, by the number of training images (Fig. 4)'
    parser = studies.add_parser('coordinates', help=what, description=f'Study of {what}.')
    parser.add_argument(
        '--seeds', type=whole(1), default=1, metavar='N', help='training runs (%(default)s)'
    )
    parser.add_argument(
        '--folder',
        type=Path,
        default=Path('runs/study-coordinates'),
        help='runs and tables go here (%(default)s); again: goes on',
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.set_defaults(run=_coordinates)


def _add_study(
    studies: Any, name: str, what: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    parser = studies.add_parser(name, help=what, description=f'Study of {what}.')
    parser.add_argument(
        '--preset',
        choices=PRESETS,
        default='quick',
        help='minutes on a CPU, or as in the paper (%(default)s)',
    )
    parser.add_argument(
        '--seeds', type=whole(1), default=1, metavar='N', help='training runs (%(default)s)'
    )
    parser.add_argument(
        '--episodes',
        type=whole(1),
        default=100,
        metavar='N',
        help='episodes to judge each run by (%(default)s)',
    )
    parser.add_argument(
        '--folder', type=Path, help='runs and tables go here (runs/study-...); again: goes on'
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.set_defaults(run=run)
    return parser


def _functions(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ibc_studies.comparison import write_csv
    from ibc_studies.figures import draw_functions
    from ibc_studies.functions_study import study_functions
    from ibc_studies.preset import load_preset

    folder = arguments.folder
    answers = study_functions(load_preset('functions', 'quick'), arguments.seed, folder)
    rows = [answer.row for answer in answers]
    write_csv(rows, folder / 'results.csv')
    draw_functions(answers, folder / 'functions.png')
    if arguments.json:
        result = {'study': 'functions', 'seed': arguments.seed, 'rows': [asdict(r) for r in rows]}
        sys.stdout.write(json.dumps(result) + '\n')
        return 0
    lines = [f'{"function":<12} {"policy":<20} {"valid":>7} {"worst":>7} {"covered":>8}']
    lines += [
        f'{r.function:<12} {r.policy:<20} {r.valid:>7.1%} {r.worst:>7.3f} {r.covered:>8.1%}'
        for r in rows
    ]
    sys.stdout.write('\n'.join(lines) + f'\n{folder / "functions.png"}\n')
    return 0


def _coordinates(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ibc_studies.comparison import write_csv
    from ibc_studies.coordinates_study import PAPER, study_coordinates
    from ibc_studies.figures import draw_coordinates
    from ibc_studies.preset import load_preset

    folder = arguments.folder
    compared = study_coordinates(
        load_preset('coordinates', 'quick'), range(arguments.seeds), folder
    )
    write_csv(compared.rows, folder / 'results.csv')
    draw_coordinates(compared.rows, compared.shown, folder / 'coordinates.png')
    result = {
        'study': 'coordinates',
        'folder': str(folder),
        'paper': PAPER,
        'error_ratio': compared.ratios(),
        **_cost(),
        'rows': [asdict(row) for row in compared.rows],
    }
    (folder / 'results.json').write_text(json.dumps(result, indent=1) + '\n')
    if arguments.json:
        sys.stdout.write(json.dumps(result) + '\n')
        return 0
    names = ('error px^2', 'inside', 'outside', 'worst px')
    lines = [f'{"policy":<20} {"images":>6} ' + ' '.join(f'{name:>10}' for name in names)]
    lines += [
        f'{r.policy:<20} {r.images:>6} {r.error:>10.3f} {r.inside:>10.3f} {r.outside:>10.3f} '
        f'{r.worst:>10.1f}'
        for r in compared.rows
    ]
    lines += [f'{count} images: {x:.0f} times below' for count, x in compared.ratios().items()]
    sys.stdout.write('\n'.join(lines) + f'\npaper: {PAPER}\n{folder / "coordinates.png"}\n')
    return 0


def _particle(arguments: argparse.Namespace) -> int:
    from ibc_studies.particle_study import PAPER, study_particle
    from ibc_studies.preset import load_preset

    preset = load_preset('particle', arguments.preset)
    name = f'particle-{arguments.dims}d-{arguments.preset}'
    study = partial(study_particle, arguments.dims, preset)
    return _run(arguments, name, study, PAPER, dims=arguments.dims)


def _pushing(arguments: argparse.Namespace) -> int:
    from ibc_studies.preset import load_preset
    from ibc_studies.pushing import PushingConfig
    from ibc_studies.pushing_study import PAPER, study_pushing

    preset = load_preset('pushing', arguments.preset)
    config = PushingConfig(task=arguments.task, form=arguments.form)
    name = f'pushing-{arguments.task}-{arguments.form}-{arguments.preset}'
    paper = PAPER[arguments.task]
    study = partial(study_pushing, config, preset)
    return _run(arguments, name, study, paper, task=arguments.task, form=arguments.form)


def _run(
    arguments: argparse.Namespace,
    name: str,
    study: Callable[[Sequence[int], int, Path], Any],
    paper: str,
    **facts: Any,
) -> int:
    from ibc_studies.comparison import as_json, write_csv
    from ibc_studies.figures import draw_success

    folder = arguments.folder or Path('runs') / f'study-{name}'
    rows = study(range(arguments.seeds), arguments.episodes, folder)
    facts |= _cost()
    write_csv(rows, folder / 'results.csv')
    draw_success(rows, paper, folder / 'success.png')
    result = as_json(rows, study=name, folder=str(folder), paper=paper, **facts)
    (folder / 'results.json').write_text(json.dumps(result, indent=1) + '\n')
    if arguments.json:
        sys.stdout.write(json.dumps(result) + '\n')
        return 0
    sys.stdout.write(_table(rows) + f'\npaper: {paper}\n{folder / "results.csv"}\n')
    return 0


def _cost() -> dict[str, float]:
    """What this process and its workers have taken so far; CPU time tells more on shared cores."""
    times = os.times()
    cpu = times.user + times.system + times.children_user + times.children_system
    return {'elapsed_s': round(time.monotonic() - _STARTED, 1), 'cpu_s': round(cpu, 1)}


def _table(rows: Sequence[Any]) -> str:
    lines = [f'{"policy":<20} {"success":>8}  {"95 % interval":<14} {"episodes":>8} {"train s":>8}']
    for row in rows:
        low, high = row.wilson95
        lines.append(
            f'{row.policy:<20} {row.success_rate:>8.1%}  [{low:.3f}, {high:.3f}] '
            f'{row.episodes:>8} {row.seconds:>8.0f}'
        )
    return '\n'.join(lines)
