"""Uniform counter-examples, derivative-free inference: paper B.1."""

from collections.abc import Mapping
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from implicit_bc.losses import info_nce
from implicit_bc.methods.method import ImplicitModel
from implicit_bc.networks.energy import NetworkConfig, make_energy
from implicit_bc.samplers import DerivativeFreeConfig, Samples, minimize, uniform_actions
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class DerivativeFree:
    """Energy over whole actions."""

    kind: Literal['derivative_free'] = 'derivative_free'
    negatives: Annotated[int, Field(ge=1)] = 256
    """Counter-examples per demonstrated action."""
    sampler: DerivativeFreeConfig = DerivativeFreeConfig()

    def model(self, spaces: Spaces, network: NetworkConfig, scaling: Scaling) -> ImplicitModel:
        """Build the model, untrained."""
        return DerivativeFreeModel(self, spaces, network, scaling)


class DerivativeFreeModel(ImplicitModel):
    """E(o, a), trained by InfoNCE against uniform actions, minimized by Algorithm 1."""

    def __init__(
        self, method: DerivativeFree, spaces: Spaces, network: NetworkConfig, scaling: Scaling
    ) -> None:
        super().__init__(method, spaces, network, scaling)
        self.network = make_energy(spaces, network)

    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """InfoNCE among the demonstrated action and uniform ones."""
        demonstrated = self.action(action)[:, None]
        negatives = uniform_actions(
            self.low, self.high, len(action), self.method.negatives, generator
        )
        energies = self.network.score(
            self._embed(observation), torch.cat((demonstrated, negatives), dim=1)
        )
        return {'loss': info_nce(energies)}

    def decide(self, observation: Tensor, generator: torch.Generator) -> Samples:
        """Algorithm 1 of the paper, ending in a true argmin."""
        embedded = self._embed(observation)
        return minimize(
            lambda actions: self.network.score(embedded, actions),
            self.low,
            self.high,
            len(observation),
            self.method.sampler,
            generator,
        )

    def landscape(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of raw `actions` (B, N, A)."""
        return self.network.score(self._embed(observation), self.action(actions))

    def _embed(self, observation: Tensor) -> Tensor:
        """Encode observations once, for any number of actions."""
        with self.encoding():
            return self.network.embed(self.prepare(observation))
