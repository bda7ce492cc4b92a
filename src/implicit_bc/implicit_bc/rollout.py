"""One episode of a policy in a Gymnasium environment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from implicit_bc.interface import Policy


class Environment(Protocol):
    """The part of `gymnasium.Env` that a rollout needs.

    `info` holds 'score' and 'success', and may hold 'seconds' since the reset, the
    'interventions' of the safety gate and, of an episode that failed, 'failure' and 'ending'.
    """

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; return observation and info."""
        ...

    def step(self, action: np.ndarray) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Return observation, reward, terminated, truncated and info."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


@dataclass(frozen=True)
class Episode:
    """How one rollout went."""

    seed: int
    score: float
    """Score of the task at the end, in [0, 1]."""
    success: bool
    steps: int
    seconds: float | None = None
    """From the reset to the end, in the time of the environment [s]."""
    interventions: Mapping[str, int] = field(default_factory=dict)
    """Of the safety gate, by kind."""
    failure: str = ''
    """What was not done in the end, if something was not."""
    ending: str = ''
    """How it was not done."""


OnStep = Callable[[Any, np.ndarray, dict[str, Any]], None]
"""Called with observation, action taken, and the info after it."""


class Spectator(Protocol):
    """Watches one episode."""

    def step(self, observation: Any, action: np.ndarray, info: dict[str, Any]) -> None:
        """See what was observed, the action taken, and the info after it."""
        ...

    def end(self, episode: Episode) -> None:
        """Learn how it went."""
        ...


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
    return Episode(
        seed,
        float(info['score']),
        bool(info['success']),
        steps,
        info.get('seconds'),
        info.get('interventions', {}),
        info.get('failure', ''),
        info.get('ending', ''),
    )
