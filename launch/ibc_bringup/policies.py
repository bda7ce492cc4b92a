"""What `ibc eval` can evaluate: trained bundles, the demonstrator and the two baselines.

Everything here is picklable, because evaluation makes policies and environments in its workers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from implicit_bc.baselines import DoNothingPolicy, RandomPolicy
from implicit_bc.evaluation import (
    EnvFactory,
    PolicyFactory,
    SpectatorFactory,
    Summary,
    evaluate,
    roll_out,
)
from implicit_bc.interface import Policy
from implicit_bc.rollout import Episode
from xarm_twin.camera import RendererChoice
from xarm_twin.delays import Delays
from xarm_twin.demonstrators import make_demonstrator
from xarm_twin.envs import PlanarTaskEnv
from xarm_twin.lead_in import BLIND_CONTRACT, FRAME_AGE_S
from xarm_twin.randomization import load_randomization

SCRIPTED = ('demonstrator', 'random', 'nothing')
_SHOWING_CONTRACT = 'planar_rgb'


class DemonstratorPolicy:
    """The scripted demonstrator, acting on the environment's ground truth."""

    def __init__(self, task: str, noise: float = 0.0, multimodal: bool = False) -> None:
        rng = np.random.default_rng(0)
        self._demonstrator = make_demonstrator(task, rng, noise, multimodal)

    def reset(self, rng: np.random.Generator) -> None:
        """Begin an episode with a hand drawn from `rng`."""
        self._demonstrator.reset(rng)

    def act(self, observation: Any, rng: np.random.Generator) -> np.ndarray:
        """Return the move of the setpoint, (2,) [m]."""
        info = observation['info']
        return self._demonstrator.act(info['setpoint'], info['objects'])


@dataclass(frozen=True)
class Contestant:
    """A policy on a task, ready to be evaluated."""

    name: str
    task: str
    policy: PolicyFactory
    env: EnvFactory
    period_s: float
    """Between two decisions [s]."""

    def evaluate(self, episodes: int, seed: int, workers: int) -> Summary:
        """Roll out `episodes` seeds from `seed` on."""
        return evaluate(self.policy, self.env, episodes, seed, workers)

    def roll_out(
        self, seeds: Sequence[int], workers: int, spectator: SpectatorFactory | None = None
    ) -> Iterator[Episode]:
        """Yield one episode per seed, in their order; each may be watched."""
        return roll_out(self.policy, self.env, seeds, workers, spectator_factory=spectator)


def contestant(
    name: str,
    task: str | None = None,
    renderer: RendererChoice = 'auto',
    steadiness: Mapping[str, float] | None = None,
    hand: Mapping[str, Any] | None = None,
    delays: Delays | None = None,
    pictures: bool = False,
    randomize: bool = False,
) -> Contestant:
    """Find what `name` means on `task` (a model's own task by default); IbcError if nothing.

    A model that was trained for another task, or under a contract that is not ours, is refused.
    By default it sees frames that are `FRAME_AGE_S` old, the scripted ones what is there, and what
    they decide begins at once; `delays` replaces both.

    `steadiness` replaces fields of that in a model's `policy.yaml`; the scripted ones have none.
    `hand` is what the demonstrator's is like: `noise` and `multimodal`. With `pictures` the
    scripted ones are shown what they do not look at, for films; a model of poses is refused. With
    `randomize` every episode draws a scene of its own, and its delays where none are given.
    """
    scenes = load_randomization() if randomize else None
    if hand and name != 'demonstrator':
        raise IbcError(f'{name} is not the demonstrator: leave out {", ".join(hand)}')
    if name in SCRIPTED:
        if steadiness:
            raise IbcError(f'{name} is no model: leave out {", ".join(steadiness)}')
        if task is None:
            raise IbcError(f'{name} needs a task: add --task NAME')
        contract = load_contract(_SHOWING_CONTRACT if pictures else BLIND_CONTRACT)
        return Contestant(
            name,
            task,
            partial(_scripted, name, task, hand or {}),
            partial(PlanarTaskEnv, task, contract, renderer, delays=delays, randomization=scenes),
            contract.period_s,
        )
    from ibc_bringup.bundles import check_bundle, read_card

    card = read_card(name)
    contract = check_bundle(card.path)
    if pictures and contract.observation.kind != 'image':
        raise IbcError(f'model {card.path} sees poses: there are no pictures for a film')
    task = task or card.task
    if card.tasks and task not in card.tasks:
        raise IbcError(
            f'model {card.path} was trained for {", ".join(card.tasks)}, not for {task}: leave '
            'out --task, or choose another model'
        )
    return Contestant(
        card.name,
        task,
        partial(_trained, card.path, card.contract, steadiness),
        partial(
            PlanarTaskEnv,
            task,
            contract,
            renderer,
            FRAME_AGE_S,
            delays=delays,
            randomization=scenes,
        ),
        contract.period_s,
    )


def player(model: str, contract: str) -> PolicyFactory:
    """Return a factory of the trained policy `model`, a name or a folder; IbcError if unknown.

    The factory refuses a model that was not trained under `contract`.
    """
    from ibc_bringup.bundles import read_card

    return partial(_trained_alone, read_card(model).path, contract)


def _trained_alone(path: Path, contract: str) -> Policy:
    from implicit_bc.threads import use_threads

    use_threads(1)  # there are as many processes as cores
    return _trained(path, contract)


def _scripted(name: str, task: str, hand: Mapping[str, Any]) -> Policy:
    if name == 'demonstrator':
        return DemonstratorPolicy(task, **hand)
    if name == 'random':
        return RandomPolicy(load_contract(BLIND_CONTRACT).max_delta_m)
    return DoNothingPolicy()


def _trained(path: Path, contract: str, steadiness: Mapping[str, float] | None = None) -> Policy:
    from implicit_bc.bundle import load_bundle  # the others do without PyTorch

    return load_bundle(path, load_contract(contract), steadiness=steadiness).policy
