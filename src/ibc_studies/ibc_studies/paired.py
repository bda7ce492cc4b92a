"""Two policies in the same episodes: which of them is better, whatever the episodes are like."""

from math import comb


def sign_test(first: int, second: int) -> float:
    """Two-sided p-value of `first` and `second` wins among episodes that only one of the two won.

    Exact: how likely a fair coin is to be as uneven (McNemar 1947, in its binomial form). Episodes
    that both or neither won say nothing; without any others it is 1.

    Raises:
        ValueError: A count is negative.
    """
    if min(first, second) < 0:
        raise ValueError(f'{first} and {second} wins')
    total = first + second
    tail = sum(comb(total, wins) for wins in range(min(first, second) + 1))
    return min(1.0, 2 * tail / 2**total)
