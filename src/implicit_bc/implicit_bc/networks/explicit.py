"""The network of an explicit policy: the same encoder and dense layers, without an action.

What an energy network is to its observation, with a head of as many numbers as the policy needs: A
for the mean squared error, the parameters of the mixture for a mixture density network (paper E.1,
Fig. 14).
"""

from collections.abc import Sequence

from torch import Tensor, nn

from implicit_bc.networks.encoder import Encoder, NetworkConfig, make_encoder
from implicit_bc.networks.initialization import released_initialization
from implicit_bc.networks.mlp import ValueConfig, dense_layer, hidden_layers, trunk_layers
from implicit_bc.precision import full_precision
from implicit_bc.spaces import Spaces


class ExplicitNetwork(nn.Module):
    """Normalized observation (B, ...) -> numbers (B, outputs)."""

    def __init__(
        self, encoder: Encoder, value: ValueConfig, outputs: int, trunk: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.encoder = encoder
        widths = (encoder.features, *trunk)
        self.trunk = trunk_layers(widths, value)
        self.input = dense_layer(widths[-1], value.width, value)
        self.hidden = hidden_layers(value)
        self.head = dense_layer(value.width, outputs, value)
        if value.init == 'normal':
            released_initialization(self)

    def forward(self, observation: Tensor) -> Tensor:
        """Return the head's numbers, float32; only the encoder follows `autocast`."""
        features = self.encoder(observation)
        with full_precision(features.device):
            return self.head(self.hidden(self.input(self.trunk(features.float()))))


def make_explicit(spaces: Spaces, config: NetworkConfig, outputs: int) -> ExplicitNetwork:
    """Build the network for observations of `spaces`."""
    return ExplicitNetwork(make_encoder(spaces, config), config.value, outputs, config.trunk)
