"""One interface for learned policies, baselines and demonstrators.

observation -> action       every `Policy`
observation -> modes        an `ImplicitPolicy`: the alternatives that it sees
observation -> landscape    likewise: energies on a grid over the plane of actions

Energies are defined up to a term per observation: adding any function of the observation changes
neither training (InfoNCE is a softmax over actions) nor the answer. So nothing here is a raw
energy: margins and landscapes count from the lowest of one observation, and must not be compared
between observations as if the scale were absolute; ranks may.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Observation = Mapping[str, Any]
"""'image': (T, h, w, 3) uint8 RGB, or 'state': (T, D) float32, as the contract says."""


class Policy(Protocol):
    """What decides at every tick."""

    def reset(self, rng: np.random.Generator) -> None:
        """Begin an episode."""
        ...

    def act(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        """Choose the move of the setpoint in the plane of `link_base`, shape (2,) [m]."""
        ...


@dataclass(frozen=True)
class ActionMode:
    """One of the alternatives that a policy sees."""

    action: np.ndarray
    """Its best move of the setpoint, (2,) float64 [m]."""
    mass: float
    """Share of exp(-energy) among the candidates, in [0, 1]; no calibrated probability."""
    margin: float
    """Energy above that of the best mode."""
    rank_share: float
    """Share of the best tenth of the candidates, by rank."""


@dataclass(frozen=True)
class ModeSet:
    """Clustered candidates, best mode first."""

    modes: tuple[ActionMode, ...]

    @property
    def margin(self) -> float:
        """Energy by which the best mode beats the next one; infinite if it is the only one."""
        return self.modes[1].margin if len(self.modes) > 1 else math.inf

    @property
    def confidence(self) -> float:
        """Density at the best mode over the sum of those at all modes, in (0, 1]: from margins.

        1 where there is one mode, 1/n where n modes are equally good. Where modes are equally wide
        it is the best one's share of exp(-energy); how many candidates a search leaves in which
        mode does not matter. But a mode that the search has all but left is none: with 3 iterations
        that is one worse by more than about 1.5, which counts as 0.18 until then. Ranks
        (`rank_share`) say less: on two equal bowls 0.4 apart, the true share is 0.60 and all of the
        best tenth already lies in one. It says whether the policy wavers between modes, not whether
        the action is right.
        """
        return 1.0 / sum(math.exp(-mode.margin) for mode in self.modes)


@dataclass(frozen=True)
class Landscape:
    """Energies on a grid over the box of actions, for looking at."""

    x: np.ndarray
    """Moves along x of `link_base`, (X,) [m], ascending."""
    y: np.ndarray
    """Moves along y, (Y,) [m], ascending."""
    energies: np.ndarray
    """(Y, X) float32 above the lowest of the grid, which is 0."""

    @property
    def lowest(self) -> np.ndarray:
        """The grid's action of lowest energy, (2,) [m]."""
        row, column = np.unravel_index(self.energies.argmin(), self.energies.shape)
        return np.array([self.x[column], self.y[row]])


class ImplicitPolicy(Policy, Protocol):
    """A policy that ranks actions."""

    def modes(self, observation: Observation, rng: np.random.Generator) -> ModeSet:
        """Return the alternatives for `observation`, best first."""
        ...

    def landscape(self, observation: Observation, points: int = 61) -> Landscape:
        """Return energies of `points` x `points` actions for `observation`."""
        ...
