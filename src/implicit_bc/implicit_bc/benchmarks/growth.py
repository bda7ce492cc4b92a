"""How time and memory of a training step grow with the batch and the counter-examples."""

import dataclasses
import gc
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

import torch
from tqdm import tqdm

from ibc_contract.errors import IbcError
from implicit_bc.benchmarks.memory import peak_bytes
from implicit_bc.benchmarks.training import (
    make_batch,
    make_sides,
    paper_settings,
    plain_step,
)
from implicit_bc.training.checkpoint import TrainState
from implicit_bc.training.gradients import Gradients, micro_batches_of
from implicit_bc.training.update import update

SIZES = ((128, 64), (128, 128), (128, 256), (256, 256), (512, 256))
"""Batch and counter-examples: candidates from 8 320 to 131 584."""


@dataclass(frozen=True)
class Cost:
    """What one step takes."""

    wall_s: float
    cpu_s: float
    """Of all threads: does not count waiting for other programs."""
    peak_mb: float
    """Memory beyond what there was before the step [10^6 bytes]."""


@dataclass(frozen=True)
class Growth:
    """What a step of one size takes, here and plainly."""

    batch: int
    negatives: int
    candidates: int
    here: Cost
    plain: Cost


def bench_growth(
    sizes: Sequence[tuple[int, int]] = SIZES,
    device: str = 'cpu',
    seed: int = 0,
    progress: bool = True,
) -> list[dict[str, Any]]:
    """Take a step of the paper's state setting at every size, here and plainly.

    Args:
        sizes: Batch and counter-examples of each.
        device: Where both run.
        seed: Of weights, data and draws.
        progress: Show a progress bar if there is a terminal.

    Raises:
        IbcError: The system does not tell how much memory was used; no such device.
    """
    bar = tqdm(sizes, 'growth', unit='size', disable=None if progress else True)
    return [asdict(_measured(batch, negatives, device, seed)) for batch, negatives in bar]


def _measured(batch: int, negatives: int, device: str, seed: int) -> Growth:
    setting = dataclasses.replace(paper_settings()[0], batch=batch, negatives=negatives)
    here, plain = make_sides(setting, device, seed)
    observation, action = make_batch(setting, here.model, seed)
    state = TrainState(here.model, here.optimizer)
    parts = micro_batches_of(here.model, batch, None)
    with closing(Gradients(here.model, batch, parts, seed)) as gradients:
        steps = (
            lambda: update(state, gradients, observation, action),
            lambda: plain_step(plain, setting, observation, action),
        )
        costs = [_cost(step, here.model.low.device) for step in steps]
    return Growth(batch, negatives, batch * (1 + negatives), *costs)


def _cost(step: Callable[[], Any], device: torch.device) -> Cost:
    """Measure `step`, which is done once before."""
    times = []

    def timed() -> None:
        started, busy = time.perf_counter(), time.process_time()
        step()
        if device.type == 'cuda':
            torch.cuda.synchronize()
        times.append((time.perf_counter() - started, time.process_time() - busy))

    timed()
    gc.collect()
    peak = peak_bytes(timed, device)
    if peak is None:
        raise IbcError('peak memory cannot be measured on this system: only Linux counts it')
    wall_s, cpu_s = times[-1]
    return Cost(round(wall_s, 4), round(cpu_s, 4), round(peak / 1e6, 1))
