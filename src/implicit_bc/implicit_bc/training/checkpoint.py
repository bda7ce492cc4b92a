"""Checkpoints from which a run continues as if it had never stopped; no pickle.

<run>/checkpoints/00001000/model.safetensors     weights
average.safetensors   moving average of the weights, if the run keeps one
trainer.safetensors   Adam's moments
state.json            step, seconds, configuration, dataset hash
sha256sums.txt        of these files

`<step>.diverged` is one from which the very first step was not finite.
"""

import json
import logging
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ibc_contract.errors import IbcError
from implicit_bc.checksums import SUMS, DamagedFile, require_unchanged, write_checksums
from implicit_bc.methods import Model
from implicit_bc.networks.spectral_norm import settle_spectral_norm
from implicit_bc.tensors import load_into, load_tensors, save_tensors
from implicit_bc.training.config import TrainConfig, config_from_dict
from implicit_bc.training.run_log import Means

MAY_CHANGE = (
    'steps',
    'time_limit_s',
    'log_every',
    'validate_every',
    'checkpoint_every',
    'keep_checkpoints',
)
"""Fields that may differ when a run is resumed; all others decide what is learned."""

log = logging.getLogger(__name__)


@dataclass
class TrainState:
    """Everything that changes while training."""

    model: Model
    optimizer: torch.optim.Optimizer
    average: AveragedModel | None = None
    """Exponential moving average of the weights, where it is kept."""
    step: int = 0
    """Steps done. The order of the data and all that is drawn follow from it and the seed."""
    seconds: float = 0.0
    """Time spent training, over all resumptions [s]."""
    means: Means = field(default_factory=Means)
    """Of the losses since they were last logged."""

    def best(self) -> Model:
        """Return the weights to judge and to keep: the average, where there is one.

        To spectral norm, averaged weights are new matrices. Its iterations begin with the trained
        weights' vectors every time, so that the result does not depend on how often it is asked
        for.
        """
        if self.average is None:
            return self.model
        average = cast(Model, self.average.module)
        for kept, trained in zip(average.buffers(), self.model.buffers(), strict=True):
            kept.copy_(trained)
        settle_spectral_norm(average)
        return average


def save_checkpoint(
    run_dir: Path, state: TrainState, config: TrainConfig, dataset_hash: str
) -> Path:
    """Write a checkpoint completely or not at all, and drop the oldest ones.

    Dropped are also those of later steps: the run did not go on from them because they are damaged.
    """
    root = run_dir / 'checkpoints'
    final = root / f'{state.step:08d}'
    new = root / f'{state.step:08d}.partial'
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        save_tensors(new, 'model', state.model.state_dict())
        save_tensors(new, 'trainer', _trainer_tensors(state))
        if state.average is not None:
            save_tensors(new, 'average', state.average.state_dict())
        facts = {
            'step': state.step,
            'seconds': state.seconds,
            'means': state.means.pending,
            'dataset_hash': dataset_hash,
            'config': config.to_dict(),
        }
        (new / 'state.json').write_text(json.dumps(facts, indent=1))
        write_checksums(new)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(new, final)
    except OSError as error:
        raise IbcError(f'{new}: cannot write the checkpoint: {error.strerror}') from None
    kept = checkpoints(run_dir, state.step)[-config.keep_checkpoints :]
    for other in checkpoints(run_dir):
        if other not in kept:
            shutil.rmtree(other)
    return final


def checkpoints(run_dir: Path, last_step: int | None = None) -> list[Path]:
    """Complete checkpoints of a run, oldest first; of no later step than `last_step`, if given."""
    found = sorted(p for p in (run_dir / 'checkpoints').glob('*') if p.name.isdigit())
    return [p for p in found if last_step is None or int(p.name) <= last_step]


def set_aside(run_dir: Path, step: int) -> Path | None:
    """Rename the newest checkpoint if it is of `step`, whose first step was not finite.

    It is then none to go on from. Older ones are: each has led to the next.

    Returns:
        What it is called now; None if the newest is of another step.
    """
    found = checkpoints(run_dir)
    if not found or int(found[-1].name) != step:
        return None
    aside = found[-1].with_suffix('.diverged')
    shutil.rmtree(aside, ignore_errors=True)
    return found[-1].rename(aside)


