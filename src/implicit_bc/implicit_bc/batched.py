"""Decisions for many observations at once: what studies of thousands of steps need."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from implicit_bc.methods import Model
from implicit_bc.samplers.samples import Samples, resample

CANDIDATES = 2**16
"""Actions that are scored at a time: bounds the memory, whatever the number of observations."""


class BatchedPolicy:
    """A trained model that answers arrays of observations."""

    def __init__(self, model: Model, seed: int = 0) -> None:
        """Use `model` for inference; `seed` is that of its draws."""
        self.model = model.eval()
        self._generator = torch.Generator(model.low.device).manual_seed(seed)

    def act(self, observations: np.ndarray) -> np.ndarray:
        """Actions (B, A) float32 for `observations` (B, T, ...)."""
        return np.concatenate([self._raw(made.best) for made in self._decide(observations)])

    def draw(self, observations: np.ndarray, count: int) -> np.ndarray:
        """Actions (B, count, A) drawn from the final candidates by exp(-energy)."""
        return np.concatenate(
            [
                self._raw(resample(made.candidates, made.energies, count, self._generator))
                for made in self._decide(observations)
            ]
        )

    @torch.no_grad()
    def _decide(self, observations: np.ndarray) -> Iterator[Samples]:
        sampler = getattr(self.model.method, 'sampler', None)
        at_once = max(1, CANDIDATES // (sampler.samples if sampler else 1))
        device = self.model.low.device
        for i in range(0, len(observations), at_once):
            part = torch.from_numpy(np.ascontiguousarray(observations[i : i + at_once])).to(device)
            yield self.model.decide(part, self._generator)

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
