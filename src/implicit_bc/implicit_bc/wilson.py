"""Confidence interval of a success rate."""

import math

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the standard normal distribution."""


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Return the Wilson score interval of `successes` out of `trials`.

    Unlike the normal approximation it stays inside [0, 1] and says something useful at 0 and 100 %
    (E. B. Wilson, 1927). No trials give (0, 1): nothing is known.

    Raises:
        ValueError: `successes` does not lie between 0 and `trials`.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f'{successes} successes of {trials} trials')
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    shrink = 1.0 + z * z / trials
    centre = (rate + z * z / (2 * trials)) / shrink
    spread = z * math.sqrt(rate * (1 - rate) / trials + z * z / (4 * trials * trials)) / shrink
    # Exact at the ends, where rounding would leave 1e-17.
    low = centre - spread if successes > 0 else 0.0
    high = centre + spread if successes < trials else 1.0
    return low, high
