"""Roll policies out in Gymnasium environments and count, with an interval."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from ibc_contract.errors import IbcError
from ibc_contract.process_pool import spawn_pool
from implicit_bc.interface import Policy
from implicit_bc.wilson import wilson_interval

log = logging.getLogger(__name__)


class Environment(Protocol):
    """The part of `gymnasium.Env` that a rollout needs; `info` holds 'score' and 'success'."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; return observation and info."""
        ...

    def step(self, action: np.ndarray) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Return observation, reward, terminated, truncated and info."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


PolicyFactory = Callable[[], Policy]
EnvFactory = Callable[[], Environment]
OnStep = Callable[[Any, np.ndarray, dict[str, Any]], None]
"""Called with observation, action taken, and the info after it."""


@dataclass(frozen=True)
class Episode:
    """How one rollout went."""

    seed: int
    score: float
    """Score of the task at the end, in [0, 1]."""
    success: bool
    steps: int


@dataclass(frozen=True)
class Summary:
    """How a policy did over many rollouts."""

    score: float
    success_rate: float
    wilson95: tuple[float, float]
    episodes: int
    seed: int
    seconds: float
    rollouts: tuple[Episode, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, without the single rollouts."""
        return {
            'score': round(self.score, 4),
            'success_rate': round(self.success_rate, 4),
            'wilson95': [round(bound, 4) for bound in self.wilson95],
            'episodes': self.episodes,
            'seed': self.seed,
            'seconds': round(self.seconds, 2),
        }


def rollout(policy: Policy, env: Environment, seed: int, on_step: OnStep | None = None) -> Episode:
    """Run one episode of `env` from `seed`; the same seed gives the same episode.

    The policy gets the environment's info as observation['info']; scripted demonstrators act on it,
    learned policies do not look.
    """
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    policy.reset(rng)
    steps, done = 0, False
    while not done:
        action = policy.act({**observation, 'info': info}, rng)
        before = observation
        observation, _, terminated, truncated, info = env.step(action)
        steps += 1
        done = terminated or truncated
        if on_step is not None:
            on_step(before, action, info)
    return Episode(seed, float(info['score']), bool(info['success']), steps)


def evaluate(
    policy_factory: PolicyFactory,
    env_factory: EnvFactory,
    episodes: int,
    seed: int = 0,
    workers: int = 1,
    progress: bool = True,
) -> Summary:
    """Roll out `episodes` episodes with seeds `seed`, `seed` + 1, ...

    Args:
        policy_factory: Makes the policy; with several workers it must be picklable.
        env_factory: Makes the environment; likewise.
        episodes: Number of episodes.
        seed: Seed of the first one.
        workers: Processes; with one, or for one episode, it runs in this one. The result does not
            depend on it.
        progress: Show a progress bar if there is a terminal.

    Raises:
        IbcError: No episodes; or what the factories raise, before any process is started.
    """
    if episodes < 1:
        raise IbcError(f'{episodes} episodes: at least 1 is needed')
    start = time.monotonic()
    seeds = range(seed, seed + episodes)
    hidden = None if progress else True
    bar = partial(tqdm, total=episodes, desc='evaluate', unit='episode', disable=hidden)
    workers = min(workers, episodes)
    # Made here in any case: what a pool's initializer raises only shows as a broken pool.
    policy, env = policy_factory(), env_factory()
    try:
        if workers <= 1:
            results = [rollout(policy, env, s) for s in bar(seeds)]
        else:
            with spawn_pool(workers, _begin_worker, (policy_factory, env_factory)) as pool:
                results = list(bar(pool.map(_rollout_in_worker, seeds)))
    finally:
        env.close()
    return summarize(results, seed, time.monotonic() - start)


def summarize(results: list[Episode], seed: int, seconds: float) -> Summary:
    """Average `results` and put an interval around the success rate."""
    successes = sum(episode.success for episode in results)
    return Summary(
        score=float(np.mean([episode.score for episode in results])),
        success_rate=successes / len(results),
        wilson95=wilson_interval(successes, len(results)),
        episodes=len(results),
        seed=seed,
        seconds=seconds,
        rollouts=tuple(results),
    )


_worker: dict[str, Any] = {}
"""Policy and environment of a worker process, made once."""


def _begin_worker(policy_factory: PolicyFactory, env_factory: EnvFactory) -> None:
    _worker['policy'], _worker['env'] = policy_factory(), env_factory()
    if 'torch' in sys.modules:  # the workers share the cores among themselves
        sys.modules['torch'].set_num_threads(1)


def _rollout_in_worker(seed: int) -> Episode:
    return rollout(_worker['policy'], _worker['env'], seed)
