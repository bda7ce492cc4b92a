"""The energy E(observation, action): low is good; only differences for one observation count.

Late fusion (paper E.2): the observation is encoded once, however many actions are scored, and its
half of the first dense layer is computed once too and added to the action's half. Once learned,
that equals a dense layer over the concatenation. It need not begin as one: with PyTorch's first
weights (`init: uniform`) each half is drawn for its own number of inputs, so that 2 action numbers
beside 254 features get weights up to 0.71 where one layer over all would give them 0.06. An energy
is there to tell actions apart, and that way they count from the first step. `init: normal` draws
all weights alike, as the released code does. The paper has no trunk; on a CPU it is where capacity
costs least, because it too is computed once per observation.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from implicit_bc.networks.encoder import (
    Encoder,
    FlatEncoder,
    NetworkConfig,
    make_encoder,
    samples_seen,
)
from implicit_bc.networks.folded import FoldedEnergy
from implicit_bc.networks.initialization import released_initialization
from implicit_bc.networks.mlp import ValueConfig, ValueNetwork, trunk_layers
from implicit_bc.networks.spectral_norm import SpectralNorm
from implicit_bc.precision import full_precision
from implicit_bc.spaces import Spaces

__all__ = ['EnergyNetwork', 'FlatEncoder', 'NetworkConfig', 'make_energy', 'samples_seen']


class EnergyNetwork(nn.Module):
    """E(o, a) for one observation and many actions at a time."""

    def __init__(
        self,
        encoder: Encoder,
        value: ValueConfig,
        action_dim: int,
        trunk: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.encoder = encoder
        widths = (encoder.features, *trunk)
        self.trunk = trunk_layers(widths, value)
        self.observation_half = nn.Linear(widths[-1], value.width)
        self.action_half = nn.Linear(action_dim, value.width, bias=False)
        self.spectral_norm: SpectralNorm | None = None
        if value.dense == 'spectral_norm':
            self.spectral_norm = SpectralNorm(self._fusion_matrix())
        self.value = ValueNetwork(value)
        if value.init == 'normal':
            released_initialization(self)

    def embed(self, observation: Tensor) -> Tensor:
        """Normalized observation (B, ...) -> its half of the first dense layer (B, width)."""
        features = self.encoder(observation)
        with full_precision(features.device):
            return self._half(self.observation_half, self.trunk(features.float()))

    def score(self, embedded: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of normalized `actions` (B, N, A) for `embedded` (B, width)."""
        return self.value(self._half(self.action_half, actions) + embedded[:, None])

    def folded(self, embedded: Tensor) -> FoldedEnergy:
        """`score` for `embedded`, with less arithmetic and without gradients: for inference."""
        return FoldedEnergy(embedded, self._half_weight(self.action_half), self.value)

    def forward(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N): `embed`, then `score`."""
        return self.score(self.embed(observation), actions)

    def normalized_matrix(self) -> tuple[SpectralNorm, Tensor] | None:
        """Return the first dense layer's, both halves side by side: see `power_iteration`."""
        return None if self.spectral_norm is None else (self.spectral_norm, self._fusion_matrix())

    def _half(self, half: nn.Linear, x: Tensor) -> Tensor:
        return functional.linear(x, self._half_weight(half), half.bias)

    def _half_weight(self, half: nn.Linear) -> Tensor:
        if self.spectral_norm is None:
            return half.weight
        # One layer, one norm: that of both halves side by side.
        return half.weight / self.spectral_norm(self._fusion_matrix())

    def _fusion_matrix(self) -> Tensor:
        return torch.cat((self.observation_half.weight, self.action_half.weight), dim=1)


def make_energy(
    spaces: Spaces, config: NetworkConfig, action_dim: int | None = None
) -> EnergyNetwork:
    """Build the network for `spaces`, for the first `action_dim` numbers of an action or for all.

    An autoregressive model (paper B.2) takes one network for each number of dimensions.
    """
    encoder = make_encoder(spaces, config)
    return EnergyNetwork(encoder, config.value, action_dim or spaces.action, config.trunk)
