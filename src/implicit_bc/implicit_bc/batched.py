"""Decisions for many observations at once: what studies of thousands of steps need."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from implicit_bc.methods import Model
from implicit_bc.samplers.samples import require_finite

CANDIDATES = 2**16
"""Actions that are scored at a time. What does not search gets so many observations at a time."""


class BatchedPolicy:
    """A trained model that answers arrays of observations."""

    def __init__(self, model: Model, seed: int = 0) -> None:
        """Use `model` for inference; `seed` is that of its draws."""
        self.model = model.eval()
        self._generator = torch.Generator(model.low.device).manual_seed(seed)

    @torch.no_grad()
    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions (B, A) float64 for `observations` (B, T, ...).

        Raises:
            IbcError: An observation is so far from what was trained on that the network overflows.
        """
        return np.concatenate([self._decided(part) for part in self._parts(observations)])

    @torch.no_grad()
    def draw(self, observations: np.ndarray, count: int) -> np.ndarray:
        """Actions (B, count, A) that the model draws; see `Model.draw` for what from.

        Raises:
            IbcError: As `act`.
        """
        return np.concatenate([self._drawn(part, count) for part in self._parts(observations)])

    def _decided(self, part: Tensor) -> np.ndarray:
        made = self.model.decide(part, self._generator)
        require_finite(made.best, made.energies)
        return self.model.raw(made.best)

    def _drawn(self, part: Tensor, count: int) -> np.ndarray:
        drawn = self.model.draw(part, count, self._generator)
        require_finite(drawn)
        return self.model.raw(drawn)

    def _parts(self, observations: np.ndarray) -> Iterator[Tensor]:
        at_once = max(1, CANDIDATES // self.model.method.candidates)
        for i in range(0, len(observations), at_once):
            part = np.ascontiguousarray(observations[i : i + at_once])
            yield torch.from_numpy(part).to(self.model.low.device)


class History:
    """The newest `length` samples of episodes that run side by side; the first one repeats."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._kept: dict[int, np.ndarray] = {}

    def push(self, samples: np.ndarray, episodes: np.ndarray) -> np.ndarray:
        """Add samples (b, ...) of `episodes` (b,); return their windows (b, T, ...)."""
        for number, sample in zip(episodes.tolist(), samples, strict=True):
            before = self._kept.get(number)
            if before is None:
                before = np.repeat(sample[None], self._length, axis=0)
            self._kept[number] = np.concatenate((before[1:], sample[None]))
        return np.stack([self._kept[number] for number in episodes.tolist()])
