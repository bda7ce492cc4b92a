"""Inference as it is usually written, to compare with: what a decision costs without care.

The image is encoded once per decision (late fusion, paper E.2). Then features and action are
concatenated for every candidate, and every layer, the head and all, is evaluated for all candidates
in one piece, each operation for itself.
"""

import torch
from torch import Tensor
from torch.nn import functional

from implicit_bc.methods.derivative_free import DerivativeFreeModel
from implicit_bc.networks.energy import EnergyNetwork
from implicit_bc.samplers import NO_DEADLINE, Deadline, Energy, Samples, minimize


class DirectModel(DerivativeFreeModel):
    """The derivative-free model with the direct formulation of its energy."""

    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """Algorithm 1 of the paper, ending in a true argmin."""
        return minimize(
            direct_energy(self.network, self.prepare(observation)),
            self.low,
            self.high,
            len(observation),
            self.method.sampler,
            generator,
            start,
            deadline,
        )


def direct_energy(network: EnergyNetwork, observation: Tensor) -> Energy:
    """Return the energy of `network`, unless spectrally normalized, at `observation` (B, ...)."""
    features = network.trunk(network.encoder(observation))
    # As it would lie in memory, were the first dense layer one.
    weight = torch.cat((network.observation_half.weight, network.action_half.weight), dim=1)
    bias = network.observation_half.bias

    def energy(actions: Tensor) -> Tensor:
        repeated = features[:, None].expand(-1, actions.shape[1], -1)
        fused = functional.linear(torch.cat((repeated, actions), dim=-1), weight, bias)
        return network.value(fused)

    return energy
