"""A time limit that a search keeps without ever being without an answer."""

import math
import time
from collections.abc import Callable, Iterator

import torch

from ibc_contract.errors import IbcError


class Deadline:
    """Counts rounds of a search until the next one would end too late.

    The first round is always done: it is what makes an answer, so a decision takes at least the
    time of one. Later rounds are expected to take as long as the longest so far.
    """

    def __init__(
        self,
        seconds: float | None = None,
        device: torch.device | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin to count.

        Args:
            seconds: Time from now to the end of the search [s]; no limit by default.
            device: Where the rounds run; on a GPU their end must be waited for to know their time.
            clock: Monotonic time [s].

        Raises:
            IbcError: `seconds` is not a number; with it, no time would ever be too late.
        """
        if seconds is not None and math.isnan(seconds):
            raise IbcError('the time budget is not a number: give seconds, or None for no limit')
        self._clock = clock
        self._end = math.inf if seconds is None else clock() + seconds
        self._device = device
        self.has_cut_short = False
        """Whether rounds were left out for lack of time."""

    def leaves(self, seconds: float) -> bool:
        """Tell whether `seconds` from now lie before the end."""
        return self._now() + seconds <= self._end

    def rounds(self, count: int, kept: int = 0) -> Iterator[int]:
        """Yield 0, 1, ... `count` - 1, or as many as there is time for, at least one if any.

        Args:
            count: Rounds without a limit.
            kept: Rounds whose time is kept for what comes after the last one.
        """
        longest = 0.0
        for index in range(count):
            begin = self._now()
            if index and begin + (1 + kept) * longest > self._end:
                self.has_cut_short = True
                return
            yield index
            longest = max(longest, self._now() - begin)

    def _now(self) -> float:
        if self._end == math.inf:
            return 0.0
        if self._device is not None and self._device.type == 'cuda':
            torch.cuda.synchronize(self._device)
        return self._clock()


NO_DEADLINE = Deadline()
