"""A trained policy as a folder: weights, what they mean, where they come from.

policy.safetensors   weights (several files and an index above 15 MB)
policy.yaml          method, network, sampler, normalizers, bounds, contract, tasks, provenance
README.md            model card
"""

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch
import yaml

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from implicit_bc.dataset import DatasetMeta
from implicit_bc.model import ImplicitModel, Scaling
from implicit_bc.model_card import model_card
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.policy import ImplicitPolicy
from implicit_bc.samplers.derivative_free import DerivativeFreeConfig
from implicit_bc.tensors import load_into, load_tensors, save_tensors
from implicit_bc.training.config import TrainConfig

FORMAT = 1
DESCRIPTION = 'policy.yaml'
WEIGHTS = 'policy'
METHODS = ('derivative_free',)


@dataclass(frozen=True)
class Bundle:
    """A loaded policy with its papers."""

    path: Path
    name: str
    policy: ImplicitPolicy
    tasks: tuple[str, ...]
    description: dict[str, Any]
    """Everything in `policy.yaml`."""

    @property
    def contract(self) -> Contract:
        """What the policy observes and does."""
        return self.policy.contract


def save_bundle(
    folder: Path,
    model: ImplicitModel,
    sampler: DerivativeFreeConfig,
    tasks: Sequence[str],
    provenance: Mapping[str, Any],
) -> Path:
    """Write a bundle, replacing what is there, and return its folder."""
    description = {
        'format': FORMAT,
        'method': METHODS[0],
        'tasks': list(tasks),
        'contract_hash': model.contract.hash,
        'contract': model.contract.to_dict(),
        'network': dataclasses.asdict(model.network_config),
        'sampler': dataclasses.asdict(sampler),
        'scaling': dataclasses.asdict(model.scaling),
        'provenance': dict(provenance),
        'results': {},
    }
    new = folder.with_name(f'{folder.name}.partial')
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        save_tensors(new, WEIGHTS, model.state_dict())
        _write_description(new, folder.name, description)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    except OSError as error:
        raise IbcError(f'{new}: cannot write the model: {error.strerror}') from None
    return folder


def load_bundle(
    path: Path, contract: Contract | None = None, device: str | torch.device = 'cpu'
) -> Bundle:
    """Load the bundle in folder `path`.

    Args:
        path: Folder with `policy.yaml`; see `find_bundle` for names.
        contract: When given, a bundle for another contract is refused.
        device: Where the network runs.

    Raises:
        ContractMismatch: The bundle was trained for another contract; both are named.
        IbcError: Something is missing, damaged or does not fit; named.
    """
    path = Path(path)
    description = read_description(path)
    trained_for = Contract.from_dict(description['contract'])
    where = f'model {path}'
    trained_for.require_same(description['contract_hash'], where)
    if contract is not None:
        contract.require_same(trained_for.hash, where)
    try:
        network = pydantic.TypeAdapter(NetworkConfig).validate_python(description['network'])
        sampler = pydantic.TypeAdapter(DerivativeFreeConfig).validate_python(description['sampler'])
        scaling = pydantic.TypeAdapter(Scaling).validate_python(description['scaling'])
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = '.'.join(str(part) for part in first['loc'])
        raise IbcError(f'{path / DESCRIPTION}: field {field!r}: {first["msg"]}') from None
    model = ImplicitModel(trained_for, network, scaling)
    load_into(model, load_tensors(path, WEIGHTS), where)
    policy = ImplicitPolicy(model.to(device).eval(), sampler)
    return Bundle(path, _name(path), policy, tuple(description['tasks']), description)


