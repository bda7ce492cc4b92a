"""What the numbers of one model mean: normalizers and bounds, measured on its data."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
import pydantic
from pydantic import ConfigDict, Field

from implicit_bc.normalization import ActionBounds, Affine

MIN_PIXEL_STD = 0.01
"""Smallest spread of a color channel that is trusted, of 1."""


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class NormalizationConfig:
    """How data becomes network input."""

    observation: Literal['z_score', 'root_std'] = 'z_score'
    """'root_std' divides by the root of the standard deviation instead, as the released code does
    for D4RL: dimensions that move little then count less."""
    action: Literal['z_score', 'min_max'] = 'z_score'
    """'z_score' is the paper's choice for derivative-free models (B.1), 'min_max' maps the bounds
    to [-1, 1]. The sampler's sigma is in these units."""
    buffer: Annotated[float, Field(ge=0)] = 0.05
    """The sampled box exceeds the data by this fraction of its range on each side (D.5)."""


@dataclass(frozen=True)
class Scaling:
    """Normalizers and bounds of one model, as they stand in its file."""

    observation: Affine
    """Per color channel of images in [0, 1]; per number of a state."""
    action: Affine
    bounds: ActionBounds

    @classmethod
    def of_data(
        cls,
        observations: np.ndarray,
        actions: np.ndarray,
        config: NormalizationConfig,
        limits: tuple[float, float],
    ) -> 'Scaling':
        """Measure `observations` (K, h, w, 3) uint8 or (K, D), and `actions` (N, A).

        The box of actions ends at `limits`, see `ActionBounds.of_data`.
        """
        if observations.dtype == np.uint8:
            observed = _pixel_statistics(observations)
        else:
            observed = Affine.z_score(observations)
        if config.observation == 'root_std':
            observed = replace(observed, scale=tuple(scale**0.5 for scale in observed.scale))
        bounds = ActionBounds.of_data(actions, config.buffer, limits)
        bounds.require_inside(actions, 'dataset')
        if config.action == 'z_score':
            action = Affine.z_score(actions)
        else:
            action = Affine.min_max(np.array(bounds.low), np.array(bounds.high))
        return cls(observed, action, bounds)


def _pixel_statistics(frames: np.ndarray) -> Affine:
    """Mean and spread of each color of `frames` (K, h, w, 3) uint8, as fractions of 255.

    From histograms: a float copy of a few thousand frames would not fit into memory.
    """
    levels = np.arange(256) / 255.0
    shares = [
        np.bincount(frames[..., i].ravel(), minlength=256) / frames[..., i].size for i in range(3)
    ]
    means = [float(share @ levels) for share in shares]
    spreads = [
        float(share @ (levels - mean) ** 2) ** 0.5
        for share, mean in zip(shares, means, strict=True)
    ]
    return Affine(
        tuple(means), tuple(spread if spread > MIN_PIXEL_STD else 1.0 for spread in spreads)
    )
