"""A whole decision as one CUDA graph: one launch instead of some hundred small kernels.

On a GPU the arithmetic of a decision takes a fraction of the time that launching its kernels one by
one takes. A graph is recorded once and then replayed on the same memory: the observation is copied
in, the seed is set, the answer is copied out.
"""

import logging
import time

import torch
from torch import Tensor

from implicit_bc.methods import Model
from implicit_bc.samplers import Samples

WARM_UP = 3
"""Decisions before the recording: libraries choose kernels and allocate workspaces, which a
recording must not."""

log = logging.getLogger(__name__)


class GraphedDecision:
    """`model.decide` for one observation at a time, with the weights that it has when called."""

    def __init__(self, model: Model, observation: Tensor) -> None:
        """Record a decision for raw observations such as `observation` (1, T, ...) on a GPU.

        Raises:
            RuntimeError: Something in the decision cannot be recorded; PyTorch says what.
        """
        device = observation.device
        self._observation = observation.clone()
        self._generator = torch.Generator(device)
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(self._generator)
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                model.decide(self._observation, self._generator)
        torch.cuda.current_stream(device).wait_stream(side)
        with torch.cuda.graph(self._graph, capture_error_mode='thread_local'):
            self._made = model.decide(self._observation, self._generator)
        self.seconds = 0.0
        """How long the last decision took [s]; there is no ending it early."""
        self(observation, 0)

    def __call__(self, observation: Tensor, seed: int) -> Samples:
        """Decide for `observation`, with draws of `seed`."""
        start = time.perf_counter()
        self._observation.copy_(observation)
        self._generator.manual_seed(seed)
        self._graph.replay()
        # Copies: the next replay overwrites what the graph holds.
        made = Samples(
            self._made.best.clone(),
            self._made.candidates.clone(),
            self._made.energies.clone(),
            self._made.iterations,
        )
        torch.cuda.synchronize(observation.device)
        self.seconds = time.perf_counter() - start
        return made


def graphed(model: Model, observation: Tensor) -> GraphedDecision | None:
    """Record `model`'s decision; where that is impossible, say so in the log and return None."""
    try:
        return GraphedDecision(model, observation)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        log.warning('no CUDA graph, every kernel is launched by itself: %s', reason)
        return None
