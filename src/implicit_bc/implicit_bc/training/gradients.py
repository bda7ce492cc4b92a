"""The gradient of a batch from micro-batches: each small enough for a core's cache, one per core.

Every loss here is a mean over the observations of a batch, so the gradient of a batch is the
weighted mean of those of its parts. A step over 512 x 257 candidates in one piece moves every
activation through main memory several times; in pieces that stay in the cache the same arithmetic
takes about half the time, and the cores need not wait for each other after every operation.

What the loss draws (counter-examples, noise, dropout) follows from the seed, the step and the
number of the micro-batch alone, whoever takes it. So a batch that several processes share gives the
gradient that one process would take.
"""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue

import numpy as np
import torch
from torch import Tensor

from ibc_contract.errors import IbcError
from implicit_bc.methods import Model
from implicit_bc.networks.dropout import dropping_by
from implicit_bc.precision import dense_layers
from implicit_bc.threads import one_thread, single_threads
from implicit_bc.training.graphed_gradient import GraphedGradient, graphed
from implicit_bc.training.processes import ALONE, Processes

CACHE_BYTES = 2**20
"""Activations of a layer for a micro-batch's candidates on a CPU: half of a present core's
second-level cache, so that an operation finds its input there and leaves its output there."""
FEWEST = 8
"""Observations of a micro-batch on a CPU, even if too large for the cache: with fewer, what is done
once per micro-batch begins to count."""
MOST_IMAGES = 16
"""Images in a micro-batch on a CPU, even if there are few candidates: the activations of
convolutions do not fit the cache, and more of them take memory without being faster."""
GROUPS_PER_THREAD = 4
"""Sums that a batch is dealt into: a thread that is held up leaves the rest of them to others."""
FLOAT_BYTES = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MicroBatch:
    """Consecutive rows of a batch."""

    number: int
    """Among those of the whole batch."""
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def micro_batches(batch: int, size: int, processes: Processes = ALONE) -> list[MicroBatch]:
    """Cut a batch into parts of `size` rows (the last may be smaller); those of this process."""
    parts = [
        MicroBatch(number, start, min(start + size, batch))
        for number, start in enumerate(range(0, batch, size))
    ]
    return parts[processes.rank :: processes.count]


