"""The training loop."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ibc_contract.errors import IbcError
from implicit_bc.bundle import describe_training, save_bundle
from implicit_bc.dataset import Dataset
from implicit_bc.methods import Model
from implicit_bc.threads import use_threads
from implicit_bc.training.batches import batch_rows, batches
from implicit_bc.training.checkpoint import (
    TrainState,
    checkpoints,
    save_checkpoint,
    set_aside,
)
from implicit_bc.training.config import TrainConfig
from implicit_bc.training.data import TrainingData
from implicit_bc.training.data_checks import require_usable
from implicit_bc.training.gradients import Gradients, micro_batches_of
from implicit_bc.training.memory import memory_errors
from implicit_bc.training.processes import ALONE, Processes
from implicit_bc.training.run_log import NoLog, RunLog, Stopwatch, interruptible
from implicit_bc.training.start import start_or_resume
from implicit_bc.training.update import TrainingDiverged, update
from implicit_bc.training.validation import validate


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


@dataclass
class _Run:
    """What the loop works on."""

    config: TrainConfig
    data: TrainingData
    folder: Path
    rows: np.ndarray
    held_out: np.ndarray
    state: TrainState
    log: RunLog | NoLog
    processes: Processes
    validated: tuple[int, dict[str, float]] | None = None
    """Step of the last validation, and what it found."""

    def save(self) -> None:
        """Write a checkpoint."""
        if self.processes.is_first:
            save_checkpoint(self.folder, self.state, self.config, self.data.hash)

    def validate(self) -> dict[str, float]:
        """Judge the model by what was held out, if anything was, once a step, and log it."""
        if not (self.processes.is_first and len(self.held_out)):
            return {}
        step = self.state.step
        if self.validated is None or self.validated[0] != step:
            with memory_errors('validating', 'lower method.sampler.samples or the network'):
                found = validate(self.state.best(), self.data, self.held_out, self.config.seed)
            self.log.write(step, found)
            self.validated = step, found
        return self.validated[1]

    @property
    def progress(self) -> float:
        """Fraction of the run that is done, by steps or by time, whichever is ahead."""
        limit = self.config.time_limit_s
        by_time = self.state.seconds / limit if limit else 0.0
        return max(self.state.step / self.config.steps, by_time)


def train(
    config: TrainConfig,
    dataset: Dataset,
    run_dir: Path,
    resume: bool = False,
    progress: bool = True,
    processes: Processes = ALONE,
) -> Path:
    """Train a policy on bags and return its bundle, `<run_dir>/bundle`; for the rest see `fit`."""
    trained = fit(config, dataset, run_dir, resume, progress, processes)
    bundle = run_dir / 'bundle'
    if processes.is_first:
        provenance = describe_training(
            config, dataset.meta, trained.steps, trained.seconds, trained.metrics
        )
        save_bundle(bundle, dataset.contract, trained.model, dataset.meta.tasks, provenance)
    processes.wait()
    return bundle


def fit(
    config: TrainConfig,
    data: TrainingData,
    run_dir: Path,
    resume: bool = False,
    progress: bool = True,
    processes: Processes = ALONE,
) -> Trained:
    """Train a model.

    Args:
        config: What to train.
        data: What to train on.
        run_dir: Takes checkpoints and metrics.
        resume: Continue from the newest sound checkpoint of `run_dir`.
        progress: Show a progress bar if there is a terminal.
        processes: Those that train this model together, all with the same arguments. Only the
            first one writes and knows the metrics.

    Raises:
        TrainingInterrupted: Ctrl-C, after a checkpoint.
        TrainingDiverged: A loss or a gradient is not finite, at which step; the last checkpoint
            from which a step was finite stays, a newer one is set aside.
        IbcError: The run directory, data or configuration does not fit; out of memory.
    """
    require_usable(data)
    run_dir = Path(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    if config.threads is not None:
        use_threads(config.threads)
    rows, held_out = data.split(config.holdout, config.seed)
    processes.wait()  # until the first has written what a run before this one ends with
    with memory_errors('building the model', 'make the network smaller'):
        state = start_or_resume(config, data, run_dir, resume)
    first = state.step
    if processes.as_first([first]) != [first]:
        raise IbcError(
            f'{run_dir}: the processes of this training see different checkpoints: put the run '
            'where all of them read the same files'
        )
    processes.wait()  # until all have read what the first is about to write
    log = RunLog(run_dir, first, config.steps, progress) if processes.is_first else NoLog()
    run = _Run(config, data, run_dir, rows, held_out, state, log, processes)
    with closing(log):
        with interruptible() as interrupted, _said_where(run):
            finished = _loop(run, interrupted)
        run.save()
        if not finished:
            raise TrainingInterrupted(
                f'stopped after {state.step} steps, checkpoint saved in {run_dir}'
            )
        final = run.validate()
    return Trained(state.best(), state.step, state.seconds, final)


def _loop(run: _Run, interrupted: threading.Event) -> bool:
    """Train until the budget is spent (True) or until interrupted (False)."""
    config, state = run.config, run.state
    watch, device = Stopwatch(state.seconds), state.model.low.device
    size = batch_rows(run.rows, config)
    parts = micro_batches_of(state.model, size, config.micro_batch, run.processes)
    with (
        closing(Gradients(state.model, size, parts, config.seed)) as gradients,
        closing(batches(run.data, run.rows, config, state.step, device, parts)) as steps,
    ):
        for batch in steps:
            state.seconds = watch.seconds
            progress, stop = run.processes.as_first((run.progress, interrupted.is_set()))
            if progress >= 1.0 or stop:
                return progress >= 1.0
            for group in state.optimizer.param_groups:
                group['lr'] = config.learning_rate.at(state.step, progress)

            state.means.add(update(state, gradients, *batch, run.processes))
            state.step += 1
            run.log.advance()

            if state.step % config.log_every == 0:
                values = {
                    **state.means.take(),
                    'learning_rate': state.optimizer.param_groups[0]['lr'],
                    'steps_per_s': state.step / watch.seconds,
                }
                run.log.write(state.step, values)
            if state.step % config.validate_every == 0:
                run.validate()
            if state.step % config.checkpoint_every == 0:
                run.save()
    raise RuntimeError('the order of the data has no end')


@contextmanager
def _said_where(run: _Run) -> Iterator[None]:
    """Let what ends a run early say what to change and what is left of it."""
    try:
        with memory_errors(
            f'in a step with batch_size {run.config.batch_size}',
            'lower micro_batch, batch_size, the number of counter-examples or the network',
        ):
            yield
    except TrainingDiverged as error:
        aside = set_aside(run.folder, run.state.step) if run.processes.is_first else None
        good = checkpoints(run.folder, run.state.step)
        left = f'the last good checkpoint is {good[-1]}' if good else 'there is no good checkpoint'
        if aside is not None:
            left += f'; from {aside}, set aside, no step is finite'
        raise TrainingDiverged(
            f'{error}: lower learning_rate.initial or check the data; {left}'
        ) from None
