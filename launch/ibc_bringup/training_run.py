"""A training run as a folder that knows what it was made from, so that it can be resumed by name.

run.yaml     data, configuration
dataset/     cache made from the bags
checkpoints/ metrics.jsonl tensorboard/ bundle/
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from implicit_bc.dataset import META, Dataset, load_dataset
from implicit_bc.dataset_builder import BuildOptions, build_dataset
from implicit_bc.training.config import TrainConfig, config_from_dict
from implicit_bc.training.trainer import train

DESCRIPTION = 'run.yaml'


@dataclass(frozen=True)
class TrainingRun:
    """What is trained on what, and where."""

    folder: Path
    data: tuple[Path, ...]
    """Folders of bags, or one folder of a dataset cache."""
    config: TrainConfig
    include_failures: bool = False

    def save(self) -> None:
        """Write `run.yaml`; IbcError if the folder already holds a run."""
        file = self.folder / DESCRIPTION
        if file.exists():
            raise IbcError(
                f'{self.folder} already holds a run: resume it with `ibc train --resume '
                f'{self.folder}`, or choose another folder with --run'
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        description = {
            'data': [str(path.resolve()) for path in self.data],
            'include_failures': self.include_failures,
            'config': self.config.to_dict(),
        }
        # By way of JSON: YAML's safe subset has no tuples.
        file.write_text(yaml.safe_dump(json.loads(json.dumps(description)), sort_keys=False))

    def dataset(self) -> Dataset:
        """Open the data, decoding bags into a cache first where needed."""
        if len(self.data) == 1 and (self.data[0] / META).is_file():
            return load_dataset(self.data[0])
        contract = load_contract(self.config.contract)
        options = BuildOptions(include_failures=self.include_failures)
        return build_dataset(self.data, contract, self.folder / 'dataset', options)

    def train(self, resume: bool = False, progress: bool = True) -> Path:
        """Train and return the bundle's folder."""
        return train(self.config, self.dataset(), self.folder, resume, progress)

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
        return TrainingRun(folder, data, config, bool(description['include_failures']))
    except FileNotFoundError:
        raise IbcError(f'{folder} holds no training run: {DESCRIPTION} is missing') from None
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise IbcError(f'{file} cannot be read: {error}') from None


def _flat(data: dict[str, Any], prefix: str = '') -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in data.items():
        if isinstance(value, dict):
            pairs += _flat(value, f'{prefix}{name}.')
        else:
            pairs.append((f'{prefix}{name}', value))
    return pairs
