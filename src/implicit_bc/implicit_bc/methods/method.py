"""What every method has in common: a network between raw observations and actions in metres.

observation   images (B, T, h, w, 3) uint8 RGB, or states (B, T, D) float32
action        (B, A), raw; normalized only inside losses and samplers
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from implicit_bc.images import stack_frames
from implicit_bc.networks.energy import NetworkConfig, make_energy, samples_seen
from implicit_bc.normalization import Normalizer
from implicit_bc.precision import Precision, autocast
from implicit_bc.samplers import NO_DEADLINE, Deadline, Pick, Samples
from implicit_bc.samplers.samples import resample
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces


class Search(Protocol):
    """What the constants of every sampler hold."""

    @property
    def samples(self) -> int:
        """Candidates per observation."""
        ...

    @property
    def pick(self) -> Pick:
        """How one of the last ones is chosen."""
        ...


class MethodConstants:
    """What the constants of every method tell, whatever they are called there."""

    @property
    def counter_examples(self) -> int:
        """Actions that the loss scores beside each demonstrated one; 0 where none are ranked."""
        return 0

    @property
    def search(self) -> Search | None:
        """How inference searches, if it does."""
        return None

    @property
    def candidates(self) -> int:
        """Actions per observation that inference has in memory at a time."""
        return 1 if self.search is None else self.search.samples


class Model(nn.Module, ABC):
    """A network with what its numbers mean, how it learns and how it decides."""

    low: Tensor
    high: Tensor

    def __init__(
        self,
        method: MethodConstants,
        spaces: Spaces,
        network: NetworkConfig,
        scaling: Scaling,
    ) -> None:
        """Keep what the model is made from; subclasses add the network itself.

        Args:
            method: Constants of the method.
            spaces: Shapes of observations and actions.
            network: Sizes of the network.
            scaling: Normalizers and bounds.
        """
        super().__init__()
        self.method: Any = method
        """A `MethodConstants` with more that the methods of its own model alone know."""
        self.spaces = spaces
        self.network_config = network
        self.scaling = scaling
        self.samples_seen = samples_seen(spaces, network)
        self.precision: Precision = 'float32'
        """Of convolutions while training; see `implicit_bc.precision`."""
        self.observation = Normalizer(scaling.observation)
        self.action = Normalizer(scaling.action)
        low, high = torch.tensor(scaling.bounds.low), torch.tensor(scaling.bounds.high)
        self.register_buffer('low', self.action(low), persistent=False)
        self.register_buffer('high', self.action(high), persistent=False)

    @abstractmethod
    def losses(
        self, observation: Tensor, action: Tensor, generator: torch.Generator
    ) -> Mapping[str, Tensor]:
        """What to minimize, as 'loss', and its parts; `action` (B, A) was demonstrated."""

    @abstractmethod
    def decide(
        self,
        observation: Tensor,
        generator: torch.Generator,
        start: Tensor | None = None,
        deadline: Deadline = NO_DEADLINE,
    ) -> Samples:
        """Choose an action for every observation; all of it normalized.

        Args:
            observation: Raw observations (B, T, ...).
            generator: Source of randomness, on the model's device.
            start: (B, K, A) actions to search from, besides random ones.
            deadline: Cuts the search short.

        What needs no search leaves both aside.
        """

    def draw(self, observation: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """Draw normalized actions (B, count, A) instead of choosing one.

        They are final candidates, drawn by exp(-energy), and so no draws of exp(-energy) itself:
        the search has concentrated its candidates already. Algorithm 1's n iterations leave shares
        like those of exp(-n * energy); for Langevin dynamics see `samplers.langevin`.
        """
        made = self.decide(observation, generator)
        return resample(made.candidates, made.energies, count, generator)

    def raw(self, actions: Tensor) -> np.ndarray:
        """Normalized `actions` (..., A) as raw ones, float64, inside the bounds to the bit."""
        # In float32 the way from normalized bounds back can end an ulp outside of them.
        raw = self.action.inverse(actions).double().cpu().numpy()
        return np.clip(raw, self.scaling.bounds.low, self.scaling.bounds.high)

    def prepare(self, observation: Tensor) -> Tensor:
        """Raw observations as the encoder takes them."""
        observation = observation[:, -self.samples_seen :]
        if observation.dtype == torch.uint8:
            return stack_frames(observation, self.observation)
        return self.observation(observation)

    def encoding(self) -> torch.autocast:
        """Context in which observations are encoded."""
        return autocast(self.precision if self.training else 'float32', self.low.device)


class ImplicitModel(Model):
    """A model that ranks actions by energies."""

    @abstractmethod
    def landscape(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of raw `actions` (B, N, A): for looking at; differentiable."""


class JointEnergyModel(ImplicitModel):
    """A model with one energy over whole actions, however it is trained and minimized."""

    def __init__(
        self,
        method: MethodConstants,
        spaces: Spaces,
        network: NetworkConfig,
        scaling: Scaling,
    ) -> None:
        super().__init__(method, spaces, network, scaling)
        self.network = make_energy(spaces, network)

    def embed(self, observation: Tensor) -> Tensor:
        """Encode raw observations once, for any number of actions: (B, width)."""
        with self.encoding():
            return self.network.embed(self.prepare(observation))

    def landscape(self, observation: Tensor, actions: Tensor) -> Tensor:
        """Energies (B, N) of raw `actions` (B, N, A)."""
        embedded = self.embed(observation)
        if torch.is_grad_enabled():
            return self.network.score(embedded, self.action(actions))
        return self.network.folded(embedded)(self.action(actions))


@contextmanager
def at_rest(network: nn.Module) -> Iterator[None]:
    """Let dropout rest in `network`, which then goes on as it was.

    While counter-examples are searched for, too: energies that change with every evaluation have no
    minimum.
    """
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)
