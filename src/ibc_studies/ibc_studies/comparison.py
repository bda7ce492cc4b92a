"""Train policies on the same demonstrations, with several seeds, and count what they can do."""

import csv
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ibc_studies.preset import StudyPreset
from implicit_bc.batched import BatchedPolicy
from implicit_bc.nearest_neighbor import NearestNeighborPolicy
from implicit_bc.paired import sign_test
from implicit_bc.training.config import TrainConfig
from implicit_bc.training.data import TrainingData
from implicit_bc.training.trainer import fit
from implicit_bc.wilson import wilson_interval

Decide = Callable[[np.ndarray], np.ndarray]
"""Observations (b, T, D) -> actions (b, A)."""
Judge = Callable[[Decide, Sequence[int]], np.ndarray]
"""Runs the episodes of these seeds: (B,) bool, which were won."""

NEAREST_NEIGHBOR = 'nearest_neighbor'

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """What one policy did, over all its seeds."""

    policy: str
    success_rate: float
    wilson95: tuple[float, float]
    episodes: int
    paper_rate: float | None
    """Success rate in the paper, where it gives a number."""
    per_seed: tuple[float, ...]
    """Success rate of each training run, on layouts of its own."""
    won_alone: int
    """Episodes that it won and the first policy did not."""
    lost_alone: int
    """Episodes that it did not win and the first policy did."""
    p_value: float
    """Of `won_alone` and `lost_alone` if the two were equally good (`sign_test`)."""
    steps: int
    """Of training, per seed."""
    seconds: float
    """Of training, per seed."""
    parameters: int


def compare(
    preset: StudyPreset,
    data: TrainingData,
    judge: Judge,
    seeds: Sequence[int],
    episodes: int,
    folder: Path,
    paper: Mapping[str, float],
) -> list[Row]:
    """Train every policy of `preset` with every seed, let it act, and count.

    Args:
        preset: What to train.
        data: What to learn from.
        judge: Lets a policy act.
        seeds: Of training.
        episodes: To act in, per seed: the first run has layouts 0 to `episodes` - 1, the second one
            those that follow, so that an interval counts no layout twice. The same ones for every
            policy.
        folder: Takes the runs, one below `policy/seed`; what is trained already is resumed.
        paper: Success rates in the paper, by policy.
    """
    outcomes = []
    for name, config in preset.policies.items():
        outcomes.append(_trained(name, config, data, judge, seeds, episodes, folder / name))
        log.info('%s: %s', name, f'{np.mean(outcomes[-1].won):.1%} of {np.size(outcomes[-1].won)}')
    outcomes.append(_nearest(data, judge, len(seeds) * episodes))
    return [_row(each, outcomes[0], paper.get(each.policy)) for each in outcomes]


def write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write rows, which have the same columns, as a table; None is an empty field."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open('w', newline='') as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def as_json(rows: Sequence[Row], **facts: Any) -> Mapping[str, Any]:
    """The first row, which the study is about, with the others as `baselines`."""
    first, *others = rows
    return {**facts, **asdict(first), 'baselines': {row.policy: asdict(row) for row in others}}


@dataclass(frozen=True)
class _Outcome:
    policy: str
    won: Sequence[np.ndarray]
    """By training run: (episodes,) bool. End to end, they are the same episodes for everyone."""
    steps: int
    seconds: float
    parameters: int


def _trained(
    name: str,
    config: TrainConfig,
    data: TrainingData,
    judge: Judge,
    seeds: Sequence[int],
    episodes: int,
    folder: Path,
) -> _Outcome:
    won, seconds, steps, parameters = [], [], [], 0
    for i, seed in enumerate(seeds):
        run_dir = folder / f'seed_{seed}'
        trained = fit(replace(config, seed=seed), data, run_dir, resume=run_dir.exists())
        won.append(
            judge(BatchedPolicy(trained.model, seed).act, range(i * episodes, (i + 1) * episodes))
        )
        seconds.append(trained.seconds)
        steps.append(trained.steps)
        parameters = sum(p.numel() for p in trained.model.parameters())
    return _Outcome(name, won, max(steps), float(np.mean(seconds)), parameters)


def _nearest(data: TrainingData, judge: Judge, episodes: int) -> _Outcome:
    started = time.monotonic()
    policy = NearestNeighborPolicy(data, np.arange(len(data.actions)))
    seconds = time.monotonic() - started
    return _Outcome(NEAREST_NEIGHBOR, [judge(policy.act_on, range(episodes))], 0, seconds, 0)


def _row(outcome: _Outcome, first: _Outcome, paper: float | None) -> Row:
    won, first_won = np.concatenate(outcome.won), np.concatenate(first.won)
    count = int(won.sum())
    alone, lost = int((won & ~first_won).sum()), int((first_won & ~won).sum())
    return Row(
        policy=outcome.policy,
        success_rate=count / len(won),
        wilson95=wilson_interval(count, len(won)),
        episodes=len(won),
        paper_rate=paper,
        per_seed=tuple(float(one.mean()) for one in outcome.won),
        won_alone=alone,
        lost_alone=lost,
        p_value=sign_test(alone, lost),
        steps=outcome.steps,
        seconds=round(outcome.seconds, 1),
        parameters=outcome.parameters,
    )
