"""Networks of the explicit baselines: the same encoders and dense layers, another head."""

from torch import Tensor, nn

from implicit_bc.networks.energy import NetworkConfig, make_encoder
from implicit_bc.networks.mlp import ValueNetwork
from implicit_bc.precision import full_precision
from implicit_bc.spaces import Spaces


class ExplicitNetwork(nn.Module):
    """f(o): as many numbers per observation as asked for."""

    def __init__(self, spaces: Spaces, config: NetworkConfig, outputs: int) -> None:
        super().__init__()
        self.encoder = make_encoder(spaces, config)
        self.first = nn.Linear(self.encoder.features, config.value.width)
        self.value = ValueNetwork(config.value, outputs)

    def forward(self, observation: Tensor) -> Tensor:
        """Normalized observation (B, ...) -> (B, outputs)."""
        features = self.encoder(observation)
        with full_precision(features.device):
            return self.value(self.first(features.float()))
