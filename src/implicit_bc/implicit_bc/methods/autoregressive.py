"""One energy per action dimension, searched one dimension at a time: paper B.2."""

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from implicit_bc.losses import autoregressive_info_nce
from implicit_bc.methods.method import ImplicitModel, MethodConstants, at_rest
from implicit_bc.networks.energy import EnergyNetwork, NetworkConfig, make_energy
from implicit_bc.samplers import (
    NO_DEADLINE,
    AutoregressiveConfig,
    Deadline,
    Samples,
    autoregressive_minimize,
    autoregressive_negatives,
)
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class Autoregressive(MethodConstants):
    """Constants of Algorithm 2."""

    kind: Literal['autoregressive'] = 'autoregressive'
    negatives: Annotated[int, Field(ge=1)] = 1024
    """Counter-examples per demonstrated action and dimension (D.4)."""
    sampler: AutoregressiveConfig = AutoregressiveConfig()

    @property
    def counter_examples(self) -> int:
        """Actions that the loss scores beside each demonstrated one."""
        return self.negatives

    @property
    def search(self) -> AutoregressiveConfig:
        """How inference searches."""
        return self.sampler

    def model(self, spaces: Spaces, network: NetworkConfig, scaling: Scaling) -> ImplicitModel:
        """Build the model, untrained."""
        return AutoregressiveModel(self, spaces, network, scaling)


class AutoregressiveModel(ImplicitModel):
    """E_j(o, a_1 ... a_j), each a network of its own; the last one judges whole actions."""

    def __init__(
        self, method: Autoregressive, spaces: Spaces, network: NetworkConfig, scaling: Scaling
    ) -> None:
        super().__init__(method, spaces, network, scaling)
        self.networks = nn.ModuleList(
            make_energy(spaces, network, size) for size in range(1, spaces.action + 1)
        )
        self._training_sampler = dataclasses.replace(method.sampler, samples=method.negatives)

    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """InfoNCE of every dimension against what the search itself holds."""
        embedded = self._embed(observation)
        with at_rest(self.networks):
            negatives = autoregressive_negatives(
                self._energies([half.detach() for half in embedded]),
                self.low,
                self.high,
                len(action),
                self._training_sampler,
                generator,
            )
        energies = self._energies(embedded)
        return {'loss': autoregressive_info_nce(energies, self.action(action), negatives)}

    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """Algorithm 2, ending in a true argmin of the last energy."""
        embedded = self._embed(observation)
        return autoregressive_minimize(
            [network.folded(half) for network, half in zip(self._each(), embedded, strict=True)],
            self.low,
            self.high,
            len(observation),
            self.method.sampler,
            generator,
            start,
            deadline,
        )

    def landscape(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of raw `actions` (B, N, A), by the energy that judges whole actions."""
        return self._energies(self._embed(observation))[-1](self.action(actions))

    def _embed(self, observation: Tensor) -> list[Tensor]:
        """Encode observations once per dimension, for any number of actions."""
        with self.encoding():
            prepared = self.prepare(observation)
            return [network.embed(prepared) for network in self._each()]

    def _energies(self, embedded: list[Tensor]) -> list[Callable[[Tensor], Tensor]]:
        return [
            partial(network.score, half)
            for network, half in zip(self._each(), embedded, strict=True)
        ]

    def _each(self) -> list[EnergyNetwork]:
        return [network for network in self.networks if isinstance(network, EnergyNetwork)]
