"""`ibc train`: bags in, model bundle out."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ibc_bringup.options import OneOf, add_set_option, overrides_of, whole
from implicit_bc.preset_files import paper_preset_names, preset_names

PRESET = 'cpu_small'


def add_parser(subparsers: Any) -> None:
    """Add the command to `subparsers`."""
    parser = subparsers.add_parser(
        'train',
        help='train a policy from bags',
        description='Train a policy from bags (or from a dataset cache) and write a model bundle.',
    )
    parser.add_argument('data', nargs='*', type=Path, help='folders of bags, or a dataset cache')
    parser.add_argument(
        '--run', dest='folder', type=Path, help='folder of the run (runs/train-DATE-TIME)'
    )
    parser.add_argument(
        '--preset',
        action=OneOf,
        names=lambda: (*preset_names(), *paper_preset_names()),
        help=f'preset or YAML file ({PRESET})',
    )
    parser.add_argument(
        '--init',
        metavar='MODEL',
        help='fine-tune this model: begin with its network, weights and normalizers',
    )
    add_set_option(parser, 'learning_rate.initial=3e-4')
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument(
        '--seed', type=whole(0), metavar='N', help="seed of everything random (the preset's: 0)"
    )
    seeds.add_argument(
        '--seeds', type=whole(0), nargs='+', metavar='N', help='train once with each of them'
    )
    parser.add_argument(
        '--steps', type=whole(1), metavar='N', help="optimizer steps (the preset's)"
    )
    parser.add_argument('--failures', action='store_true', help='learn from failed episodes too')
    parser.add_argument(
        '--leave-out-damaged',
        action='store_true',
        help='train without truncated and damaged bags instead of refusing them',
    )
    parser.add_argument('--resume', type=Path, metavar='RUN', help='go on with an interrupted run')
    parser.add_argument('--bundle', type=Path, help='copy the bundle here, such as models/NAME')
    parser.add_argument('--json', action='store_true', help='print one JSON object at the end')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train or resume, then say where the bundle is, or how the seeds differ."""
    from ibc_bringup.seed_runs import SeedRuns
    from ibc_contract.errors import IbcError
    from implicit_bc.training.processes import joined_processes
    from implicit_bc.training.trainer import TrainingInterrupted

    bundle = arguments.bundle
    if bundle and bundle.exists() and not bundle.is_dir():
        raise IbcError(f'--bundle {bundle} is a file: name a folder, such as models/NAME')
    with joined_processes() as processes:
        training = _begun_run(arguments, processes)
        try:
            if isinstance(training, SeedRuns):
                _train_seeds(training, arguments)
            else:
                _train_one(training, arguments, processes)
        except TrainingInterrupted as stopped:
            if processes.is_first:
                sys.stderr.write(f'{stopped}; go on with: ibc train --resume {training.folder}\n')
            return 130
    return 0


def _begun_run(arguments: argparse.Namespace, processes: Any) -> Any:
    """Return the run to train; of several processes the first one begins it, for all."""
    import logging

    from ibc_bringup.training_run import open_run
    from ibc_contract.errors import IbcError

    begin = _resumed_run if arguments.resume else _new_run
    if processes.count == 1:
        return begin(arguments)
    folder = arguments.resume or arguments.folder
    if folder is None or arguments.seeds is not None or any(folder.glob('seed-*')):
        raise IbcError(
            'under torchrun, train a single run in a folder of your choice: --run FOLDER'
        )
    if processes.is_first:
        begin(arguments)
    else:
        logging.disable(logging.WARNING)  # the first one says it
    processes.wait()
    return open_run(folder)


def _train_one(training: Any, arguments: argparse.Namespace, processes: Any) -> None:
    import json
    import shutil

    from implicit_bc.bundle_files import read_description

    if arguments.bundle:
        arguments.bundle.mkdir(parents=True, exist_ok=True)  # not after hours of training
    bundle = training.train(arguments.resume is not None, processes)
    if not processes.is_first:
        return
    if arguments.bundle:
        bundle = Path(shutil.copytree(bundle, arguments.bundle, dirs_exist_ok=True))
    if arguments.json:
        made = read_description(bundle)['provenance']
        sys.stdout.write(json.dumps(_figures(training, bundle, made)) + '\n')
    else:
        sys.stdout.write(f'{bundle}\n')


