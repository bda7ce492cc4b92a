"""From dataset rows to tensors, in an order that follows from the seed and the step alone."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from implicit_bc.training.augmentation import random_shifts, shift_frames
from implicit_bc.training.config import TrainConfig
from implicit_bc.training.data import TrainingData
from implicit_bc.training.data_checks import require_batch
from implicit_bc.training.device_data import DeviceData, fits
from implicit_bc.training.gradients import MicroBatch


def batch_rows(rows: np.ndarray, config: TrainConfig) -> int:
    """Rows of a batch: the configured number, or all where there are fewer."""
    return min(config.batch_size, len(rows))


def data_order(rows: np.ndarray, batch_size: int, seed: int, step: int) -> Iterator[np.ndarray]:
    """Yield the rows of each batch from `step` on: every epoch in a new order, without end."""
    size = min(batch_size, len(rows))
    per_epoch = len(rows) // size
    while True:
        epoch, first = divmod(step, per_epoch)
        order = np.random.default_rng((seed, epoch)).permutation(rows)
        for i in range(first, per_epoch):
            yield order[i * size : (i + 1) * size]
        step += per_epoch - first


def batches(
    data: TrainingData,
    rows: np.ndarray,
    config: TrainConfig,
    step: int,
    device: torch.device,
    parts: Sequence[MicroBatch],
) -> Generator[tuple[Tensor, Tensor], None, None]:
    """Yield `parts` of the batch of every step from `step` on, without end.

    Observations (b, T, ...) and actions (b, A), the parts one after the other. The next batch is
    loaded while the last one is learned from: copying frames leaves most of a machine idle. Whoever
    stops closes the generator, which waits for that load and ends its thread.
    """
    order = data_order(rows, config.batch_size, config.seed, step)
    on_device = DeviceData(data, device) if fits(data, device) else None
    mine = np.concatenate([np.arange(part.start, part.stop) for part in parts])

    def load(step: int) -> tuple[Tensor, Tensor]:
        batch = next(order)
        shifts = None
        if config.random_shift_px and data.spaces.has_images:
            rng = np.random.default_rng((config.seed, step))
            shifts = random_shifts(len(batch), config.random_shift_px, rng)[mine]
        if on_device is not None:
            return on_device.batch(batch[mine], shifts)
        return load_batch(data, batch[mine], device, shifts)

    with ThreadPoolExecutor(1, 'batches') as loader:
        upcoming = loader.submit(load, step)
        while True:
            batch = upcoming.result()
            step += 1
            upcoming = loader.submit(load, step)
            yield batch


def load_batch(
    data: TrainingData, rows: np.ndarray, device: torch.device, shifts: np.ndarray | None = None
) -> tuple[Tensor, Tensor]:
    """Observations (B, T, ...) and actions (B, A) of `rows`, images moved by `shifts` (B, 2)."""
    observation, action = data.batch(rows)
    require_batch(data.spaces, observation, action)
    if shifts is not None:
        observation = shift_frames(observation, shifts)
    return torch.from_numpy(observation).to(device), torch.from_numpy(action).to(device)


def spread_rows(count: int, most: int) -> np.ndarray:
    """At most `most` row numbers of `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
