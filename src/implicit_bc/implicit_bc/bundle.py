"""A trained policy as a folder: weights, what they mean, where they come from.

policy.safetensors   weights (several files and an index above 15 MB)
policy.yaml          method, network, normalizers, bounds, contract, tasks, provenance
README.md            model card
"""

import dataclasses
import datetime
import importlib.metadata
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic
import torch

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from implicit_bc.bundle_files import (
    DESCRIPTION,
    FORMAT,
    bundle_name,
    read_description,
    write_description,
)
from implicit_bc.dataset import DatasetMeta
from implicit_bc.methods import Method, Model
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.policy import LearnedPolicy
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.steadiness import Steadiness
from implicit_bc.tensors import load_into, load_tensors, save_tensors
from implicit_bc.training.config import TrainConfig

WEIGHTS = 'policy'


@dataclass(frozen=True)
class Bundle:
    """A loaded policy with its papers."""

    path: Path
    name: str
    policy: LearnedPolicy
    tasks: tuple[str, ...]
    description: dict[str, Any]
    """Everything in `policy.yaml`."""

    @property
    def contract(self) -> Contract:
        """What the policy observes and does."""
        return self.policy.contract


def save_bundle(
    folder: Path,
    contract: Contract,
    model: Model,
    tasks: Sequence[str],
    provenance: Mapping[str, Any],
) -> Path:
    """Write a bundle, replacing what is there, and return its folder."""
    description = {
        'format': FORMAT,
        'method': dataclasses.asdict(model.method),
        'tasks': list(tasks),
        'contract_hash': contract.hash,
        'contract': contract.to_dict(),
        'network': dataclasses.asdict(model.network_config),
        'scaling': dataclasses.asdict(model.scaling),
        'provenance': dict(provenance),
        'results': {},
    }
    new = folder.with_name(f'{folder.name}.partial')
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        save_tensors(new, WEIGHTS, model.state_dict())
        write_description(new, folder.name, description)
        shutil.rmtree(folder, ignore_errors=True)
        new.rename(folder)
    except OSError as error:
        raise IbcError(f'{new}: cannot write the model: {error.strerror or error}') from None
    return folder


def load_bundle(
    path: Path,
    contract: Contract | None = None,
    device: str | torch.device = 'cpu',
    steadiness: Mapping[str, Any] | None = None,
) -> Bundle:
    """Load the bundle in folder `path`.

    Args:
        path: Folder with `policy.yaml`; see `find_bundle` for names.
        contract: When given, a bundle for another contract is refused.
        device: Where the network runs.
        steadiness: Fields of `Steadiness` that replace those in `policy.yaml`, if any are there.

    Raises:
        ContractMismatch: The bundle was trained for another contract; both are named.
        IbcError: Something is missing, damaged or does not fit; named.
    """
    path = Path(path)
    description = read_description(path)
    trained_for = Contract.from_dict(description['contract'])
    where = f'model {path}'
    trained_for.require_same(description['contract_hash'], where, trained_for.name)
    if contract is not None:
        contract.require_same(trained_for.hash, where, trained_for.name)
    method = _validated(path, description, 'method', Method)
    network = _validated(path, description, 'network', NetworkConfig)
    scaling = _validated(path, description, 'scaling', Scaling)
    model = method.model(Spaces.of_contract(trained_for), network, scaling)
    load_into(model, load_tensors(path, WEIGHTS), where)
    description['steadiness'] = {**(description.get('steadiness') or {}), **(steadiness or {})}
    steady = _validated(path, description, 'steadiness', Steadiness)
    try:
        policy = LearnedPolicy(trained_for, model.to(device), steady)
    except IbcError as error:
        raise IbcError(f'{where}: {error}') from None
    return Bundle(path, bundle_name(path), policy, tuple(description['tasks']), description)


def _validated(path: Path, description: Mapping[str, Any], field: str, kind: Any) -> Any:
    """Build `kind` from a field of the description; IbcError names what is wrong in it."""
    try:
        return pydantic.TypeAdapter(kind).validate_python(description[field])
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = '.'.join((field, *(str(part) for part in first['loc'])))
        raise IbcError(f'{path / DESCRIPTION}: field {name!r}: {first["msg"]}') from None


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
