r"""Counter-examples from a learned proposal: ranking noise contrastive estimation.

Uniform actions are rarely near the demonstrated one when actions have many dimensions, and then
teach nothing about its neighbourhood. Here they come from a proposal q(a|o) that is trained beside
the energy, and the loss corrects for where they come from (R-NCE, Singh et al. 2023,
arXiv 2309.05803):

.. math:: L = -\log \frac{e^{-E(o, a_0)} / q(a_0|o)}{\sum_j e^{-E(o, a_j)} / q(a_j|o)}

With uniform counter-examples q is constant and cancels: InfoNCE. The proposal is a mixture density
network, learned by maximum likelihood, with a share of uniform actions, so that q is nowhere so
small that its error would decide. Inference is Algorithm 1, begun from the proposal.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor
from torch.distributions import MixtureSameFamily

from implicit_bc.losses import info_nce
from implicit_bc.methods.derivative_free import DerivativeFreeModel
from implicit_bc.methods.method import ImplicitModel, MethodConstants
from implicit_bc.methods.mixture_density import MixtureDensity, MixtureDensityModel, draw_actions
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.samplers import DerivativeFreeConfig, Samples, minimize, uniform_actions
from implicit_bc.samplers.deadline import NO_DEADLINE, Deadline
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class Ranking(MethodConstants):
    """Energy over whole actions, and a proposal of them."""

    kind: Literal['ranking'] = 'ranking'
    negatives: Annotated[int, Field(ge=1)] = 64
    """Counter-examples per demonstrated action."""
    components: Annotated[int, Field(ge=1)] = 8
    """Of the proposal's mixture."""
    uniform_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Of the counter-examples."""
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
        return RankingModel(self, spaces, network, scaling)


class RankingModel(DerivativeFreeModel):
    """E(o, a) and q(a|o), two networks of the same size."""

    def __init__(
        self, method: Ranking, spaces: Spaces, network: NetworkConfig, scaling: Scaling
    ) -> None:
        super().__init__(method, spaces, network, scaling)
        self.proposal = MixtureDensityModel(
            MixtureDensity(components=method.components), spaces, network, scaling
        )

    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """R-NCE against the proposal, and the proposal's own negative log likelihood."""
        demonstrated = self.action(action)
        mixture = self.proposal.mixture(observation)
        likelihood = -mixture.log_prob(demonstrated).mean()
        with torch.no_grad():
            negatives = self._propose(mixture, self.method.negatives, generator)
            candidates = torch.cat((demonstrated[:, None], negatives), dim=1)
            correction = self._log_density(mixture, candidates)
        energies = self.network.score(self.embed(observation), candidates)
        contrast = info_nce(energies + correction)
        return {'loss': contrast + likelihood, 'info_nce': contrast, 'proposal': likelihood}

    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """Algorithm 1 from `start`, then draws of the proposal, for half of its candidates."""
        warm = 0 if start is None else start.shape[1]
        room = self.method.sampler.samples // 2 - warm
        if room > 0:
            mixture = self.proposal.mixture(observation)
            drawn = draw_actions(mixture, room, generator).clamp(self.low, self.high)
            start = drawn if start is None else torch.cat((start, drawn), dim=1)
        return minimize(
            self.energy(observation),
            self.low,
            self.high,
            len(observation),
            self.method.sampler,
            generator,
            start,
            deadline,
            kept=warm,
        )

    def _propose(
        self, mixture: MixtureSameFamily, count: int, generator: torch.Generator
    ) -> Tensor:
        """Draw (B, count, A), some from the mixture and some uniformly."""
        learned = draw_actions(mixture, count, generator)
        uniform = uniform_actions(self.low, self.high, len(learned), count, generator)
        chance = torch.rand((len(learned), count, 1), generator=generator, device=learned.device)
        return torch.where(chance < self.method.uniform_share, uniform, learned)

    def _log_density(self, mixture: MixtureSameFamily, actions: Tensor) -> Tensor:
        """Log of what `_propose` draws `actions` (B, N, A) with: (B, N)."""
        share = self.method.uniform_share
        inside = ((actions >= self.low) & (actions <= self.high)).all(dim=-1)
        volume = (self.high - self.low).log().sum()
        uniform = torch.where(inside, math.log(share) - volume, -torch.inf)
        learned = mixture.log_prob(actions.transpose(0, 1)).T + math.log1p(-share)
        return torch.logaddexp(uniform, learned)
