"""The learned policy."""

import time
from dataclasses import dataclass

import numpy as np
import torch

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from implicit_bc.interface import Observation
from implicit_bc.methods import Model
from implicit_bc.samplers import Deadline
from implicit_bc.spaces import Spaces


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

    def __init__(self, contract: Contract, model: Model) -> None:
        """Take a model that was trained for the observations and actions of `contract`."""
        if model.spaces != Spaces.of_contract(contract):
            raise IbcError(f'contract {contract.name} has other shapes than the model')
        self.contract = contract
        self.model = model.eval()

    def reset(self, rng: np.random.Generator) -> None:
        """Nothing is carried over from tick to tick."""

    def act(self, observation: Observation, rng: np.random.Generator) -> np.ndarray:
        """Return the action of lowest energy that was found, (2,) float64 [m]."""
        return self.infer(observation, rng).action

    @torch.inference_mode()
    def infer(
        self, observation: Observation, rng: np.random.Generator, time_budget: float | None = None
    ) -> Inference:
        """Decide for one observation; the same `rng` state gives the same answer.

        Args:
            observation: What the contract says.
            rng: Source of randomness.
            time_budget: When the answer must be there [s from now]; the search then does as many of
                its rounds as fit, at least one. No limit by default.

        Raises:
            IbcError: The observation is not what the contract says.
        """
        start = time.perf_counter()
        device = self.model.low.device
        deadline = Deadline(time_budget, device)
        observed = torch.from_numpy(self._checked(observation))[None].to(device)
        generator = torch.Generator(device).manual_seed(int(rng.integers(2**63)))
        decided = self.model.decide(observed, generator, deadline=deadline)
        to_metres = self.model.action.inverse
        action = to_metres(decided.best)[0].double().cpu().numpy()
        candidates = to_metres(decided.candidates)[0].double().cpu().numpy()
        energies = decided.energies[0].cpu().numpy()
        seconds = time.perf_counter() - start
        return Inference(
            action,
            candidates,
            energies,
            decided.iterations,
            deadline.has_cut_short,
            seconds,
        )

    def warm_up(self, rounds: int = 3) -> float:
        """Decide on an empty observation `rounds` times; the time of the last one [s].

        The first decisions of a process are slow: libraries load and memory is allocated.
        """
        key, dtype = self._expected()
        empty = {key: np.zeros(self.contract.observation_shape, dtype)}
        rng = np.random.default_rng(0)
        return [self.infer(empty, rng).seconds for _ in range(max(1, rounds))][-1]

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
