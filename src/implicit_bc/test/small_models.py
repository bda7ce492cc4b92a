"""Every method with a small network, to be asked on any device."""

import torch

from implicit_bc.methods import (
    Autoregressive,
    DerivativeFree,
    Langevin,
    MeanSquaredError,
    MixtureDensity,
    Ranking,
)
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import (
    AutoregressiveConfig,
    DerivativeFreeConfig,
    LangevinConfig,
    StepSize,
)
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

SEARCH = DerivativeFreeConfig(16, 3)
METHODS = [
    DerivativeFree(negatives=4, sampler=SEARCH),
    DerivativeFree(negatives=4, sampler=DerivativeFreeConfig(16, 3, pick='draw')),
    Autoregressive(negatives=4, sampler=AutoregressiveConfig(16, 2)),
    Langevin(
        negatives=4,
        uniform_negatives=2,
        sampler=LangevinConfig(16, 3, second_pass=StepSize(1e-5, 1e-5), pick='draw'),
    ),
    Ranking(negatives=4, sampler=SEARCH),
    MixtureDensity(components=3),
    MixtureDensity(components=3, samples=1),
    MeanSquaredError(),
]
STATES = Spaces((2, 3), 2), NetworkConfig(trunk=(16,), value=ValueConfig(16, 2, dropout=0.1))
"""Shapes and network."""
IMAGES = (
    Spaces((2, 12, 16, 3), 2),
    NetworkConfig(
        image=ConvMaxPoolConfig((4, 8), (True, False), keypoints=4),
        value=ValueConfig(16, 4, 'bottleneck', dense='spectral_norm'),
    ),
)


def small_model(method, setting):
    """Build the model of `method`, the same one every time."""
    spaces, network = setting
    width = spaces.observation[-1]  # of a state, or the colors
    scaling = Scaling(
        Affine((0.0,) * width, (1.0,) * width),
        Affine((0.0, 0.0), (1.0, 1.0)),
        ActionBounds((-1.0, -1.0), (1.0, 1.0)),
    )
    torch.manual_seed(0)
    return method.model(spaces, network, scaling)


def observations(spaces, count):
    """Draw (count, T, ...), the same ones every time."""
    generator = torch.Generator().manual_seed(1)
    if spaces.has_images:
        shape = (count, *spaces.observation)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return torch.randn((count, *spaces.observation), generator=generator)