def restore_newest(
    run_dir: Path, state: TrainState, config: TrainConfig, dataset_hash: str
) -> None:
    """Fill `state` from the newest checkpoint of a run that is not damaged; warn of those that are.

    Raises:
        IbcError: It belongs to another configuration, dataset or version; or all are damaged.
    """
    damaged: list[DamagedFile] = []
    for path in reversed(checkpoints(run_dir)):
        try:
            restore_checkpoint(path, state, config, dataset_hash)
        except DamagedFile as error:
            damaged.append(error)
        else:
            for each in damaged:
                log.warning('%s: going on from step %d', each, state.step)
            return
    raise IbcError(f'{damaged[0]}, nor is an older checkpoint left to go on from: start a new run')


def restore_checkpoint(
    path: Path, state: TrainState, config: TrainConfig, dataset_hash: str
) -> None:
    """Fill `state` from a checkpoint.

    Raises:
        IbcError: It belongs to another configuration, dataset or version.
        DamagedFile: Names the file; `state` may be filled in part.
    """
    if (path / SUMS).exists():  # older checkpoints have none
        require_unchanged(path)
    try:
        facts = json.loads((path / 'state.json').read_text())
    except (OSError, ValueError) as error:
        raise DamagedFile(f'{path / "state.json"}: damaged: {error}') from None
    _require_same(path, facts, config, dataset_hash)
    load_into(state.model, load_tensors(path, 'model'), f'{path / "model.safetensors"}')
    if state.average is not None:
        load_into(state.average, load_tensors(path, 'average'), f'{path / "average.safetensors"}')
    tensors = load_tensors(path, 'trainer')
    parameters = list(state.model.parameters())
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        match = re.fullmatch(r'adam\.(\d+)\.(\w+)', key)
        if match is None or int(match[1]) >= len(parameters):
            raise IbcError(
                f'{path / "trainer.safetensors"}: {key!r} is of no use here, another version has '
                'written it: start a new run'
            )
        number, name = match.groups()
        if tensor.dim():
            # The fused Adam walks memory: moments must have the strides of their parameter,
            # which for convolutions are channels-last.
            tensor = torch.empty_like(parameters[int(number)]).copy_(tensor)
        moments.setdefault(int(number), {})[name] = tensor
    groups = state.optimizer.state_dict()['param_groups']
    state.optimizer.load_state_dict({'state': moments, 'param_groups': groups})
    state.step, state.seconds = facts['step'], facts['seconds']
    device = state.model.low.device
    state.means = Means(facts.get('means'), device)  # without them in older checkpoints


def _trainer_tensors(state: TrainState) -> dict[str, Tensor]:
    moments = state.optimizer.state_dict()['state']
    return {
        f'adam.{number}.{name}': tensor
        for number, values in moments.items()
        for name, tensor in values.items()
    }


def _require_same(
    path: Path, facts: dict[str, Any], config: TrainConfig, dataset_hash: str
) -> None:
    if facts['dataset_hash'] != dataset_hash:
        raise IbcError(
            f'{path}: was trained on dataset {facts["dataset_hash"]}, this is {dataset_hash}: '
            'use the same bags or start a new run'
        )
    # Read as a configuration, it has the defaults of fields that are newer than the run.
    before = config_from_dict(facts['config'], f'{path}, its configuration')
    now, then = (_flat(json.loads(json.dumps(c.to_dict()))) for c in (config, before))
    changed = [
        key
        for key in sorted(now.keys() | then.keys())
        if key not in MAY_CHANGE and now.get(key) != then.get(key)
    ]
    if changed:
        differences = ', '.join(f'{key} {then.get(key)} -> {now.get(key)}' for key in changed)
        raise IbcError(
            f'{path}: the configuration has changed ({differences}): start a new run in '
            'another folder'
        )


def _flat(data: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested values by dotted names."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f'{prefix}{name}.')
        else:
            flat[f'{prefix}{name}'] = value
    return flat
