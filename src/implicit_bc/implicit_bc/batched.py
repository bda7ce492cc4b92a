"""Decisions for many observations at once: what studies of thousands of steps need."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from implicit_bc.methods import Model

CANDIDATES = 2**16
"""Actions that are scored at a time: bounds the memory, whatever the number of observations."""


class BatchedPolicy:
    """A trained model that answers arrays of observations."""

    def __init__(self, model: Model, seed: int = 0) -> None:
        """Use `model` for inference; `seed` is that of its draws."""
        self.model = model.eval()
        self._generator = torch.Generator(model.low.device).manual_seed(seed)

    @torch.no_grad()
    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions (B, A) float32 for `observations` (B, T, ...)."""
        parts = self._parts(observations)
        return np.concatenate(
            [self._raw(self.model.decide(part, self._generator).best) for part in parts]
        )

    @torch.no_grad()
    def draw(self, observations: np.ndarray, count: int) -> np.ndarray:
        """Actions (B, count, A) that the model draws; see `Model.draw` for what from."""
        parts = self._parts(observations)
        return np.concatenate(
            [self._raw(self.model.draw(part, count, self._generator)) for part in parts]
        )

    def _parts(self, observations: np.ndarray) -> Iterator[Tensor]:
        method = self.model.method
        samples = getattr(getattr(method, 'sampler', method), 'samples', 1)
        at_once = max(1, CANDIDATES // samples)
        for i in range(0, len(observations), at_once):
            part = np.ascontiguousarray(observations[i : i + at_once])
            yield torch.from_numpy(part).to(self.model.low.device)

    def _raw(self, actions: Tensor) -> np.ndarray:
        return self.model.action.inverse(actions).cpu().numpy()


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