def _train_seeds(seeds: Any, arguments: argparse.Namespace) -> None:
    import json

    from ibc_bringup.seed_runs import averages, seeds_table

    made = seeds.train()
    if arguments.json:
        runs = [
            {'seed': run.config.seed, **_figures(run, run.bundle, one)}
            for run, one in zip(seeds.runs, made, strict=True)
        ]
        result = {'run': str(seeds.folder), 'runs': runs, 'metrics': averages(made)}
        sys.stdout.write(json.dumps(result) + '\n')
    else:
        sys.stdout.write(seeds_table(made).to_text())
        if made[0]['metrics']:
            sys.stdout.write('on episodes held out, for every seed others\n')
        sys.stdout.write(f'bundles: {seeds.folder}/seed-*/bundle\n')


def _figures(training: Any, bundle: Path, made: dict[str, Any]) -> dict[str, Any]:
    keys = ('dataset_hash', 'episodes', 'dataset_steps', 'steps', 'seconds', 'metrics')
    return {'run': str(training.folder), 'bundle': str(bundle)} | {key: made[key] for key in keys}


def _new_run(arguments: argparse.Namespace) -> Any:
    import time

    from ibc_bringup.seed_runs import new_seed_runs
    from ibc_bringup.training_run import TrainingRun
    from ibc_contract.errors import IbcError
    from implicit_bc.training.config import load_config

    if not arguments.data:
        raise IbcError('ibc train needs folders of bags, such as: ibc train bags')
    overrides = _initial(arguments.init) | _overrides(arguments)
    if arguments.seed is not None:
        overrides['seed'] = arguments.seed
    config = load_config(arguments.preset or PRESET, overrides)
    folder = arguments.folder or Path('runs') / time.strftime('train-%Y%m%d-%H%M%S')
    training = TrainingRun(
        folder, tuple(arguments.data), config, arguments.failures, arguments.leave_out_damaged
    )
    if arguments.seeds is not None:
        _require_no_bundle(arguments)
        return new_seed_runs(training, arguments.seeds)
    training.save()
    return training


def _resumed_run(arguments: argparse.Namespace) -> Any:
    from ibc_bringup.seed_runs import open_seed_runs
    from ibc_bringup.training_run import open_run
    from ibc_contract.errors import IbcError

    given = {
        'data': bool(arguments.data),
        '--run': arguments.folder is not None,
        '--preset': arguments.preset is not None,
        '--init': arguments.init is not None,
        '--seed': arguments.seed is not None,
        '--seeds': arguments.seeds is not None,
        '--failures': arguments.failures,
        '--leave-out-damaged': arguments.leave_out_damaged,
    }
    refused = [name for name, is_given in given.items() if is_given]
    if refused:
        raise IbcError(
            f'ibc train --resume takes these from the run itself: leave out {", ".join(refused)}, '
            'or start a new run'
        )
    training = open_seed_runs(arguments.resume)
    if training is not None:
        _require_no_bundle(arguments)
    else:
        training = open_run(arguments.resume)
    overrides = _overrides(arguments)
    return training.change(overrides) if overrides else training


def _require_no_bundle(arguments: argparse.Namespace) -> None:
    from ibc_contract.errors import IbcError

    if arguments.bundle:
        raise IbcError(
            '--bundle takes one bundle, several seeds make several: leave it out and copy the one '
            'that you want from the run'
        )


def _initial(model: str | None) -> dict[str, Any]:
    """Fields of the configuration that a model to begin with replaces."""
    from implicit_bc.bundle_files import find_bundle, read_description

    if model is None:
        return {}
    return {'initial_model': model, 'network': read_description(find_bundle(model))['network']}


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fields of the configuration that `--set` and `--steps` replace."""
    overrides = overrides_of(arguments.overrides)
    if arguments.steps is not None:
        overrides['steps'] = arguments.steps
    return overrides