def read_description(path: Path) -> dict[str, Any]:
    """Read `policy.yaml` of a bundle without loading the network."""
    file = path / DESCRIPTION
    try:
        description = yaml.safe_load(file.read_text())
    except FileNotFoundError:
        raise IbcError(f'{path}: no model here: {DESCRIPTION} is missing') from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise IbcError(f'{file}: cannot be read: {" ".join(str(error).split())}') from None
    fields = ('format', 'method', 'tasks', 'contract', 'contract_hash', 'network', 'sampler')
    fields += ('scaling', 'provenance')
    missing = [f for f in fields if not isinstance(description, dict) or f not in description]
    if missing:
        raise IbcError(f'{file}: not a model description: missing {", ".join(missing)}')
    if description['format'] != FORMAT:
        raise IbcError(f'{file}: format {description["format"]}, this version reads {FORMAT}')
    if description['method'] not in METHODS:
        raise IbcError(
            f'{file}: unknown method {description["method"]!r}; known: {", ".join(METHODS)}'
        )
    return description


def add_result(path: Path, task: str, summary: Mapping[str, Any]) -> None:
    """Note the measured `summary` of an evaluation on `task` in a bundle and its model card."""
    description = read_description(path)
    description.setdefault('results', {})[task] = dict(summary)
    _write_description(path, _name(path), description)


def model_roots() -> list[Path]:
    """Folders in which models are looked up by name, first one first."""
    roots = [Path(p) for p in os.environ.get('IBC_MODELS', '').split(os.pathsep) if p]
    roots.append(Path('models'))
    for prefix in (*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix):
        if prefix:
            roots.append(Path(prefix) / 'share' / 'ibc_models')
    # An editable installation: models/ of the source tree.
    roots.append(Path(__file__).resolve().parents[3] / 'models')
    return roots


def known_bundles() -> dict[str, Path]:
    """Name -> folder of every bundle below `model_roots`; earlier roots win."""
    found: dict[str, Path] = {}
    for root in model_roots():
        for file in sorted(root.glob(f'*/{DESCRIPTION}')):
            found.setdefault(file.parent.name, file.parent)
    return found


def find_bundle(name: str | Path) -> Path:
    """Return the folder of a bundle, given its path or its name; IbcError lists the known ones."""
    path = Path(name).expanduser()
    for candidate in (path, path / 'bundle'):  # a run directory holds its bundle in `bundle`
        if (candidate / DESCRIPTION).is_file():
            return candidate
    known = known_bundles()
    if str(name) in known:
        return known[str(name)]
    raise IbcError(
        f'unknown model {str(name)!r}; known: {", ".join(sorted(known)) or "none"}, '
        'or the path of a model folder'
    )


def describe_training(
    config: TrainConfig,
    meta: DatasetMeta,
    steps: int,
    seconds: float,
    metrics: Mapping[str, float],
) -> dict[str, Any]:
    """Provenance of a model: data, configuration, versions, machine."""
    return {
        'created': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
        'dataset_hash': meta.hash,
        'episodes': len(meta.episodes),
        'dataset_steps': sum(episode.steps for episode in meta.episodes),
        'excluded_episodes': len(meta.excluded),
        'training': config.to_dict(),
        'steps': steps,
        'seconds': round(seconds, 1),
        'metrics': {name: float(value) for name, value in metrics.items()},
        'versions': {
            'implicit_bc': importlib.metadata.version('implicit_bc'),
            'python': platform.python_version(),
            'torch': str(torch.__version__),
            'numpy': np.__version__,
        },
        'machine': {
            'processor': platform.machine(),
            'cpus': os.cpu_count(),
            'threads': torch.get_num_threads(),
            'gpu': torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
    }


def _write_description(folder: Path, name: str, description: dict[str, Any]) -> None:
    text = yaml.safe_dump(_plain(description), sort_keys=False, allow_unicode=True)
    (folder / DESCRIPTION).write_text(text)
    (folder / 'README.md').write_text(model_card(name, description))


def _plain(value: Any) -> Any:
    """Tuples as lists: YAML's safe subset has no tuples."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _name(path: Path) -> str:
    resolved = path.resolve()
    return resolved.parent.name if resolved.name == 'bundle' else resolved.name
