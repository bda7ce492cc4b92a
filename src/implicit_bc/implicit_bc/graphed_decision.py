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

    def __init__(self, model: Model, observation: Tensor) -> None:
        """Record a decision for raw observations such as `observation` (1, T, ...) on a GPU.

        Raises:
            RuntimeError: Something in the decision cannot be recorded; PyTorch says what.
        """
        self._observation = observation.clone()
        self._recording = Recording(
            lambda generator: model.decide(self._observation, generator), observation.device
        )
        self.seconds = math.inf
        """How long the fastest decision took [s]; there is no ending one early. Not the last: a
        single hiccup would keep whoever has less time than that from ever asking again."""
        self(observation, 0)

    def __call__(self, observation: Tensor, seed: int) -> Samples:
        """Decide for `observation`, with draws of `seed`."""
        start = time.perf_counter()
        self._observation.copy_(observation)
        made = self._recording.replay(seed)
        # Copies: the next replay overwrites what the graph holds.
        made = Samples(
            made.best.clone(), made.candidates.clone(), made.energies.clone(), made.iterations
        )
        torch.cuda.synchronize(observation.device)
        self.seconds = min(self.seconds, time.perf_counter() - start)
        return made


def graphed(model: Model, observation: Tensor) -> GraphedDecision | None:
    """Record `model`'s decision; where that is impossible, say so in the log and return None."""
    return recorded(lambda: GraphedDecision(model, observation))
