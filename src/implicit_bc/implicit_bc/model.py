"""An energy network together with what its numbers mean: normalizers and bounds.

Training and inference share this module, so that both see the same inputs:

    observation   images (B, T, h, w, 3) uint8 RGB, or states (B, T, D) float32, as in the contract
    action        (B, N, 2), move of the setpoint in the plane of `link_base` [m]
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from ibc_contract.contract import Contract
from implicit_bc.networks.energy import NetworkConfig, make_energy, samples_seen
from implicit_bc.normalization import ActionBounds, Affine, Normalizer

MIN_PIXEL_STD = 0.01
"""Smallest spread of a color channel that is trusted, of 1."""


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class NormalizationConfig:
    """How data becomes network input."""

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
        limit: float,
    ) -> 'Scaling':
        """Measure `observations` (K, h, w, 3) uint8 or (K, D), and `actions` (N, A) [m]."""
        if observations.dtype == np.uint8:
            observed = _pixel_statistics(observations)
        else:
            observed = Affine.z_score(observations)
        bounds = ActionBounds.of_data(actions, config.buffer, limit)
        bounds.require_inside(actions, 'dataset')
        if config.action == 'z_score':
            action = Affine.z_score(actions)
        else:
            action = Affine.min_max(np.array(bounds.low), np.array(bounds.high))
        return cls(observed, action, bounds)


class ImplicitModel(nn.Module):
    """E(o, a) of raw observations; actions stay normalized inside the sampler and the loss."""

    low: Tensor
    high: Tensor

    def __init__(self, contract: Contract, network: NetworkConfig, scaling: Scaling) -> None:
        super().__init__()
        self.contract = contract
        self.network_config = network
        self.scaling = scaling
        self.samples_seen = samples_seen(contract, network)
        self.network = make_energy(contract, network)
        self.observation = Normalizer(scaling.observation)
        self.action = Normalizer(scaling.action)
        low, high = torch.tensor(scaling.bounds.low), torch.tensor(scaling.bounds.high)
        self.register_buffer('low', self.action(low), persistent=False)
        self.register_buffer('high', self.action(high), persistent=False)

    def embed(self, observation: Tensor) -> Tensor:
        """Encode raw observations once, for any number of actions: (B, width)."""
        observation = observation[:, -self.samples_seen :]
        if observation.dtype == torch.uint8:
            observation = stack_frames(observation, self.observation)
        else:
            observation = self.observation(observation)
        return self.network.embed(observation)

    def score(self, embedded: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of normalized `actions` (B, N, A)."""
        return self.network.score(embedded, actions)

    def forward(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of normalized `actions` (B, N, A) for raw observations."""
        return self.score(self.embed(observation), actions)


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


def stack_frames(frames: Tensor, normalizer: Normalizer) -> Tensor:
    """Frames (B, T, h, w, 3) uint8 -> (B, 3T, h, w) float, normalized, channels oldest first.

    The axes are permuted, not reshaped: a reshape would deal the pixels of each frame out over all
    channels. The result is stored channels-last, which CPU convolutions want.
    """
    batch, history, height, width, channels = frames.shape
    stacked = frames.new_empty((batch, height, width, history * channels))
    # One whole channel at a time: moving three bytes of a pixel at a time takes ten times as long.
    for time in range(history):
        for channel in range(channels):
            stacked[..., channels * time + channel] = frames[:, time, :, :, channel]
    scale = (1.0 / (255.0 * normalizer.scale)).repeat(history)
    offset = (-normalizer.offset / normalizer.scale).repeat(history)
    return torch.addcmul(offset, stacked.float(), scale).permute(0, 3, 1, 2)
