"""Decisions for many observations at once: what studies of thousands of steps need."""

import numpy as np
import torch

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
        sampler = getattr(self.model.method, 'sampler', None)
        at_once = max(1, CANDIDATES // (sampler.samples if sampler else 1))
        device = self.model.low.device
        chosen = []
        for i in range(0, len(observations), at_once):
            part = torch.from_numpy(np.ascontiguousarray(observations[i : i + at_once])).to(device)
            best = self.model.decide(part, self._generator).best
            chosen.append(self.model.action.inverse(best).cpu().numpy())
        return np.concatenate(chosen)


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
