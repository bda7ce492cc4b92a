"""A training run as a folder that knows what it was made from, so that it can be resumed by name.

run.yaml     data, configuration
dataset/     cache made from the bags
checkpoints/ metrics.jsonl tensorboard/ bundle/
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from implicit_bc.dataset import META, Dataset, load_dataset, read_meta
from implicit_bc.dataset_builder import BuildOptions, build_dataset, is_up_to_date
from implicit_bc.training.checkpoint import MAY_CHANGE
from implicit_bc.training.config import TrainConfig, config_from_dict
from implicit_bc.training.processes import ALONE, Processes
from implicit_bc.training.trainer import train

DESCRIPTION = 'run.yaml'
DATASET = 'dataset'
SEEDS = f'seed-*/{DESCRIPTION}'
"""Runs below a folder that holds one per seed."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingRun:
    """What is trained on what, and where."""

    folder: Path
    data: tuple[Path, ...]
    """Folders of bags, or one folder of a dataset cache."""
    config: TrainConfig
    include_failures: bool = False
    leave_out_damaged: bool = False
    """Train without bags that are truncated or damaged, instead of refusing them."""

    def save(self) -> None:
        """Open the data, then write `run.yaml`: bad data leaves nothing behind.

        Raises:
            IbcError: The folder already holds a run, or the data is unusable.
        """
        self.require_new()
        self.dataset()
        self._write()

    def require_new(self) -> None:
        """Raise IbcError if the folder already holds a run, or one per seed."""
        if self._begun or any(self.folder.glob(SEEDS)):
            raise IbcError(
                f'{self.folder} already holds a run: resume it with `ibc train --resume '
                f'{self.folder}`, or choose another folder with --run'
            )

    def change(self, fields: Mapping[str, Any]) -> 'TrainingRun':
        """Give fields of the configuration other values, in `run.yaml` as well.

        Raises:
            IbcError: A value is wrong, or a field decides what is learned.
        """
        for name in fields:
            if name not in MAY_CHANGE:
                raise IbcError(
                    f'{name} cannot change in a run that has begun, only {", ".join(MAY_CHANGE)}: '
                    'leave it out or start a new run'
                )
        config = config_from_dict({**self.config.to_dict(), **fields}, str(self.folder))
        changed = replace(self, config=config)
        changed._write()
        return changed

    def dataset(self) -> Dataset:
        """Open the data, decoding bags into a cache first where needed.

        A run that has begun keeps its cache: with other bags it would be another run.
        """
        contract = load_contract(self.config.contract)
        if len(self.data) == 1 and (self.data[0] / META).is_file():
            dataset = load_dataset(self.data[0])
            made = dataset.contract
            contract.require_same(made.hash, f'dataset {self.data[0]}', made.name)
            latency, has = self.config.latency_s, dataset.meta.latency_s
            if latency != has:
                raise IbcError(
                    f'dataset {self.data[0]} was made with latency_s {has}, not {latency}: train '
                    f'with --set latency_s={"null" if has is None else has}, or from the bags'
                )
            return dataset
        options = BuildOptions(self.include_failures, latency_s=self.config.latency_s)
        cache = self.folder / DATASET
        if not self._begun or read_meta(cache) is None:
            leave_out = self.leave_out_damaged
            return build_dataset(self.data, contract, cache, options, leave_out_damaged=leave_out)
        if not is_up_to_date(self.data, contract, cache, options):
            log.warning(
                'the bags have changed: this run goes on with %s, without newer ones', cache
            )
        return load_dataset(cache)

    def train(self, resume: bool = False, processes: Processes = ALONE) -> Path:
        """Train, maybe together with other `processes`, and return the bundle's folder."""
        return train(self.config, self.dataset(), self.folder, resume, processes=processes)

    @property
    def bundle(self) -> Path:
        """Folder of the bundle, once trained."""
        return self.folder / 'bundle'

    @property
    def _begun(self) -> bool:
        return (self.folder / DESCRIPTION).exists()

    def _write(self) -> None:
        description = {
            'data': [str(path.resolve()) for path in self.data],
            'include_failures': self.include_failures,
            'leave_out_damaged': self.leave_out_damaged,
            'config': self.config.to_dict(),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        # By way of JSON: YAML's safe subset has no tuples.
        text = yaml.safe_dump(json.loads(json.dumps(description)), sort_keys=False)
        (self.folder / DESCRIPTION).write_text(text)

    def facts(self) -> dict[str, Any]:
        """Return the configuration as flat names and values, for people."""
        return dict(_flat(asdict(self.config)))


def open_run(folder: Path) -> TrainingRun:
    """Read a run's description; IbcError if there is none."""
    file = folder / DESCRIPTION
    try:
        description = yaml.safe_load(file.read_text())
        data = tuple(Path(path) for path in description['data'])
        config = config_from_dict(description['config'], str(file))
        failures = bool(description['include_failures'])
        leave_out = bool(description.get('leave_out_damaged', False))
        return TrainingRun(folder, data, config, failures, leave_out)
    except FileNotFoundError:
        raise IbcError(f'{folder} holds no training run: {DESCRIPTION} is missing') from None
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        reason = ' '.join(str(error).split())
        raise IbcError(f'{file} cannot be read: {reason}') from None


def _flat(data: dict[str, Any], prefix: str = '') -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in data.items():
        if isinstance(value, dict):
            pairs += _flat(value, f'{prefix}{name}.')
        else:
            pairs.append((f'{prefix}{name}', value))
    return pairs
