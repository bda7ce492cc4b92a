"""Inference as it is usually written, to compare with: what a decision costs without care.

The energy is a function of observation and action, as the paper writes it and as public code calls
it: every evaluation encodes the image (once, not per candidate), concatenates its features with
each action, and takes all candidates through every layer, the head and all, in one piece, each
operation for itself.
"""

import torch
from torch import Tensor
from torch.nn import functional

from implicit_bc.methods.derivative_free import DerivativeFreeModel
from implicit_bc.networks.energy import EnergyNetwork
from implicit_bc.samplers import Energy


class DirectModel(DerivativeFreeModel):
    """The derivative-free model with the direct formulation of its energy."""

    def energy(self, observation: Tensor) -> Energy:
        """Energy at raw observations (B, T, ...), encoded in every evaluation."""
        return direct_energy(self.network, self.prepare(observation))


class LateFusionModel(DirectModel):
    """The same, but the image is encoded once per decision (late fusion, paper E.2)."""

    def energy(self, observation: Tensor) -> Energy:
        """Energy at raw observations (B, T, ...), encoded beforehand."""
        network = self.network
        features = network.trunk(network.encoder(self.prepare(observation)))
        weight = _first_weight(network)
        return lambda actions: _score(network, weight, features, actions)


def direct_energy(network: EnergyNetwork, observation: Tensor) -> Energy:
    """Return the energy of `network`, unless spectrally normalized, at `observation` (B, ...)."""
    weight = _first_weight(network)
    return lambda actions: _score(
        network, weight, network.trunk(network.encoder(observation)), actions
    )


def _first_weight(network: EnergyNetwork) -> Tensor:
    """Weight of the first dense layer as it would lie in memory, were it one."""
    return torch.cat((network.observation_half.weight, network.action_half.weight), dim=1)


def _score(network: EnergyNetwork, weight: Tensor, features: Tensor, actions: Tensor) -> Tensor:
    repeated = features[:, None].expand(-1, actions.shape[1], -1)
    together = torch.cat((repeated, actions), dim=-1)
    fused = functional.linear(together, weight, network.observation_half.bias)
    return network.value.head(network.value.hidden(fused))[..., 0]
