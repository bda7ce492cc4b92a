"""A training run at its first step, or where a checkpoint left it."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ibc_contract.errors import IbcError
from implicit_bc.bundle import load_bundle
from implicit_bc.bundle_files import find_bundle
from implicit_bc.methods import Model
from implicit_bc.scaling import Scaling
from implicit_bc.training.batches import spread_rows
from implicit_bc.training.checkpoint import TrainState, checkpoints, restore_newest
from implicit_bc.training.config import TrainConfig
from implicit_bc.training.data import TrainingData

SCALING_SAMPLES = 500
"""Frames whose colors are measured, spread over the whole dataset."""

log = logging.getLogger(__name__)


def start_or_resume(
    config: TrainConfig, data: TrainingData, run_dir: Path, resume: bool
) -> TrainState:
    """Build the model and, with `resume`, fill it from the newest sound checkpoint of `run_dir`.

    Raises:
        IbcError: The run directory already holds a run, or one that does not fit; no such device;
            the initial model does not fit.
    """
    state = _fresh_state(config, data, _device(config))
    existing = checkpoints(run_dir)
    if resume and existing:
        restore_newest(run_dir, state, config, data.hash)
    elif resume:
        log.info('%s: no checkpoint yet, starting from the beginning', run_dir)
    elif existing:
        raise IbcError(
            f'{run_dir}: already holds a run of {int(existing[-1].name)} steps: '
            'resume it or choose another directory'
        )
    return state


def _fresh_state(config: TrainConfig, data: TrainingData, device: torch.device) -> TrainState:
    torch.manual_seed(config.seed)
    samples = data.observations
    if samples.dtype == np.uint8:
        samples = samples[spread_rows(len(samples), SCALING_SAMPLES)]
    # Bounds come from every action, so that held-out ones lie inside as well.
    scaling = Scaling.of_data(
        np.asarray(samples), data.actions, config.normalization, data.action_limits
    )
    if config.initial_model is None:
        model = config.method.model(data.spaces, config.network, scaling).to(device)
    else:
        model = _begun_model(config.initial_model, config, data, scaling).to(device)
    for part in model.modules():  # the proposal of `ranking` is a model of its own
        if isinstance(part, Model):
            part.precision = config.precision
    log.info('%d parameters', sum(p.numel() for p in model.parameters()))
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate.initial, eps=config.adam_epsilon, fused=True
    )
    return TrainState(model, optimizer, _average(model, config.average_decay))


def _begun_model(name: str, config: TrainConfig, data: TrainingData, scaling: Scaling) -> Model:
    """Build a model with the weights of bundle `name`.

    Its weights know actions and observations as its normalizers give them, so these come with them;
    only the box is that of the new data.
    """
    before = load_bundle(find_bundle(name)).policy.model
    for what, has, wanted in (
        ('network', before.network_config, config.network),
        ('method.kind', before.method.kind, config.method.kind),
        ('shapes', before.spaces, data.spaces),
    ):
        if has != wanted:
            raise IbcError(
                f'model {name} cannot be trained on: its {what} is {has}, not {wanted}: choose '
                'the preset it was trained with, or leave out initial_model'
            )
    scaling = dataclasses.replace(before.scaling, bounds=scaling.bounds)
    model = config.method.model(data.spaces, config.network, scaling)
    model.load_state_dict(before.state_dict())
    return model


def _average(model: Model, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))


def _device(config: TrainConfig) -> torch.device:
    if config.device == 'cuda' and not torch.cuda.is_available():
        raise IbcError('device cuda: this PyTorch sees no GPU; use device: cpu or auto')
    if config.device == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    return torch.device(config.device)
