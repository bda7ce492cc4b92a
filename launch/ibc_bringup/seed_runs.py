"""The same training with several seeds on one dataset: how much of a result is chance.

dataset/       cache made from the bags, once
seed-0/ ...    one training run per seed
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ibc_bringup.report import Table
from ibc_bringup.training_run import DATASET, SEEDS, TrainingRun, open_run
from ibc_contract.errors import IbcError
from implicit_bc.bundle_files import read_description
from implicit_bc.dataset import META
from implicit_bc.training.checkpoint import checkpoints

AVERAGES = {'mean': statistics.fmean, 'median': statistics.median, 'std': statistics.stdev}


@dataclass(frozen=True)
class SeedRuns:
    """Training runs that differ in their seed alone."""

    folder: Path
    runs: tuple[TrainingRun, ...]

    def change(self, fields: Mapping[str, Any]) -> 'SeedRuns':
        """Give fields of every run's configuration other values."""
        return replace(self, runs=tuple(run.change(fields) for run in self.runs))

    def train(self) -> list[dict[str, Any]]:
        """Train what is not done yet; return the provenance of each seed's bundle."""
        return [_provenance(run) or _trained(run) for run in self.runs]


def new_seed_runs(common: TrainingRun, seeds: Sequence[int]) -> SeedRuns:
    """Open the data of `common` once, and begin a run below its folder for each of the seeds.

    Raises:
        IbcError: There are not at least two seeds; the folder already holds a run; or the data is
            unusable, and nothing is left behind.
    """
    if len(set(seeds)) < max(2, len(seeds)):
        raise IbcError('--seeds needs two or more different seeds; for a single one: --seed N')
    common.require_new()
    common.dataset()
    made = common.folder / DATASET
    data = (made,) if (made / META).is_file() else common.data
    runs = tuple(
        TrainingRun(common.folder / f'seed-{seed}', data, replace(common.config, seed=seed))
        for seed in seeds
    )
    for run in runs:
        run.save()
    return SeedRuns(common.folder, runs)


def open_seed_runs(folder: Path) -> SeedRuns | None:
    """Find what `new_seed_runs` began in `folder`; None if that is not what it holds."""
    runs = [open_run(file.parent) for file in folder.glob(SEEDS)]
    return SeedRuns(folder, tuple(sorted(runs, key=lambda r: r.config.seed))) if runs else None


def averages(made: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Metric -> average -> value, over the bundles' provenance."""
    return {
        name: {
            average: function([one['metrics'][name] for one in made])
            for average, function in AVERAGES.items()
        }
        for name in made[0]['metrics']
    }


def seeds_table(made: Sequence[Mapping[str, Any]]) -> Table:
    """One row per seed with its figures on held-out episodes, then their averages."""
    over_seeds = averages(made)
    figures = (name.removeprefix('validation/').replace('_', ' ') for name in over_seeds)
    headers = ('seed', 'steps', 'seconds', *figures)
    rows = [
        (
            str(one['training']['seed']),
            str(one['steps']),
            f'{one["seconds"]:.0f}',
            *(f'{one["metrics"][name]:.3f}' for name in over_seeds),
        )
        for one in made
    ]
    rows += [
        (average, '', '', *(f'{values[average]:.3f}' for values in over_seeds.values()))
        for average in (AVERAGES if over_seeds else ())
    ]
    return Table(headers, rows)


def _trained(run: TrainingRun) -> dict[str, Any]:
    return read_description(run.train(resume=bool(checkpoints(run.folder))))['provenance']


def _provenance(run: TrainingRun) -> dict[str, Any] | None:
    """Return that of the run's bundle; None if it is not there, or was made before a change."""
    if not run.bundle.is_dir():
        return None
    made = read_description(run.bundle)['provenance']
    return made if made['training'] == json.loads(json.dumps(run.config.to_dict())) else None
