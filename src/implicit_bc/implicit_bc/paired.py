"""Two policies in the same episodes: which of them is better, whatever the episodes are like."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np

from implicit_bc.bootstrap import mean_interval
from implicit_bc.rollout import Episode

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Paired:
    """What two policies did in the same episodes."""

    both: int
    """Episodes in which both succeeded."""
    first_only: int
    second_only: int
    neither: int
    p_value: float
    """Of `first_only` and `second_only` if the two succeeded equally often (`sign_test`)."""
    score_difference: float
    """Mean of the first one's score minus the second one's."""
    score_difference95: tuple[float, float]
    """Bootstrap interval over episodes."""

    @property
    def episodes(self) -> int:
        """How many there are."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def success_differs(self) -> bool:
        """Whether one succeeded significantly more often."""
        return self.p_value < SIGNIFICANT

    @property
    def score_differs(self) -> bool:
        """Whether the interval of the scores' difference is on one side of zero."""
        low, high = self.score_difference95
        return low > 0.0 or high < 0.0


def pair(first: Sequence[Episode], second: Sequence[Episode]) -> Paired | None:
    """Hold two policies against each other in the seeds that both were run on; None without any."""
    others = {episode.seed: episode for episode in second}
    pairs = [(one, others[one.seed]) for one in first if one.seed in others]
    if not pairs:
        return None
    won = np.array([(one.success, other.success) for one, other in pairs])
    differences = [one.score - other.score for one, other in pairs]
    alone = int((won[:, 0] & ~won[:, 1]).sum())
    lost = int((won[:, 1] & ~won[:, 0]).sum())
    return Paired(
        both=int(won.all(axis=1).sum()),
        first_only=alone,
        second_only=lost,
        neither=int((~won).all(axis=1).sum()),
        p_value=sign_test(alone, lost),
        score_difference=float(np.mean(differences)),
        score_difference95=mean_interval(differences),
    )


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
