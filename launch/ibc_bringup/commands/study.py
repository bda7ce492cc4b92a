"""`ibc study`: the simulated studies of the paper, trained here."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ibc_bringup.options import OneOf, add_set_option, overrides_of, whole
from ibc_bringup.study_results import table, tell, times
from ibc_contract.errors import IbcError

FUNCTIONS_PNG, COORDINATES_PNG, SUCCESS_PNG = 'functions.png', 'coordinates.png', 'success.png'


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'study',
        help='reproduce a study of the paper without a robot',
        description='Reproduce a study of the paper without a robot: demonstrations, training, '
        'evaluation, a table.',
    )
    studies = parser.add_subparsers(title='studies', metavar='STUDY', required=True)
    _add_study(studies, 'functions', 'functions with jumps and with several answers (Figs 2 and 3)')
    # Ten images lie more or less well: with one seed the figure would hang on them.
    _add_study(studies, 'coordinates', 'finding a dot, by images to learn from (Fig. 4)', (0, 1, 2))
    particle = _add_study(
        studies,
        'particle',
        'a particle led to two goals (Fig. 6)',
        presets='quick: minutes on a CPU; long: an hour, for more than two dimensions',
    )
    _add_episodes(particle)
    # They cost seconds here, and in 100 of them policies that differ by a tenth look alike.
    particle.set_defaults(episodes=500)
    particle.add_argument(
        '--dims',
        type=whole(1, 32),
        nargs='+',
        default=[2],
        metavar='N',
        help='dimensions; several: success over their number (2)',
    )
    _add_pushing(_add_study(studies, 'pushing-states', 'pushing a block, from its pose (Table 3)'))
    pixels = _add_study(studies, 'pushing-pixels', 'pushing a block, seen by a camera (Table 3)')
    _add_pushing(pixels)
    pixels.add_argument(
        '--model',
        metavar='MODEL',
        help='train nothing, and judge this bundle, run or name of a model by --episodes',
    )
    pixels.add_argument(
        '--save', action='store_true', help='with --model: note the result in the model card'
    )


def _add_pushing(parser: argparse.ArgumentParser) -> None:
    _add_episodes(parser)
    parser.add_argument(
        '--task', choices=('single', 'multi'), default='single', help='targets (%(default)s)'
    )
    parser.add_argument(
        '--form',
        choices=('fixed', 'faithful'),
        default='fixed',
        help='without or with the bugs of the released environment (%(default)s)',
    )


def _add_study(
    studies: Any,
    name: str,
    what: str,
    seeds: Sequence[int] = (0,),
    presets: str = 'quick: minutes on a CPU',
) -> argparse.ArgumentParser:
    parser = studies.add_parser(name, help=what, description=f'Study of {what}.')
    parser.add_argument(
        '--preset',
        action=OneOf,
        names=partial(_presets, _STUDIES[name][1]),
        default='quick',
        help=f'preset or YAML file ({presets})',
    )
    add_set_option(parser, 'demonstrations=500 or policies.mean_squared_error.steps=2000')
    parser.add_argument(
        '--seeds',
        type=whole(0),
        nargs='+',
        default=list(seeds),
        metavar='N',
        help=f'train once with each of them ({" ".join(map(str, seeds))})',
    )
    parser.add_argument(
        '--folder', type=Path, help='runs and tables go here (runs/study-...); again: goes on'
    )
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.set_defaults(run=_run, study=name)
    return parser


def _add_episodes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--episodes',
        type=whole(1),
        default=100,
        metavar='N',
        help='episodes to judge each training run by (%(default)s)',
    )


def _run(arguments: argparse.Namespace) -> int:
    """Run the study that was asked for; the same command goes on where it was interrupted."""
    from implicit_bc.training.trainer import TrainingInterrupted

    seeds = arguments.seeds
    if twice := [seed for seed in seeds if seeds.count(seed) > 1]:
        raise IbcError(f'--seeds names {twice[0]} twice, which would count its episodes twice')
    study, _ = _STUDIES[arguments.study]
    try:
        return study(arguments)
    except TrainingInterrupted as stopped:
        sys.stderr.write(f'{stopped}; go on with: {arguments.typed}\n')
    except KeyboardInterrupt:
        if vars(arguments).get('model'):  # nothing is kept to go on from
            raise
        sys.stderr.write(f'stopped; go on with: {arguments.typed}\n')
    return 130


def _presets(family: str) -> list[str]:
    from ibc_studies.preset_files import study_presets

    return study_presets(family)


def _preset(arguments: argparse.Namespace) -> Any:
    """Load what `--preset` and `--set` say."""
    from ibc_studies.preset import load_preset

    _, family = _STUDIES[arguments.study]
    return load_preset(family, arguments.preset, overrides_of(arguments.overrides))


def _folder(arguments: argparse.Namespace, name: str) -> Path:
    return arguments.folder or Path('runs') / f'study-{name}'


def _short(preset: str) -> str:
    """Name of a preset, or of its file."""
    path = Path(preset)
    return path.stem if path.suffix in ('.yaml', '.yml') else preset


def _functions(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ibc_studies.comparison import write_csv
    from ibc_studies.figures import draw_functions
    from ibc_studies.functions_study import study_functions

    folder = _folder(arguments, f'functions-{_short(arguments.preset)}')
    preset = _preset(arguments)
    answers = study_functions(preset, arguments.seeds, folder)
    rows = [answer.row for answer in answers]
    columns = [asdict(row) for row in rows]
    write_csv(columns, folder / 'results.csv')
    first = [answer for answer in answers if answer.row.seed == arguments.seeds[0]]
    draw_functions(first, folder / FUNCTIONS_PNG)
    lines = [
        f'{"function":<12} {"policy":<20} {"seed":>4} {"valid":>7} {"worst":>7} {"covered":>8} '
        f'{"beside":>7}'
    ]
    lines += [
        f'{r.function:<12} {r.policy:<20} {r.seed:>4} {r.valid:>7.1%} {r.worst:>7.3f} '
        f'{r.covered:>8.1%} ' + ('' if r.beside is None else f'{r.beside:>7.1%}')
        for r in rows
    ]
    lines += [
        'beside: of the answers beside the data, those where the nearest piece goes on straight'
    ]
    result = {'study': 'functions', 'rows': columns}
    return tell(arguments, folder, result, [*lines, str(folder / FUNCTIONS_PNG)])


def _coordinates(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ibc_studies.comparison import write_csv
    from ibc_studies.coordinates_study import PAPER, study_coordinates
    from ibc_studies.figures import draw_coordinates

    folder = _folder(arguments, f'coordinates-{_short(arguments.preset)}')
    preset = _preset(arguments)
    compared = study_coordinates(preset, arguments.seeds, folder)
    rows = [asdict(row) for row in compared.rows]
    write_csv(rows, folder / 'results.csv')
    draw_coordinates(compared.rows, compared.shown, folder / COORDINATES_PNG)
    names = ('error px^2', 'inside', 'outside', 'worst px')
    lines = [f'{"policy":<20} {"images":>6} ' + ' '.join(f'{name:>10}' for name in names)]
    lines += [
        f'{r.policy:<20} {r.images:>6} {r.error:>10.3f} {r.inside:>10.3f} {r.outside:>10.3f} '
        f'{r.worst:>10.1f}'
        for r in compared.rows
    ]
    lines += [times(count, ratio) for count, ratio in compared.ratios().items()]
    result = {
        'study': 'coordinates',
        'paper': PAPER,
        'error_ratio': compared.ratios(),
        'rows': rows,
    }
    lines += [f'paper: {PAPER}', str(folder / COORDINATES_PNG)]
    return tell(arguments, folder, result, lines)


def _particle(arguments: argparse.Namespace) -> int:
    from dataclasses import asdict

    from ibc_studies.comparison import as_json, write_csv
    from ibc_studies.figures import draw_success, draw_success_by_dims
    from ibc_studies.particle_study import PAPER, study_particle

    preset = _preset(arguments)
    name = f'particle-{_short(arguments.preset)}'
    folder = _folder(arguments, name)
    by_dims = {
        dims: study_particle(dims, preset, arguments.seeds, arguments.episodes, folder / f'{dims}d')
        for dims in sorted(set(arguments.dims))
    }
    columns = [{'dims': dims, **asdict(row)} for dims, rows in by_dims.items() for row in rows]
    write_csv(columns, folder / 'results.csv')
    figure, facts = folder / SUCCESS_PNG, {'study': name, 'paper': PAPER}
    if len(by_dims) == 1:
        ((dims, rows),) = by_dims.items()
        draw_success(rows, PAPER, figure)
        result, lines = as_json(rows, **facts, dims=dims), table(rows)
    else:
        draw_success_by_dims(by_dims, PAPER, figure)
        result = {**facts, 'dims': {dims: as_json(rows) for dims, rows in by_dims.items()}}
        lines = [line for dims, rows in by_dims.items() for line in (f'{dims}:', *table(rows))]
    return tell(arguments, folder, result, [*lines, f'paper: {PAPER}', str(figure)])


def _pushing(arguments: argparse.Namespace) -> int:
    from ibc_studies.pushing import PushingConfig
    from ibc_studies.pushing_study import PAPER, study_pushing

    preset = _preset(arguments)
    config = PushingConfig(task=arguments.task, form=arguments.form)
    name = f'pushing-{arguments.task}-{arguments.form}-{_short(arguments.preset)}'
    study = partial(study_pushing, config, preset)
    facts = {'task': arguments.task, 'form': arguments.form}
    return _compared(arguments, name, study, PAPER[arguments.task], **facts)


def _pushing_pixels(arguments: argparse.Namespace) -> int:
    from ibc_studies.pushing import PushingConfig
    from ibc_studies.pushing_pixels_study import PAPER, study_pushing_pixels

    config = PushingConfig(task=arguments.task, form=arguments.form)
    if arguments.model is not None:
        return _pushing_model(arguments, config)
    if arguments.save:
        raise IbcError('--save notes what a trained model does: add --model MODEL')
    preset = _preset(arguments)
    name = f'pushing-pixels-{arguments.task}-{arguments.form}-{_short(arguments.preset)}'
    study = partial(study_pushing_pixels, config, preset)
    facts = {'task': arguments.task, 'form': arguments.form}
    return _compared(arguments, name, study, PAPER[arguments.task], **facts)


def _pushing_model(arguments: argparse.Namespace, config: Any) -> int:
    from ibc_studies.pushing_pixels_study import PAPER, measure_model
    from implicit_bc.bundle_files import bundle_name, find_bundle

    path = find_bundle(arguments.model)
    workers = min(os.cpu_count() or 1, arguments.episodes)
    summary = measure_model(
        path, config, arguments.episodes, workers=workers, save=arguments.save
    ).to_dict()
    name = f'pushing-pixels-{arguments.task}-{arguments.form}'
    folder = _folder(arguments, f'{name}-{bundle_name(path)}')
    folder.mkdir(parents=True, exist_ok=True)
    low, high = summary['wilson95']
    paper = PAPER[arguments.task]
    facts = {'study': name, 'model': str(path), 'paper': paper}
    facts |= {'task': arguments.task, 'form': arguments.form}
    line = f'{bundle_name(path)}: {summary["success_rate"]:.1%} [{low:.3f}, {high:.3f}] '
    line += f'of {summary["episodes"]} episodes'
    failures = [f'{count}: {what}' for what, count in summary['failures'].items()]
    return tell(arguments, folder, {**facts, **summary}, [line, *failures, f'paper: {paper}'])


def _compared(
    arguments: argparse.Namespace,
    name: str,
    study: Callable[[Sequence[int], int, Path], Any],
    paper: str,
    **facts: Any,
) -> int:
    from dataclasses import asdict

    from ibc_studies.comparison import as_json, write_csv
    from ibc_studies.figures import draw_success

    folder = _folder(arguments, name)
    rows = study(arguments.seeds, arguments.episodes, folder)
    write_csv([asdict(row) for row in rows], folder / 'results.csv')
    draw_success(rows, paper, folder / SUCCESS_PNG)
    result = as_json(rows, study=name, paper=paper, **facts)
    return tell(
        arguments, folder, result, [*table(rows), f'paper: {paper}', str(folder / SUCCESS_PNG)]
    )


_STUDIES: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    'functions': (_functions, 'functions'),
    'coordinates': (_coordinates, 'coordinates'),
    'particle': (_particle, 'particle'),
    'pushing-states': (_pushing, 'pushing'),
    'pushing-pixels': (_pushing_pixels, 'pixels'),
}
"""What runs each study, and what its presets are called after."""
