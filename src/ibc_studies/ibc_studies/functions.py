"""Functions of one number with one answer or several: those of Figs 2 and 3 of the paper.

The paper draws them and gives no formulas; these have the features that its captions name.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

INSIDE = (0.0, 1.0)
"""Where the training samples lie; everything else is extrapolation."""
_SLOPE_OVER = 0.01
"""Stretch of x over which slopes at the ends are taken; all functions are straight there."""


@dataclass(frozen=True)
class StudyFunction:
    """A function, or a relation, on x in [0, 1]."""

    name: str
    sample: Callable[[Array, np.random.Generator], Array]
    """x (n,) and a source of randomness -> one valid y (n,) for each."""
    valid: Callable[[float], list[tuple[float, float]]]
    """x -> intervals of valid y, ascending; a point is an interval of length 0."""
    several: bool
    """Whether some x have more than one valid y."""
    has_slopes: bool = True
    """Whether it arrives at the ends of [0, 1] with a slope, to go on with beyond."""


def _step(x: Array) -> Array:
    return np.where(x < 0.5, 0.2, 0.8)


def _pieces(x: Array) -> Array:
    """Three pieces with slopes of their own, jumps between them."""
    return np.select([x < 0.3, x < 0.65], [0.2 + x, 0.9 - 1.5 * (x - 0.3)], 0.55 + 0.8 * (x - 0.65))


def _circle(x: Array) -> Array:
    """Upper half of a circle around (0.5, 0.5)."""
    return 0.5 + np.sqrt(np.clip(0.16 - (x - 0.5) ** 2, 0.0, None))


def _in_circle(x: float) -> list[tuple[float, float]]:
    """A circle that is split: its halves are shifted apart, beside it one line goes on."""
    if not 0.1 <= x <= 0.9:
        return [(0.5, 0.5)]
    upper = float(_circle(np.array(x)))
    return [(1.0 - upper - 0.05, 1.0 - upper - 0.05), (upper + 0.05, upper + 0.05)]


def _in_hysteresis(x: float) -> list[tuple[float, float]]:
    """Two branches that overlap where x lies between 0.35 and 0.65."""
    branches = []
    if x <= 0.65:
        branches.append(0.15 + 0.25 * x)
    if x >= 0.35:
        branches.append(0.60 + 0.25 * x)
    return [(y, y) for y in branches]


def _in_ranges(x: float) -> list[tuple[float, float]]:
    """Everything in one of two bands."""
    return [(0.1 + 0.1 * x, 0.3 + 0.1 * x), (0.6 - 0.1 * x, 0.9 - 0.1 * x)]


def _noise(x: Array) -> Array:
    """Gaussian noise, fixed for each of the few points that are ever sampled."""
    return np.random.default_rng(7).normal(0.5, 0.2, NOISE_POINTS)[_nearest_point(x)]


NOISE_POINTS = 20


def _nearest_point(x: Array) -> npt.NDArray[np.int64]:
    return np.clip(np.rint(x * (NOISE_POINTS - 1)), 0, NOISE_POINTS - 1).astype(np.int64)


def _single(name: str, f: Callable[[Array], Array], has_slopes: bool = True) -> StudyFunction:
    def valid(x: float) -> list[tuple[float, float]]:
        y = float(f(np.array(x)))
        return [(y, y)]

    return StudyFunction(name, lambda x, rng: f(x), valid, several=False, has_slopes=has_slopes)


def _relation(name: str, valid: Callable[[float], list[tuple[float, float]]]) -> StudyFunction:
    def sample(x: Array, rng: np.random.Generator) -> Array:
        chosen = [valid(float(value)) for value in x]
        picked = [branches[rng.integers(len(branches))] for branches in chosen]
        return np.array([rng.uniform(low, high) for low, high in picked])

    return StudyFunction(name, sample, valid, several=True)


STEP = _single('step', _step)
PIECES = _single('pieces', _pieces)
NOISE = _single('noise', _noise, has_slopes=False)
CIRCLE = _relation('circle', _in_circle)
HYSTERESIS = _relation('hysteresis', _in_hysteresis)
RANGES = _relation('ranges', _in_ranges)

SINGLE_VALUED = (STEP, PIECES, NOISE)
"""Fig. 2."""
MULTI_VALUED = (CIRCLE, HYSTERESIS, RANGES)
"""Fig. 3."""


def training_points(function: StudyFunction, count: int, seed: int) -> tuple[Array, Array]:
    """Draw (n,) x and y. Of noise there are `NOISE_POINTS` points: the ones that it has."""
    rng = np.random.default_rng(seed)
    x = np.linspace(*INSIDE, NOISE_POINTS) if function is NOISE else rng.uniform(*INSIDE, count)
    return x, function.sample(x, rng)


def distance_to_graph(function: StudyFunction, x: Array, y: Array, grid: int = 801) -> Array:
    """Distance in the plane from points (n,) to the nearest valid point inside [0, 1].

    A prediction between the two sides of a jump is far from the graph, one that jumps a little too
    early is not.
    """
    columns = np.linspace(*INSIDE, grid)
    intervals = [(c, low, high) for c in columns for low, high in function.valid(float(c))]
    at, low, high = np.array(intervals).T
    across = y[:, None] - np.clip(y[:, None], low, high)
    return np.sqrt((x[:, None] - at) ** 2 + across**2).min(axis=1)


def distance_beside(function: StudyFunction, x: Array, y: Array) -> Array:
    """Distance |dy| from points (n,) beside [0, 1] to how the function would go on.

    Every interval of valid y at the nearer end of [0, 1] goes on straight, with the slopes that its
    bounds have there: the paper sees implicit models extrapolate the piece that is nearest to the
    edge of the data, linearly (section 3). There is no truth beside the data; this only says if a
    model does so. Noise has no slope (`has_slopes`).
    """
    ends = np.where(x > INSIDE[1], INSIDE[1], INSIDE[0])
    distance = np.full(len(x), np.inf)
    for end, inwards in zip(INSIDE, (_SLOPE_OVER, -_SLOPE_OVER), strict=True):
        at_end = ends == end
        beyond = (x[at_end] - end) / inwards
        for last, before in zip(function.valid(end), function.valid(end + inwards), strict=True):
            low, high = (b + (a - b) * beyond for b, a in zip(last, before, strict=True))
            off = np.abs(y[at_end] - np.clip(y[at_end], low, high))
            distance[at_end] = np.minimum(distance[at_end], off)
    return distance
