"""The training loop."""

import logging
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ibc_contract.errors import IbcError
from implicit_bc.bundle import describe_training, save_bundle
from implicit_bc.dataset import Dataset
from implicit_bc.methods import Model
from implicit_bc.scaling import Scaling
from implicit_bc.threads import use_threads
from implicit_bc.training.batches import batches, spread_rows
from implicit_bc.training.checkpoint import (
    TrainState,
    checkpoints,
    restore_checkpoint,
    save_checkpoint,
)
from implicit_bc.training.config import TrainConfig
from implicit_bc.training.data import TrainingData
from implicit_bc.training.data_checks import require_usable
from implicit_bc.training.memory import memory_errors
from implicit_bc.training.run_log import Means, RunLog, Stopwatch, interruptible
from implicit_bc.training.update import TrainingDiverged, update
from implicit_bc.training.validation import validate

SCALING_SAMPLES = 500
"""Frames whose colors are measured, spread over the whole dataset."""

log = logging.getLogger(__name__)


class TrainingInterrupted(IbcError):
    """Ctrl-C: the checkpoint is saved."""


@dataclass(frozen=True)
class Trained:
    """What a run ends with."""

    model: Model
    steps: int
    seconds: float
    """Time spent training [s]."""
    metrics: dict[str, float]
    """On held-out episodes; empty if there are none."""


def train(
    config: TrainConfig,
    dataset: Dataset,
    run_dir: Path,
    resume: bool = False,
    progress: bool = True,
) -> Path:
    """Train a policy on bags and return its bundle, `<run_dir>/bundle`; for the rest see `fit`."""
    trained = fit(config, dataset, run_dir, resume, progress)
    provenance = describe_training(
        config, dataset.meta, trained.steps, trained.seconds, trained.metrics
    )
    return save_bundle(
        run_dir / 'bundle',
        dataset.contract,
        trained.model,
        dataset.meta.tasks,
        provenance,
    )


