"""The gradient of a small network as one CUDA graph: one launch instead of some hundred kernels.

Recorded once, then replayed on the same memory: batch and seed are put in, losses and gradients lie
where they lay before. Weights are read where the optimizer changes them.
"""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

WARM_UP = 3
"""Runs before the recording: libraries choose kernels and allocate workspaces, which a recording
must not."""

log = logging.getLogger(__name__)

Losses = tuple[dict[str, Tensor], list[Tensor]]
Take = Callable[[Tensor, Tensor, torch.Generator], Losses]
"""Observations, actions and a source of draws -> losses and gradients."""


class GraphedGradient:
    """A `Take` for batches of one shape."""

    def __init__(self, take: Take, observation: Tensor, action: Tensor) -> None:
        """Record `take` for batches such as these, on a GPU.

        Raises:
            RuntimeError: Something in it cannot be recorded; PyTorch says what.
        """
        device = observation.device
        self._observation, self._action = observation.clone(), action.clone()
        self._generator = torch.Generator(device)
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(self._generator)
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                take(self._observation, self._action, self._generator)
        torch.cuda.current_stream(device).wait_stream(side)
        # Another thread loads the next batch meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode='thread_local'):
            self._losses, self._gradients = take(self._observation, self._action, self._generator)

    def __call__(self, observation: Tensor, action: Tensor, seed: int) -> Losses:
        """Take the gradient with draws of `seed`; the next call overwrites it."""
        self._observation.copy_(observation)
        self._action.copy_(action)
        self._generator.manual_seed(seed)
        self._graph.replay()
        return {name: loss.clone() for name, loss in self._losses.items()}, self._gradients


def graphed(take: Take, observation: Tensor, action: Tensor) -> GraphedGradient | None:
    """Record `take`; where that is impossible, say so in the log and return None."""
    try:
        return GraphedGradient(take, observation, action)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        log.warning('no CUDA graph, every kernel is launched by itself: %s', reason)
        return None
