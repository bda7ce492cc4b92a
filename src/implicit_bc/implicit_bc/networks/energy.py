"""The energy E(observation, action): low is good; only differences for one observation count.

Late fusion (paper E.2): the observation is encoded once, however many actions are scored, and its
half of the first dense layer is computed once too and added to the action's half. That equals a
dense layer over the concatenation. The paper has no trunk; on a CPU it is where capacity costs
least, because it too is computed once per observation.
"""

import itertools
from collections.abc import Sequence
from typing import Annotated

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from ibc_contract.errors import IbcError
from implicit_bc.networks.conv_maxpool import ConvMaxPool, ConvMaxPoolConfig
from implicit_bc.networks.mlp import ValueConfig, ValueNetwork
from implicit_bc.precision import full_precision
from implicit_bc.spaces import Spaces


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class NetworkConfig:
    """An energy network; `image` counts only for contracts that have images."""

    history: Annotated[int, Field(ge=1)] | None = None
    """How many of the newest samples of an observation the network sees; all by default. Two show
    where the tool is going, and where demonstrations are smooth a network may learn no more than to
    go on like that (the copycat problem: de Haan et al. 2019, Wen et al. 2020)."""
    image: ConvMaxPoolConfig = ConvMaxPoolConfig()
    trunk: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Widths of dense layers with ReLU between encoder and fusion; none in the paper."""
    value: ValueConfig = ValueConfig()


class FlatEncoder(nn.Module):
    """States (B, T, D) -> (B, T * D): the plain MLP energy of paper E.1."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, observation: Tensor) -> Tensor:
        """Flatten time and state."""
        return observation.flatten(1)


class EnergyNetwork(nn.Module):
    """E(o, a) for one observation and many actions at a time."""

    def __init__(
        self,
        encoder: ConvMaxPool | FlatEncoder,
        value: ValueConfig,
        action_dim: int,
        trunk: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        widths = (encoder.features, *trunk)
        self.trunk = nn.Sequential(
            *(
                layer
                for inputs, outputs in itertools.pairwise(widths)
                for layer in (nn.Linear(inputs, outputs), nn.ReLU(inplace=True))
            )
        )
        self.observation_half = nn.Linear(widths[-1], value.width)
        self.action_half = nn.Linear(action_dim, value.width, bias=False)
        self.value = ValueNetwork(value)
        if value.init == 'normal':
            _released_init(self)

    def embed(self, observation: Tensor) -> Tensor:
        """Normalized observation (B, ...) -> its half of the first dense layer (B, width)."""
        features = self.encoder(observation)
        with full_precision(features.device):
            return self.observation_half(self.trunk(features.float()))

    def score(self, embedded: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of normalized `actions` (B, N, A) for `embedded` (B, width)."""
        return self.value(self.action_half(actions) + embedded[:, None])[..., 0]

    def forward(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N): `embed`, then `score`."""
        return self.score(self.embed(observation), actions)


def samples_seen(spaces: Spaces, config: NetworkConfig) -> int:
    """Number of an observation's samples that the network sees."""
    if config.history is None:
        return spaces.history
    if config.history > spaces.history:
        raise IbcError(
            f'network.history is {config.history}, but an observation has {spaces.history} samples'
        )
    return config.history


def make_energy(spaces: Spaces, config: NetworkConfig) -> EnergyNetwork:
    """Build the network for observations and actions of `spaces`."""
    encoder = make_encoder(spaces, config)
    return EnergyNetwork(encoder, config.value, spaces.action, config.trunk)


def make_encoder(spaces: Spaces, config: NetworkConfig) -> ConvMaxPool | FlatEncoder:
    """Build what turns the observations of `spaces` into features."""
    history = samples_seen(spaces, config)
    if spaces.has_images:
        height, width = spaces.observation[1:3]
        return ConvMaxPool(3 * history, height, width, config.image)
    return FlatEncoder(history * spaces.observation[1])


@torch.no_grad()
def _released_init(network: nn.Module) -> None:
    """N(0, 0.05) for dense weights and biases, Glorot-uniform convolutions with zero bias."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.weight.normal_(0.0, 0.05)
            if module.bias is not None:
                module.bias.normal_(0.0, 0.05)
        elif isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                module.bias.zero_()
