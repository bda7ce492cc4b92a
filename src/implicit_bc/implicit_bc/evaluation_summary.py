"""What many rollouts amount to: rates with intervals, times, interventions, failures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from implicit_bc.bootstrap import mean_interval
from implicit_bc.rollout import Episode
from implicit_bc.wilson import wilson_interval


@dataclass(frozen=True)
class Summary:
    """How a policy did over many rollouts."""

    score: float
    score95: tuple[float, float]
    """Bootstrap interval."""
    success_rate: float
    wilson95: tuple[float, float]
    episodes: int
    seed: int
    """Of the first episode."""
    seconds: float
    """That the rollouts took [s]."""
    time_to_success_s: dict[str, float] | None
    """'mean' and 'median' over the successes; None without any that was timed [s]."""
    interventions: dict[str, float]
    """Of the safety gate by kind, most frequent first: how many in an episode, on average."""
    failures: dict[str, int]
    """What was not done -> in how many episodes, most frequent first."""
    endings: dict[str, int]
    """How it was not done, likewise."""
    rollouts: tuple[Episode, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for JSON, without the single rollouts."""
        times = self.time_to_success_s
        return {
            'score': round(self.score, 4),
            'score95': [round(bound, 4) for bound in self.score95],
            'success_rate': round(self.success_rate, 4),
            'wilson95': [round(bound, 4) for bound in self.wilson95],
            'episodes': self.episodes,
            'seed': self.seed,
            'seconds': round(self.seconds, 2),
            'time_to_success_s': times and {name: round(s, 2) for name, s in times.items()},
            'interventions': {kind: round(n, 4) for kind, n in self.interventions.items()},
            'failures': self.failures,
            'endings': self.endings,
        }


def summarize(episodes: Sequence[Episode], seconds: float) -> Summary:
    """Average `episodes`, of which there is at least one, and put intervals around their means.

    `seconds` is what it took to roll them out [s].
    """
    successes = [episode for episode in episodes if episode.success]
    scores = [episode.score for episode in episodes]
    times = [episode.seconds for episode in successes if episode.seconds is not None]
    gate: Counter[str] = Counter()
    for episode in episodes:
        gate.update(episode.interventions)
    return Summary(
        score=float(np.mean(scores)),
        score95=mean_interval(scores),
        success_rate=len(successes) / len(episodes),
        wilson95=wilson_interval(len(successes), len(episodes)),
        episodes=len(episodes),
        seed=episodes[0].seed,
        seconds=seconds,
        time_to_success_s={'mean': float(np.mean(times)), 'median': float(np.median(times))}
        if times
        else None,
        interventions={kind: count / len(episodes) for kind, count in gate.most_common()},
        failures=_counts([episode.failure for episode in episodes if not episode.success]),
        endings=_counts([episode.ending for episode in episodes if not episode.success]),
        rollouts=tuple(episodes),
    )


def _counts(words: Sequence[str]) -> dict[str, int]:
    return dict(Counter(filter(None, words)).most_common())