def fit(
    config: TrainConfig,
    data: TrainingData,
    run_dir: Path,
    resume: bool = False,
    progress: bool = True,
) -> Trained:
    """Train a model.

    Args:
        config: What to train.
        data: What to train on.
        run_dir: Takes checkpoints and metrics.
        resume: Continue from the newest checkpoint of `run_dir`.
        progress: Show a progress bar if there is a terminal.

    Raises:
        TrainingInterrupted: Ctrl-C, after a checkpoint.
        TrainingDiverged: A loss or a gradient is not finite, at which step; the last good
            checkpoint stays.
        IbcError: The run directory, data or configuration does not fit; out of memory.
    """
    require_usable(data)
    run_dir = Path(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    if config.threads is not None:
        use_threads(config.threads)
    rows, held_out = data.split(config.holdout, config.seed)
    state = _fresh_state(config, data, _device(config))
    _start_or_resume(run_dir, state, config, data.hash, resume)

    with closing(RunLog(run_dir, state.step, config.steps, progress)) as run_log:
        with interruptible() as interrupted:
            finished = _trained(config, data, state, rows, held_out, run_log, interrupted)
        save_checkpoint(run_dir, state, config, data.hash)
        if not finished:
            raise TrainingInterrupted(
                f'stopped after {state.step} steps, checkpoint saved: resume the run in {run_dir}'
            )
        final = validate(state.best, data, held_out, config.seed) if len(held_out) else {}
        run_log.write(state.step, final)
    return Trained(state.best, state.step, state.seconds, final)


def _trained(
    config: TrainConfig,
    data: TrainingData,
    state: TrainState,
    rows: np.ndarray,
    held_out: np.ndarray,
    run_log: RunLog,
    interrupted: threading.Event,
) -> bool:
    """As `_loop`; what ends a run early says where, and what is left of it."""
    try:
        with memory_errors(
            f'in a step with batch_size {config.batch_size}',
            'lower batch_size, the number of counter-examples or the size of the network',
        ):
            return _loop(config, data, state, rows, held_out, run_log, interrupted)
    except TrainingDiverged as error:
        saved = checkpoints(run_log.run_dir)
        left = f'the last good checkpoint is {saved[-1]}' if saved else 'there is no checkpoint yet'
        raise TrainingDiverged(
            f'{error}: lower learning_rate.initial or check the data; {left}'
        ) from None


def _loop(
    config: TrainConfig,
    data: TrainingData,
    state: TrainState,
    rows: np.ndarray,
    held_out: np.ndarray,
    run_log: RunLog,
    interrupted: threading.Event,
) -> bool:
    """Train until the budget is spent (True) or until interrupted (False)."""
    watch = Stopwatch(state.seconds)
    device = state.model.low.device
    means = Means()
    for observation, action in batches(data, rows, config, state.step, device):
        state.seconds = watch.seconds
        progress = _progress(config, state)
        if progress >= 1.0 or interrupted.is_set():
            return progress >= 1.0
        for group in state.optimizer.param_groups:
            group['lr'] = config.learning_rate.at(state.step, progress)

        means.add(update(state, observation, action))
        state.step += 1
        run_log.advance()

        if state.step % config.log_every == 0:
            values = {
                **means.take(),
                'learning_rate': state.optimizer.param_groups[0]['lr'],
                'steps_per_s': state.step / watch.seconds,
            }
            run_log.write(state.step, values)
        if state.step % config.validate_every == 0 and len(held_out):
            run_log.write(state.step, validate(state.best, data, held_out, config.seed))
        if state.step % config.checkpoint_every == 0:
            save_checkpoint(run_log.run_dir, state, config, data.hash)
    raise RuntimeError('the order of the data has no end')


def _fresh_state(config: TrainConfig, data: TrainingData, device: torch.device) -> TrainState:
    torch.manual_seed(config.seed)
    samples = data.observations
    if samples.dtype == np.uint8:
        samples = samples[spread_rows(len(samples), SCALING_SAMPLES)]
    # Bounds come from every action, so that held-out ones lie inside as well.
    scaling = Scaling.of_data(
        np.asarray(samples), data.actions, config.normalization, data.action_limits
    )
    model = config.method.model(data.spaces, config.network, scaling).to(device)
    model.precision = config.precision
    log.info('%d parameters', sum(p.numel() for p in model.parameters()))
    optimizer = torch.optim.Adam(
        model.parameters(), config.learning_rate.initial, eps=config.adam_epsilon, fused=True
    )
    generator = torch.Generator(device).manual_seed(config.seed)
    return TrainState(model, optimizer, generator, _average(model, config.average_decay))


def _average(model: Model, decay: float | None) -> AveragedModel | None:
    if decay is None:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay))


def _start_or_resume(
    run_dir: Path, state: TrainState, config: TrainConfig, dataset_hash: str, resume: bool
) -> None:
    existing = checkpoints(run_dir)
    if resume and existing:
        restore_checkpoint(existing[-1], state, config, dataset_hash)
    elif resume:
        log.info('%s: no checkpoint yet, starting from the beginning', run_dir)
    elif existing:
        raise IbcError(
            f'{run_dir}: already holds a run of {int(existing[-1].name)} steps: '
            'resume it or choose another directory'
        )


def _progress(config: TrainConfig, state: TrainState) -> float:
    """Fraction of the run that is done, by steps or by time, whichever is ahead."""
    by_time = state.seconds / config.time_limit_s if config.time_limit_s else 0.0
    return max(state.step / config.steps, by_time)


def _device(config: TrainConfig) -> torch.device:
    if config.device == 'cuda' and not torch.cuda.is_available():
        raise IbcError('device cuda: this PyTorch sees no GPU; use device: cpu or auto')
    if config.device == 'auto':
        return torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    return torch.device(config.device)