def micro_batches_of(
    model: Model, batch: int, size: int | None, processes: Processes = ALONE
) -> list[MicroBatch]:
    """Cut a batch for `model`, into parts of `size` rows or of what suits the device.

    Raises:
        IbcError: There are fewer parts than processes.
    """
    share = -(-batch // processes.count)
    if size is None and model.low.device.type == 'cpu':
        count = max(1, round(share / _suiting_a_cpu(model)))
        size = -(-share // count)  # of equal size, rather than a small rest
    size = min(size or share, share)
    parts = micro_batches(batch, size, processes)
    if not parts:
        raise IbcError(
            f'a batch of {batch} rows in micro-batches of {size} is not enough for '
            f'{processes.count} processes: lower micro_batch or start fewer'
        )
    return parts


def _suiting_a_cpu(model: Model) -> int:
    """Observations of a micro-batch on a CPU."""
    candidates = 1 + model.method.counter_examples
    fitting = CACHE_BYTES // (FLOAT_BYTES * candidates * model.network_config.value.width)
    most = MOST_IMAGES if model.spaces.has_images else fitting
    return max(FEWEST, min(fitting, most))


Pieces = Sequence[tuple[MicroBatch, Tensor, Tensor]]
"""Micro-batches with their observations and actions."""
Sum = tuple[dict[str, Tensor], list[Tensor]]
"""Losses and gradients."""


class Gradients:
    """Takes the gradients of a model's losses, batch by batch."""

    def __init__(self, model: Model, batch: int, parts: Sequence[MicroBatch], seed: int) -> None:
        """Prepare to take gradients.

        Args:
            model: Its parameters get the gradients.
            batch: Rows of a whole batch, over all processes.
            parts: Those of this process.
            seed: Of all draws.
        """
        self._parameters = list(model.parameters())
        self._batch = batch
        self._parts = parts
        self._seed = seed
        device = model.low.device
        threads = torch.get_num_threads() if device.type == 'cpu' else 1
        # With fewer parts than threads, the threads are better used inside the operations.
        threads = threads if len(parts) >= threads else 1
        self._pool = single_threads(threads, 'gradients') if threads > 1 else None
        self._groups = min(len(parts), GROUPS_PER_THREAD * threads) if threads > 1 else 1
        # Launching the kernels of a step one by one takes longer than many of them run.
        self._may_record = device.type == 'cuda' and len(parts) == 1
        if device.type != 'cpu' and len(parts) > 1:
            log.warning(
                'no CUDA graph for a batch of %d micro-batches, every kernel is launched by '
                'itself: where memory allows, leave out micro_batch',
                len(parts),
            )
        self._graph: GraphedGradient | None = None
        # Copies with a training mode of their own, which a chain of samples switches while it runs,
        # around the same tensors.
        shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self._models: SimpleQueue[Model] = SimpleQueue()
        for _ in range(threads):
            self._models.put(copy.deepcopy(model, dict(shared)))

    @property
    def in_threads(self) -> bool:
        """Whether threads of its own take them."""
        return self._pool is not None

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def take(self, step: int, observation: Tensor, action: Tensor) -> dict[str, Tensor]:
        """Set the parameters' gradients; return the losses, this process's share of their means.

        Args:
            step: Number of the step, for the draws.
            observation: (b, T, ...) of this process's micro-batches, one after the other.
            action: (b, A), likewise.
        """
        sizes = [len(part) for part in self._parts]
        pieces = list(zip(self._parts, observation.split(sizes), action.split(sizes), strict=True))
        groups = [pieces[i :: self._groups] for i in range(self._groups)]
        if self._pool:
            with one_thread():  # for sums of sums, threads would wait longer than they work
                begun = [self._pool.submit(self._sum, step, group) for group in groups]
                losses, gradients = _added_up([sum.result() for sum in begun])
        else:
            losses, gradients = self._sum(step, groups[0])
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        return losses

    def _sum(self, step: int, pieces: Pieces) -> Sum:
        """Losses and gradients of some micro-batches, weighted by their size and summed."""
        model = self._models.get()
        try:
            return self._sum_with(model, step, pieces)
        finally:
            self._models.put(model)

    def _sum_with(self, model: Model, step: int, pieces: Pieces) -> Sum:
        losses: dict[str, Tensor] = {}
        gradients: list[Tensor] = []
        for part, observation, action in pieces:
            seed = draw_seed(self._seed, step, part.number)
            found, taken = self._of_part(model, part, observation, action, seed)
            if gradients:
                torch._foreach_add_(gradients, taken)
            else:
                gradients = taken
            for name, loss in found.items():
                losses[name] = losses[name] + loss if name in losses else loss
        return losses, gradients

    def _of_part(
        self, model: Model, part: MicroBatch, observation: Tensor, action: Tensor, seed: int
    ) -> Sum:
        """Losses and gradients of a micro-batch, weighted by its size."""
        take = partial(self._take, model, len(part) / self._batch)
        if not self._may_record:
            generator = torch.Generator(action.device).manual_seed(seed)
            return take(observation, action, generator)
        if self._graph is None:
            self._graph = graphed(take, observation, action)
            self._may_record = self._graph is not None
        if self._graph is None:
            return self._of_part(model, part, observation, action, seed)
        return self._graph(observation, action, seed)

    def _take(
        self,
        model: Model,
        weight: float,
        observation: Tensor,
        action: Tensor,
        generator: torch.Generator,
    ) -> Sum:
        with dropping_by(generator, model), dense_layers(model.precision, action.device):
            losses = model.losses(observation, action, generator)
            gradients = torch.autograd.grad(
                weight * losses['loss'], self._parameters, allow_unused=True, materialize_grads=True
            )
        return {name: weight * loss.detach() for name, loss in losses.items()}, list(gradients)


def _added_up(sums: Sequence[Sum]) -> Sum:
    """Add up sums in their order, into the gradients of the first one."""
    losses, gradients = sums[0]
    for more_losses, more_gradients in sums[1:]:
        losses = {name: loss + more_losses[name] for name, loss in losses.items()}
        torch._foreach_add_(gradients, more_gradients)
    return losses, gradients


def draw_seed(seed: int, step: int, number: int) -> int:
    """Seed of what the loss of one micro-batch draws."""
    return int(np.random.SeedSequence((seed, step, number)).generate_state(1, np.uint64)[0])
