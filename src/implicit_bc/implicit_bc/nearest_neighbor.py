"""The nearest-neighbor baseline of paper C.4: do what was done where it looked most alike."""

import numpy as np
import torch
from torch import Tensor

from ibc_contract.errors import IbcError
from implicit_bc.interface import Observation
from implicit_bc.training.data import TrainingData

PROJECTED = 128
"""Numbers that an image is projected to (paper C.4)."""
_ROWS = 256
"""Observations that are projected or compared at a time: bounds the memory."""


class NearestNeighborPolicy:
    """Answers with the action of the demonstrated observation that is nearest in L2 norm.

    Exact for states, unnormalized, as in the paper. Images are compared after one random Gaussian
    projection, which keeps distances up to some percent (Johnson and Lindenstrauss 1984).
    """

    def __init__(self, data: TrainingData, rows: np.ndarray, seed: int = 0) -> None:
        """Remember `rows` of `data`.

        Args:
            data: Demonstrations.
            rows: Which of its steps.
            seed: Of the projection.
        """
        if not len(rows):
            raise IbcError('nearest neighbor: no demonstrated step to remember')
        self._projection: Tensor | None = None
        if data.spaces.has_images:
            numbers = int(np.prod(data.spaces.observation))
            generator = torch.Generator().manual_seed(seed)
            self._projection = torch.randn(numbers, PROJECTED, generator=generator)
            self._projection /= PROJECTED**0.5
        pieces = [data.batch(rows[i : i + _ROWS]) for i in range(0, len(rows), _ROWS)]
        self._keys = torch.cat([self._key(observation) for observation, _ in pieces])
        self._actions = np.concatenate([action for _, action in pieces])

    def reset(self, rng: np.random.Generator) -> None:
        """Nothing is carried over from tick to tick."""

    def act(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        """Return the nearest step's action (A,)."""
        (array,) = (observation[key] for key in ('image', 'state') if key in observation)
        return self.act_on(np.asarray(array)[None])[0]

    def act_on(self, observations: np.ndarray) -> np.ndarray:
        """Actions (B, A) for `observations` (B, T, ...)."""
        nearest = [
            self._nearest(observations[i : i + _ROWS]) for i in range(0, len(observations), _ROWS)
        ]
        return self._actions[torch.cat(nearest).numpy()]

    def _nearest(self, observations: np.ndarray) -> Tensor:
        """Rows (B,) of what is nearest to `observations` (B, T, ...)."""
        # From differences: |x|^2 - 2 x y + |y|^2 loses small distances far from the origin.
        exact = 'donot_use_mm_for_euclid_dist'
        return torch.cdist(self._key(observations), self._keys, compute_mode=exact).argmin(dim=1)

    def _key(self, observations: np.ndarray) -> Tensor:
        """What is compared of observations (B, T, ...): (B, K)."""
        flat = torch.from_numpy(np.ascontiguousarray(observations)).flatten(1)
        if self._projection is None:
            return flat.float()
        return (flat.float() / 255.0) @ self._projection
