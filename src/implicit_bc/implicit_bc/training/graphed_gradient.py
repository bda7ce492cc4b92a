"""The gradient of a batch as one CUDA graph.

Weights are read where the optimizer changes them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from implicit_bc.cuda_graph import Recording, recorded

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
        self._observation, self._action = observation.clone(), action.clone()
        self._recording = Recording(
            lambda generator: take(self._observation, self._action, generator), observation.device
        )

    def __call__(self, observation: Tensor, action: Tensor, seed: int) -> Losses:
        """Take the gradient with draws of `seed`; the next call overwrites it."""
        self._observation.copy_(observation)
        self._action.copy_(action)
        losses, gradients = self._recording.replay(seed)
        return {name: loss.clone() for name, loss in losses.items()}, gradients


def graphed(take: Take, observation: Tensor, action: Tensor) -> GraphedGradient | None:
    """Record `take`; where that is impossible, say so in the log and return None."""
    return recorded(lambda: GraphedGradient(take, observation, action))
