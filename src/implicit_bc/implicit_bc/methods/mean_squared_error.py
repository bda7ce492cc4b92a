"""The explicit baseline of the paper: the network outputs the action (MSE-BC)."""

from collections.abc import Mapping
from typing import Literal

import pydantic
import torch
from pydantic import ConfigDict
from torch import Tensor

from implicit_bc.methods.method import MethodConstants, Model
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.explicit import make_explicit
from implicit_bc.samplers import NO_DEADLINE, Deadline, Samples
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class MeanSquaredError(MethodConstants):
    """Least squares on normalized actions."""

    kind: Literal['mean_squared_error'] = 'mean_squared_error'

    def model(self, spaces: Spaces, network: NetworkConfig, scaling: Scaling) -> Model:
        """Build the model, untrained."""
        return MeanSquaredErrorModel(self, spaces, network, scaling)


class MeanSquaredErrorModel(Model):
    """a = f(o). Between two modes of the data it answers with their mean."""

    def __init__(
        self, method: MeanSquaredError, spaces: Spaces, network: NetworkConfig, scaling: Scaling
    ) -> None:
        super().__init__(method, spaces, network, scaling)
        self.network = make_explicit(spaces, network, spaces.action)

    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Mean squared error of normalized actions."""
        error = self._answer(observation) - self.action(action)
        return {'loss': error.square().mean()}

    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """The network's output, kept inside the bounds."""
        best = self._answer(observation).clamp(self.low, self.high)
        return Samples(best, best[:, None], best.new_zeros(len(best), 1))

    def _answer(self, observation: Tensor) -> Tensor:
        with self.encoding():
            return self.network(self.prepare(observation))
