"""Mixture density network (Bishop 1994), the paper's multimodal explicit baseline (D.2, MDN-BC).

Mixture over normalized actions with diagonal covariances. Where the released code takes the
exponential of its "log variance" as a standard deviation, that is what the network's second output
is called here: the logarithm of a standard deviation.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, cast

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from implicit_bc.methods.method import ImplicitModel, MethodConstants
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.explicit import make_explicit
from implicit_bc.samplers import NO_DEADLINE, Deadline, Samples
from implicit_bc.samplers.samples import choose, draw_columns
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

LOG_STD = (-7.0, 4.0)
"""Range of the logarithm of a standard deviation; below, one demonstration would weigh all."""


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class MixtureDensity(MethodConstants):
    """Constants of tables D.2."""

    kind: Literal['mixture_density'] = 'mixture_density'
    components: Annotated[int, Field(ge=1)] = 26
    """"Network num components"."""
    training_temperature: Annotated[float, Field(gt=0)] = 1.0
    """Divides the logits of the components while training."""
    test_temperature: Annotated[float, Field(gt=0)] = 1.0
    test_variance_exponent: Annotated[float, Field(gt=0)] = 1.0
    """Power of the standard deviations when acting; above 1 sharpens those below 1."""
    samples: Annotated[int, Field(ge=1)] = 64
    """Draws of which the likeliest is the action."""

    @property
    def candidates(self) -> int:
        """Actions per observation that inference has in memory at a time."""
        return self.samples

    def model(self, spaces: Spaces, network: NetworkConfig, scaling: Scaling) -> ImplicitModel:
        """Build the model, untrained."""
        return MixtureDensityModel(self, spaces, network, scaling)


class MixtureDensityModel(ImplicitModel):
    """p(a | o); its energy is the negative log likelihood of normalized actions."""

    def __init__(
        self, method: MixtureDensity, spaces: Spaces, network: NetworkConfig, scaling: Scaling
    ) -> None:
        super().__init__(method, spaces, network, scaling)
        self.network = make_explicit(spaces, network, method.components * (1 + 2 * spaces.action))

    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Negative log likelihood of normalized actions."""
        mixture = self.mixture(observation, self.method.training_temperature, 1.0)
        return {'loss': -mixture.log_prob(self.action(action)).mean()}

    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """The likeliest of some draws; the released code acts by a single one."""
        mixture = self._test_mixture(observation)
        candidates = self._draw(mixture, self.method.samples, generator)
        return choose(candidates, -mixture.log_prob(candidates.transpose(0, 1)).T, 'argmin')

    def draw(self, observation: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw normalized actions (B, count, A) from p(a | o)."""
        return self._draw(self._test_mixture(observation), count, generator)

    def landscape(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Negative log likelihoods (B, N) of raw `actions` (B, N, A)."""
        return -self._test_mixture(observation).log_prob(self.action(actions).transpose(0, 1)).T

    def mixture(
        self, observation: Tensor, temperature: float = 1.0, exponent: float = 1.0
    ) -> MixtureSameFamily:
        """Distribution of normalized actions at `observation` (B, T, ...)."""
        with self.encoding():
            output = self.network(self.prepare(observation))
        components, action = self.method.components, self.spaces.action
        logits, mean, log_std = output.split(
            (components, components * action, components * action), dim=1
        )
        shape = (len(output), components, action)
        std = log_std.clamp(*LOG_STD).exp() ** exponent
        # Unchecked: a check waits for the device at every call, and whoever takes a step or acts
        # looks for numbers that are not finite anyway.
        return MixtureSameFamily(
            Categorical(logits=logits / temperature, validate_args=False),
            Independent(
                Normal(mean.reshape(shape), std.reshape(shape), validate_args=False),
                1,
                validate_args=False,
            ),
            validate_args=False,
        )

    def _test_mixture(self, observation: Tensor) -> MixtureSameFamily:
        method = self.method
        return self.mixture(observation, method.test_temperature, method.test_variance_exponent)

    def _draw(self, mixture: MixtureSameFamily, count: int, generator: torch.Generator) -> Tensor:
        return draw_actions(mixture, count, generator).clamp(self.low, self.high)


def draw_actions(mixture: MixtureSameFamily, count: int, generator: torch.Generator) -> Tensor:
    """Draw (B, count, A) with `generator`, which torch.distributions does not take."""
    probabilities = mixture.mixture_distribution.probs
    component = draw_columns(probabilities, count, generator)
    normal = cast(Independent, mixture.component_distribution).base_dist
    index = component[..., None].expand(-1, -1, normal.loc.shape[-1])
    mean, std = normal.loc.gather(1, index), normal.scale.gather(1, index)
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + std * noise
