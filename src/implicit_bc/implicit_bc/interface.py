"""Observation -> action: one interface for learned policies, baselines and demonstrators."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

Observation = Mapping[str, Any]
"""'image': (T, h, w, 3) uint8 RGB, or 'state': (T, D) float32, as the contract says."""


class Policy(Protocol):
    """What decides at every tick."""

    def reset(self, rng: np.random.Generator) -> None:
        """Begin an episode."""
        ...

    def act(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        """Choose the move of the setpoint in the plane of `link_base`, shape (2,) [m]."""
        ...
