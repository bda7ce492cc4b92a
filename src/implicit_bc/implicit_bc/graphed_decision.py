"""A whole decision as one CUDA graph."""

import math
import time

import torch
from torch import Tensor

from implicit_bc.cuda_graph import Recording, recorded
from implicit_bc.methods import Model
from implicit_bc.samplers import Samples


class GraphedDecision:
    """`model.decide` for one observation at a time, with the weights that it has when called."""

    def __init__(self, model: Model, observation: Tensor, start: Tensor | None = None) -> None:
        """Record a decision on a GPU.

        Args:
            model: What decides.
            observation: A raw observation (1, T, ...), of the shape of all that follow.
            start: Actions (1, K, A) to search from, likewise; None where none ever are given.

        Raises:
            RuntimeError: Something in the decision cannot be recorded; PyTorch says what.
        """
        self._observation = observation.clone()
        self._start = None if start is None else start.clone()
        self._recording = Recording(
            lambda generator: model.decide(self._observation, generator, self._start),
            observation.device,
        )
        self.seconds = math.inf
        """How long the fastest decision took [s]; there is no ending one early. Not the last: a
        single hiccup would keep whoever has less time than that from ever asking again."""
        self(observation, 0, start)

    def __call__(self, observation: Tensor, seed: int, start: Tensor | None = None) -> Samples:
        """Decide for `observation`, with draws of `seed`, from `start` if it was recorded so."""
        begin = time.perf_counter()
        self._observation.copy_(observation)
        if self._start is not None and start is not None:
            self._start.copy_(start)
        made = self._recording.replay(seed)
        # Copies: the next replay overwrites what the graph holds.
        made = Samples(
            made.best.clone(), made.candidates.clone(), made.energies.clone(), made.iterations
        )
        torch.cuda.synchronize(observation.device)
        self.seconds = min(self.seconds, time.perf_counter() - begin)
        return made


def graphed(
    model: Model, observation: Tensor, start: Tensor | None = None
) -> GraphedDecision | None:
    """Record `model`'s decision; where that is impossible, say so in the log and return None."""
    return recorded(lambda: GraphedDecision(model, observation, start))
