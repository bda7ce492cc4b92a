"""What training needs to know of its data."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from ibc_contract.errors import IbcError
from implicit_bc.spaces import Spaces


class TrainingData(Protocol):
    """Demonstrated steps: a dataset of bags, or arrays in memory."""

    @property
    def observations(self) -> np.ndarray:
        """Every sample once: (K, h, w, 3) uint8, or (K, D) float32."""
        ...

    @property
    def actions(self) -> np.ndarray:
        """(N, A) float32."""
        ...

    @property
    def index(self) -> np.ndarray:
        """(N, T) rows of `observations` that a step sees, oldest first."""
        ...

    @property
    def spaces(self) -> Spaces:
        """Shapes of observations and actions."""
        ...

    @property
    def hash(self) -> str:
        """Changes with any number."""
        ...

    @property
    def action_limits(self) -> tuple[float, float]:
        """Lowest and highest number that an action may hold."""
        ...

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Observations (B, T, ...) and actions (B, A) of `rows` (B,), copied into memory."""
        ...

    def split(self, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows for training and for validation."""
        ...


def split_episodes(
    episode: np.ndarray, count: int, holdout: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows for training and for validation; whole episodes go to one side.

    At least one episode stays for training, and with `holdout` > 0 and two episodes or more, at
    least one is held out.

    Args:
        episode: (N,) number of the episode that a row comes from.
        count: Number of episodes.
        holdout: Fraction of them to hold out.
        seed: Which.
    """
    held = min(count - 1, max(1, round(holdout * count))) if holdout > 0 else 0
    chosen = np.random.default_rng(seed).permutation(count)[:held]
    mask = np.isin(episode, chosen)
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def require_finite(name: str, rows: np.ndarray) -> None:
    """Raise IbcError naming the first of `rows` (N, ...) that holds NaN or infinity."""
    if rows.dtype.kind != 'f':
        return
    wrong = np.flatnonzero(~np.isfinite(rows.reshape(len(rows), -1)).all(axis=1))
    if wrong.size:
        raise IbcError(
            f'{name} hold numbers that are not finite in row {int(wrong[0])}, '
            f'one of {wrong.size}: leave these rows out'
        )


@dataclass(frozen=True)
class ArrayData:
    """Steps in memory: what the studies train on."""

    observations: np.ndarray
    """(N, D) float32 states, or (N, h, w, 3) uint8 images."""
    actions: np.ndarray
    """(N, A) float32."""
    episode: np.ndarray
    """(N,) number of the episode, from 0 on, each one's rows in order of time."""
    history: int = 1
    """Samples that an observation holds; before the first of an episode, it repeats."""
    action_limits: tuple[float, float] = (-np.inf, np.inf)

    def __post_init__(self) -> None:
        lengths = {len(self.observations), len(self.actions), len(self.episode)}
        if lengths == {0} or len(lengths) > 1:
            raise IbcError(
                f'{len(self.observations)} observations, {len(self.actions)} actions and '
                f'{len(self.episode)} episode numbers: as many of each are needed, and at least one'
            )
        for name in ('observations', 'actions'):
            require_finite(name, getattr(self, name))
        steps = np.diff(self.episode)
        if self.episode[0] != 0 or not ((steps == 0) | (steps == 1)).all():
            raise IbcError(
                'episode numbers must count up from 0, the rows of an episode one after the other: '
                'sort the rows and number the episodes anew'
            )
        if self.history < 1:
            raise IbcError(f'history is {self.history}: an observation holds at least 1 sample')

    @property
    def spaces(self) -> Spaces:
        """Shapes of observations and actions."""
        return Spaces((self.history, *self.observations.shape[1:]), self.actions.shape[1])

    @property
    def hash(self) -> str:
        """Changes with any number."""
        digest = hashlib.sha256(repr((self.history, self.action_limits)).encode())
        for array in (self.observations, self.actions, self.episode):
            digest.update(repr((array.shape, array.dtype.str)).encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()[:16]

    @property
    def index(self) -> np.ndarray:
        """(N, T) rows of `observations` that a step sees, oldest first."""
        return self._index

    @cached_property
    def _index(self) -> np.ndarray:
        rows = np.arange(len(self.episode))
        first = np.maximum.accumulate(np.where(np.diff(self.episode, prepend=-1) != 0, rows, 0))
        ages = np.arange(self.history - 1, -1, -1)
        return np.maximum(rows[:, None] - ages, first[:, None])

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Observations (B, T, ...) and actions (B, A) of `rows` (B,)."""
        return self.observations[self.index[rows]], self.actions[rows]

    def split(self, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows for training and for validation; whole episodes go to one side."""
        return split_episodes(self.episode, int(self.episode[-1]) + 1, holdout, seed)
