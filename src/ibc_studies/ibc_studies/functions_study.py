"""Figs 2 and 3 of the paper: what models make of jumps and of many answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ibc_studies.functions import (
    MULTI_VALUED,
    SINGLE_VALUED,
    Array,
    StudyFunction,
    distance_beside,
    distance_to_graph,
    training_points,
)
from ibc_studies.preset import StudyPreset, require_history
from implicit_bc.batched import BatchedPolicy
from implicit_bc.training.data import ArrayData
from implicit_bc.training.trainer import fit

NEAR = 0.05
"""An answer this close to a valid one counts as valid."""
REACH = 0.5
"""How far beside the data models are asked, on either side."""
SHOWN = np.linspace(-REACH, 1 + REACH, 401)
"""Where models are asked."""
DRAWS = 16
"""Answers drawn for each x where there are several valid ones."""


@dataclass(frozen=True)
class FunctionRow:
    """How one model did on one function."""

    function: str
    policy: str
    seed: int
    valid: float
    """Share of its answers inside the range of the data that are valid (`NEAR`)."""
    worst: float
    """Largest distance of such an answer from the graph."""
    covered: float
    """Share of the valid answers there that it gives, of several."""
    beside: float | None
    """Share of its answers beside the data, up to `REACH` away, that are near (`NEAR`) to how the
    function would go on straight (`distance_beside`); None for noise."""


@dataclass(frozen=True)
class Answers:
    """What a model says, for the figure."""

    row: FunctionRow
    x: Array
    y: Array
    samples_x: Array
    samples_y: Array


def study_functions(preset: StudyPreset, seeds: Sequence[int], folder: Path) -> list[Answers]:
    """Train the policies of `preset` on all functions and ask them everywhere.

    Args:
        preset: What to train; `demonstrations` are the points of each function.
        seeds: Of points and training.
        folder: Takes the runs, one below `function/policy/seed`; what is trained is resumed.

    Raises:
        IbcError: The preset has a history, and a point has none.
    """
    require_history(preset, 1, 'functions')
    answers = []
    functions = (*SINGLE_VALUED, *MULTI_VALUED)
    jobs = [(seed, f, name) for seed in seeds for f in functions for name in preset.policies]
    for seed, function, name in tqdm(jobs, desc='functions', unit='model', disable=None):
        x, y = training_points(function, preset.demonstrations, seed)
        data = ArrayData(
            x[:, None].astype(np.float32), y[:, None].astype(np.float32), np.zeros(len(x), int)
        )
        config = replace(preset.policies[name], seed=seed)
        run_dir = folder / function.name / name / f'seed_{seed}'
        model = fit(config, data, run_dir, resume=run_dir.exists(), progress=False).model
        asked, given = _ask(BatchedPolicy(model, seed), function.several)
        answers.append(Answers(_judge(function, name, seed, asked, given), asked, given, x, y))
    return answers


def _ask(policy: BatchedPolicy, several: bool) -> tuple[Array, Array]:
    """Questions and answers, (n,) each; where there are several answers, draws from the model."""
    observations = SHOWN[:, None, None].astype(np.float32)
    given = policy.draw(observations, DRAWS) if several else policy.act(observations)[:, None]
    return np.repeat(SHOWN, given.shape[1]), given[..., 0].ravel().astype(float)


def _judge(function: StudyFunction, policy: str, seed: int, x: Array, y: Array) -> FunctionRow:
    inside = (x >= 0.0) & (x <= 1.0)
    distance = distance_to_graph(function, x[inside], y[inside])
    return FunctionRow(
        function=function.name,
        policy=policy,
        seed=seed,
        valid=float((distance < NEAR).mean()),
        worst=float(distance.max()),
        covered=_covered(function, x[inside], y[inside]),
        beside=_beside(function, x[~inside], y[~inside]) if function.has_slopes else None,
    )


def _beside(function: StudyFunction, x: Array, y: Array) -> float:
    return float((distance_beside(function, x, y) < NEAR).mean())


def _covered(function: StudyFunction, x: Array, y: Array) -> float:
    """Share of valid answers, spread over the intervals at each x, with a given one nearby."""
    found = []
    for column in np.unique(x):
        given = y[x == column]
        for low, high in function.valid(float(column)):
            wanted = np.linspace(low, high, 5 if high > low else 1)
            found += [bool(np.abs(given - w).min() < NEAR) for w in wanted]
    return float(np.mean(found))
