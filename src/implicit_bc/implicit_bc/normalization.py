"""Affine normalizers and the box of actions, both stored with every model."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ibc_contract.errors import IbcError

RESOLUTION = 1e-6
"""Smallest spread that is trusted, as a fraction of magnitude: several steps of float32."""
CONSTANT_MARGIN = 100
"""Half-width of the box around a constant action, in smallest spreads."""
TINY = 1e-30
"""Whatever is smaller is zero: its square would soon be too small for float32."""


def smallest_spread(data: np.ndarray) -> np.ndarray:
    """Spread up to which each dimension of `data` (N, D) counts as constant, (D,).

    It goes by the magnitude of the dimension, whatever its unit. Around zero, where magnitude is
    noise as well, it goes by that of all dimensions, as long as that is not above 1: one of them
    may have large numbers and the next small ones that matter.
    """
    magnitude = np.abs(data).max(axis=0).astype(np.float64)
    largest = magnitude.max(initial=0.0)
    return RESOLUTION * np.maximum(magnitude, min(1.0, largest) if largest > TINY else 1.0)


def constant_dimensions(data: np.ndarray) -> np.ndarray:
    """Tell which dimensions of `data` (N, D) do not vary, (D,) bool."""
    return data.std(axis=0, dtype=np.float64) <= smallest_spread(data)


@dataclass(frozen=True)
class Affine:
    """Per-dimension map x -> (x - offset) / scale, as plain numbers for a file."""

    offset: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def z_score(cls, data: np.ndarray) -> 'Affine':
        """Zero mean and unit variance of `data` (N, D).

        A dimension that does not vary (`constant_dimensions`) keeps its units (scale 1): divided by
        a tiny spread, the first deviation at run time would swamp every other input.
        """
        mean, std = data.mean(axis=0, dtype=np.float64), data.std(axis=0, dtype=np.float64)
        return cls(_numbers(mean), _numbers(np.where(constant_dimensions(data), 1.0, std)))

    @classmethod
    def min_max(cls, low: np.ndarray, high: np.ndarray) -> 'Affine':
        """Map the box from `low` to `high`, each (D,), to [-1, 1]."""
        corners = np.stack((low, high)).astype(np.float64)
        half = np.where(constant_dimensions(corners), 1.0, (corners[1] - corners[0]) / 2)
        return cls(_numbers(corners.mean(axis=0)), _numbers(half))


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
        actions must lie, but never inside the data: every demonstrated action is inside. Around a
        constant, it is as narrow as can still be told from a point.
        """
        lowest, highest = actions.min(axis=0), actions.max(axis=0)
        around_constant = CONSTANT_MARGIN * smallest_spread(actions)
        constant = constant_dimensions(actions)
        margin = np.where(constant, around_constant, buffer * (highest - lowest))
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
