"""Ticks on an absolute grid of the monotonic clock."""

import threading
import time
from collections.abc import Callable, Iterator


def ticks(
    period: float,
    stop: threading.Event,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[float, int]]:
    """Yield `(deadline, missed)` once per `period` [s] until `stop` is set.

    Deadlines stay on the grid `t0 + k * period`: a late tick does not shift the later ones, and
    after a stall the missed ticks are counted, never caught up. CPython's `time.sleep` is an
    absolute clock_nanosleep, so nothing finer is needed.

    Yields:
        The tick's deadline on `clock` [s], and how many whole periods were skipped before it.
    """
    deadline = clock() + period
    while not stop.is_set():
        sleep(max(0.0, deadline - clock()))
        if stop.is_set():
            return
        late = clock() - deadline
        missed = int(late // period) if late > 0 else 0
        deadline += missed * period
        yield deadline, missed
        deadline += period
