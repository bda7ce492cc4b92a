"""Affine normalizers and the box of actions, both stored with every model."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ibc_contract.errors import IbcError

MIN_SPREAD = 1e-4
"""Smallest spread that is trusted [m or rad]: anything below is constant in the data."""


@dataclass(frozen=True)
class Affine:
    """Per-dimension map x -> (x - offset) / scale, as plain numbers for a file."""

    offset: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def z_score(cls, data: np.ndarray, floor: float = MIN_SPREAD) -> 'Affine':
        """Zero mean and unit variance of `data` (N, D).

        A dimension that hardly moves keeps its units (scale 1): divided by a tiny spread, the first
        deviation at run time would swamp every other input.
        """
        mean, std = data.mean(axis=0, dtype=np.float64), data.std(axis=0, dtype=np.float64)
        constant = std < floor
        return cls(_numbers(mean), _numbers(np.where(constant, 1.0, std)))

    @classmethod
    def min_max(cls, low: np.ndarray, high: np.ndarray) -> 'Affine':
        """Map the box from `low` to `high`, each (D,), to [-1, 1]."""
        half = np.maximum((np.asarray(high) - np.asarray(low)) / 2, MIN_SPREAD)
        return cls(_numbers((np.asarray(high) + np.asarray(low)) / 2), _numbers(half))


@dataclass(frozen=True)
class ActionBounds:
    """Box of actions the sampler draws from, per dimension [m]."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of_data(
        cls, actions: np.ndarray, buffer: float, limits: tuple[float, float]
    ) -> 'ActionBounds':
        """Data minimum and maximum of `actions` (N, D), widened by `buffer` x range on each side.

        The paper's "action boundary buffer" (D.1, D.5). The box ends at `limits`, between which
        actions must lie, but never inside the data: every demonstrated action is inside.
        """
        lowest, highest = actions.min(axis=0), actions.max(axis=0)
        margin = np.maximum(buffer * (highest - lowest), MIN_SPREAD)
        low = np.minimum(np.maximum(lowest - margin, limits[0]), lowest)
        high = np.maximum(np.minimum(highest + margin, limits[1]), highest)
        return cls(_numbers(low), _numbers(high))

    def require_inside(self, actions: np.ndarray, what: str) -> None:
        """Raise IbcError naming the first row of `actions` (N, D) outside the box."""
        inside = (actions >= np.array(self.low) - 1e-9) & (actions <= np.array(self.high) + 1e-9)
        outside = np.flatnonzero(~inside.all(axis=1))
        if outside.size:
            row = int(outside[0])
            raise IbcError(
                f'{what}: action {actions[row].tolist()} m (row {row}, one of {outside.size}) lies '
                f'outside the bounds {list(self.low)} .. {list(self.high)} m'
            )


class Normalizer(nn.Module):
    """An `Affine` on the device of the model; not part of its weights."""

    offset: Tensor
    scale: Tensor

    def __init__(self, affine: Affine) -> None:
        super().__init__()
        self.affine = affine
        self.register_buffer('offset', torch.tensor(affine.offset), persistent=False)
        self.register_buffer('scale', torch.tensor(affine.scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize `x` (..., D)."""
        return (x - self.offset) / self.scale

    def inverse(self, x: Tensor) -> Tensor:
        """Undo `forward`."""
        return x * self.scale + self.offset


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in np.asarray(values, np.float64))
