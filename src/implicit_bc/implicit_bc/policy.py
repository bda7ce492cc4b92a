"""The learned policy."""

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from implicit_bc.graphed_decision import GraphedDecision, graphed
from implicit_bc.interface import ActionMode, Landscape, ModeSet, Observation
from implicit_bc.methods import ImplicitModel, Model
from implicit_bc.samplers import Deadline, ModesConfig, Pick, Samples, find_modes
from implicit_bc.samplers.samples import require_finite
from implicit_bc.spaces import Spaces
from implicit_bc.steadiness import UNSTEADY, Steadiness, best_candidates, steady_answer


@dataclass(frozen=True)
class Inference:
    """One decision and what it was chosen from."""

    action: np.ndarray
    """Move of the setpoint, (2,) float64 [m]."""
    candidates: np.ndarray
    """What it was chosen from, (N, 2) float64 [m]; N is 1 for explicit models."""
    energies: np.ndarray
    """Their energies, (N,); only differences mean anything."""
    iterations: int
    """Rounds of the search that were done."""
    is_cut_short: bool
    """Whether they are fewer than the model has, for lack of time."""
    seconds: float
    """Time it took [s]."""


class LearnedPolicy:
    """A trained model under a contract: for implicit ones argmin_a E(o, a) (paper section 2)."""

    def __init__(self, contract: Contract, model: Model, steadiness: Steadiness = UNSTEADY) -> None:
        """Take a model that was trained for the observations and actions of `contract`.

        Raises:
            IbcError: It was trained for others, or it has nothing to be steady about.
        """
        if model.spaces != Spaces.of_contract(contract):
            raise IbcError(f'contract {contract.name} has other shapes than the model')
        _require_sense(steadiness, model)
        self.contract = contract
        self.model = model.eval()
        self.steadiness = steadiness
        self._last: Samples | None = None
        self._graphs: dict[bool, GraphedDecision] = {}
        """With a warm start (True) and without."""
        self._may_graph = model.low.device.type == 'cuda'

    def reset(self, rng: np.random.Generator) -> None:
        """Begin an episode: forget the last decision."""
        self._last = None

    def act(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        """Return the action of lowest energy that was found, or one drawn, (2,) float64 [m]."""
        return self.infer(observation, rng).action

    @torch.inference_mode()
    def infer(
        self, observation: Observation, rng: np.random.Generator, time_budget: float | None = None
    ) -> Inference:
        """Decide for one observation; the same state and `rng` state give the same answer.

        Args:
            observation: What the contract says.
            rng: Source of randomness.
            time_budget: When the answer must be there [s from now]; the search then does as many of
                its rounds as fit, at least one. No limit by default.

        Raises:
            IbcError: The observation is not what the contract says, or so far from what was
                trained on that the network overflows.
        """
        start = time.perf_counter()
        deadline = Deadline(time_budget, self.model.low.device)
        decided = self._search(observation, rng, deadline)
        require_finite(decided.best, decided.energies)
        if self._last is not None and self.steadiness.mode_margin:
            search = self.model.method.search
            pick: Pick = 'argmin' if search is None else search.pick
            margin = self.steadiness.mode_margin
            steady = steady_answer(decided, self._last.best[0], margin, pick, rng)
            decided = dataclasses.replace(decided, best=steady[None])
        self._last = decided
        return Inference(
            self.model.raw(decided.best)[0],
            self.model.raw(decided.candidates)[0],
            decided.energies[0].cpu().numpy(),
            decided.iterations,
            deadline.has_cut_short,
            time.perf_counter() - start,
        )

    @torch.inference_mode()
    def modes(
        self,
        observation: Observation,
        rng: np.random.Generator,
        config: ModesConfig | None = None,
    ) -> ModeSet:
        """Return the alternatives for `observation`, best first; nothing is remembered of it.

        Raises:
            IbcError: An explicit model sees none; or the observation is not what `infer` takes.
        """
        self._require_ranks('modes')
        made = self._search(observation, rng, Deadline())
        require_finite(made.best, made.energies)
        found = find_modes(made.candidates[0], made.energies[0], config or ModesConfig())
        return ModeSet(
            tuple(
                ActionMode(self.model.raw(mode.action), mode.mass, mode.margin, mode.rank_share)
                for mode in found
            )
        )

    @torch.inference_mode()
    def landscape(self, observation: Observation, points: int = 61) -> Landscape:
        """Return energies of `points` x `points` actions over the box that the search draws from.

        Raises:
            IbcError: An explicit model has no energies; fewer than 2 `points`; or the observation
                is not what `infer` takes.
        """
        model = self._require_ranks('landscape')
        if points < 2:
            raise IbcError(f'a landscape has at least 2 points a side, not {points}')
        bounds = model.scaling.bounds
        x, y = (
            np.linspace(low, high, points)
            for low, high in zip(bounds.low, bounds.high, strict=True)
        )
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(1, -1, 2).astype(np.float32)
        actions = torch.from_numpy(grid).to(model.low.device)
        energies = model.landscape(self._observed(observation), actions)[0]
        require_finite(energies)
        energies = (energies - energies.min()).reshape(points, points)
        return Landscape(x, y, energies.cpu().numpy())

    def warm_up(self, rounds: int = 3) -> float:
        """Decide on an empty observation `rounds` times; the time of the last one [s].

        The first decisions of a process are slow: libraries load and memory is allocated.
        """
        key, dtype = self._expected()
        empty = {key: np.zeros(self.contract.observation_shape, dtype)}
        rng = np.random.default_rng(0)
        seconds = [self.infer(empty, rng).seconds for _ in range(max(1, rounds))]
        self.reset(rng)
        return seconds[-1]

    def _search(
        self, observation: Observation, rng: np.random.Generator, deadline: Deadline
    ) -> Samples:
        observed = self._observed(observation)
        seed = int(rng.integers(2**63))
        start: Tensor | None = None
        if self._last is not None and self.steadiness.warm_start:
            start = best_candidates(self._last, self.steadiness.warm_start)
        graph = self._graph_of(observed, start) if self._may_graph else None
        if graph is not None and deadline.leaves(graph.seconds):
            return graph(observed, seed, start)
        generator = torch.Generator(observed.device).manual_seed(seed)
        return self.model.decide(observed, generator, start, deadline)

    def _graph_of(self, observed: Tensor, start: Tensor | None) -> GraphedDecision | None:
        """Return the graph of decisions such as this one, recorded when first asked for."""
        is_warm = start is not None
        if is_warm not in self._graphs:
            made = graphed(self.model, observed, start)
            self._may_graph = made is not None
            if made is None:
                return None
            self._graphs[is_warm] = made
        return self._graphs[is_warm]

    def _observed(self, observation: Observation) -> Tensor:
        return torch.from_numpy(self._checked(observation))[None].to(self.model.low.device)

    def _require_ranks(self, what: str) -> ImplicitModel:
        if not isinstance(self.model, ImplicitModel):
            raise IbcError(
                f'{self.model.method.kind} answers with one action and ranks none: it has no {what}'
            )
        return self.model

    def _expected(self) -> tuple[str, type]:
        if self.contract.observation.kind == 'image':
            return 'image', np.uint8
        return 'state', np.float32

    def _checked(self, observation: Observation) -> np.ndarray:
        key, dtype = self._expected()
        if key not in observation:
            raise IbcError(
                f'contract {self.contract.name} observes {key!r}, this observation has '
                f'{", ".join(map(repr, observation)) or "nothing"}'
            )
        array = np.asarray(observation[key])
        if array.shape != self.contract.observation_shape or array.dtype != dtype:
            raise IbcError(
                f'observation {key!r} is {array.shape} {array.dtype}, contract '
                f'{self.contract.name} says {self.contract.observation_shape} {np.dtype(dtype)}'
            )
        if dtype is np.float32 and not np.isfinite(array).all():
            raise IbcError(f'observation {key!r} holds numbers that are not finite')
        return np.ascontiguousarray(array)


def _require_sense(steadiness: Steadiness, model: Model) -> None:
    kind = model.method.kind
    search = model.method.search
    if steadiness.warm_start and search is None:
        raise IbcError(f'steadiness.warm_start: {kind} does not search: set it to 0')
    if search is not None and steadiness.warm_start > search.samples:
        raise IbcError(
            f'steadiness.warm_start is {steadiness.warm_start}, but {kind} has '
            f'{search.samples} candidates: give fewer'
        )
    if steadiness.mode_margin and not isinstance(model, ImplicitModel):
        raise IbcError(f'steadiness.mode_margin: {kind} ranks no actions: set it to 0')
