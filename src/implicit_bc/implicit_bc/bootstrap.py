"""Confidence interval of a mean whose distribution is not known."""

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000


def mean_interval(values: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Return the percentile bootstrap interval of the mean of `values` (B. Efron, 1979).

    The same values give the same interval. Where all are equal it has no width, which says little
    of few of them: of a success rate, ask `wilson_interval`.

    Raises:
        ValueError: There are no values.
    """
    sample = np.asarray(values, dtype=float)
    if sample.size == 0:
        raise ValueError('no values: their mean has no interval')
    rng = np.random.default_rng(0)
    # How often each value is drawn is all that a mean needs, and scores have few values.
    distinct, counts = np.unique(sample, return_counts=True)
    means = rng.multinomial(sample.size, counts / sample.size, RESAMPLES) @ distinct / sample.size
    low, high = np.quantile(means, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)
