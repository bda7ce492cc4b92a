"""Uniform counter-examples, derivative-free inference: paper B.1."""

from collections.abc import Mapping
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from implicit_bc.losses import info_nce
from implicit_bc.methods.method import ImplicitModel, JointEnergyModel, MethodConstants
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.samplers import (
    NO_DEADLINE,
    Deadline,
    DerivativeFreeConfig,
    Energy,
    Samples,
    minimize,
    uniform_actions,
)
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class DerivativeFree(MethodConstants):
    """Energy over whole actions."""

    kind: Literal['derivative_free'] = 'derivative_free'
    negatives: Annotated[int, Field(ge=1)] = 256
    """Counter-examples per demonstrated action."""
    sampler: DerivativeFreeConfig = DerivativeFreeConfig()

    @property
    def counter_examples(self) -> int:
        """Actions that the loss scores beside each demonstrated one."""
        return self.negatives

    @property
    def search(self) -> DerivativeFreeConfig:
        """How inference searches."""
        return self.sampler

    def model(self, spaces: Spaces, network: NetworkConfig, scaling: Scaling) -> ImplicitModel:
        """Build the model, untrained."""
        return DerivativeFreeModel(self, spaces, network, scaling)


class DerivativeFreeModel(JointEnergyModel):
    """E(o, a), trained by InfoNCE against uniform actions, minimized by Algorithm 1."""

    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """InfoNCE among the demonstrated action and uniform ones."""
        demonstrated = self.action(action)[:, None]
        negatives = uniform_actions(
            self.low, self.high, len(action), self.method.negatives, generator
        )
        energies = self.network.score(
            self.embed(observation), torch.cat((demonstrated, negatives), dim=1)
        )
        return {'loss': info_nce(energies)}

    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """Algorithm 1 of the paper, ending in a true argmin."""
        return minimize(
            self.energy(observation),
            self.low,
            self.high,
            len(observation),
            self.method.sampler,
            generator,
            start,
            deadline,
        )

    def energy(self, observation: Tensor) -> Energy:
        """Energy of normalized actions at raw observations (B, T, ...), encoded beforehand."""
        return self.network.folded(self.embed(observation))
