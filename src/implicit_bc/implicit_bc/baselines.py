"""Policies that any learned one must beat."""

import numpy as np

from implicit_bc.interface import Observation


class RandomPolicy:
    """Uniform moves within +-`limit` [m] per axis."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def reset(self, rng: np.random.Generator) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        """Draw a move, (2,) [m]."""
        return rng.uniform(-self.limit, self.limit, size=2)


class DoNothingPolicy:
    """Stays where it is: what the task gives for free."""

    def reset(self, rng: np.random.Generator) -> None:
        """Nothing to forget."""

    def act(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        """Return no move, (2,) [m]."""
        return np.zeros(2)
