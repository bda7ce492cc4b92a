"""Counter-examples and inference by Langevin dynamics, with the gradient penalty: paper B.3."""

from collections.abc import Mapping
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from implicit_bc.losses import GradientPenaltyConfig, gradient_penalty, info_nce
from implicit_bc.methods.method import ImplicitModel, JointEnergyModel, MethodConstants, at_rest
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.samplers import (
    NO_DEADLINE,
    Deadline,
    LangevinConfig,
    Samples,
    langevin_chain,
    langevin_minimize,
    uniform_actions,
)
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class Langevin(MethodConstants):
    """Energy over whole actions, differentiable by them."""

    kind: Literal['langevin'] = 'langevin'
    negatives: Annotated[int, Field(ge=1)] = 8
    """Counter-examples per demonstrated action that are ends of chains: 8 in D.1, 64 in D.3."""
    uniform_negatives: Annotated[int, Field(ge=0)] = 0
    """As many more where no chain begins: none in the paper, a fraction to be chosen in the
    released code. Each costs one evaluation where a chain costs `sampler.iterations` and slopes."""
    sampler: LangevinConfig = LangevinConfig()
    gradient_penalty: GradientPenaltyConfig | None = GradientPenaltyConfig()

    @property
    def counter_examples(self) -> int:
        """Actions that the loss scores beside each demonstrated one."""
        return self.negatives + self.uniform_negatives

    @property
    def search(self) -> LangevinConfig:
        """How inference searches."""
        return self.sampler

    def model(self, spaces: Spaces, network: NetworkConfig, scaling: Scaling) -> ImplicitModel:
        """Build the model, untrained."""
        return LangevinModel(self, spaces, network, scaling)


class LangevinModel(JointEnergyModel):
    """E(o, a), trained against the ends of its own chains."""

    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """InfoNCE against chains that start anywhere, and what steep energies cost."""
        embedded = self.embed(observation)
        negatives = self._chain_ends(embedded.detach(), generator)
        uniform = uniform_actions(
            self.low, self.high, len(action), self.method.uniform_negatives, generator
        )
        candidates = torch.cat((self.action(action)[:, None], negatives, uniform), dim=1)
        penalty = self.method.gradient_penalty
        if penalty is None or not torch.is_grad_enabled():
            return {'loss': info_nce(self.network.score(embedded, candidates))}
        candidates.requires_grad_()
        energies = self.network.score(embedded, candidates)
        contrast = info_nce(energies)
        steepness = gradient_penalty(energies, candidates, self.low, self.high, penalty)
        return {
            'loss': contrast + steepness,
            'info_nce': contrast,
            'gradient_penalty': steepness,
        }

    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """Chains from uniform actions, a second pass if there is one, then the argmin."""
        embedded = self.embed(observation)
        return langevin_minimize(
            lambda actions: self.network.score(embedded, actions),
            self.low,
            self.high,
            len(observation),
            self.method.sampler,
            generator,
            start,
            deadline,
        )

    def _chain_ends(self, embedded: Tensor, generator: torch.Generator) -> Tensor:
        """Counter-examples (B, N, A) for `embedded` observations."""
        start = uniform_actions(
            self.low, self.high, len(embedded), self.method.negatives, generator
        )
        with at_rest(self.network):
            return langevin_chain(
                lambda actions: self.network.score(embedded, actions),
                start,
                self.low,
                self.high,
                self.method.sampler,
                generator,
            )
