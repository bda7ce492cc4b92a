"""Notices that the clock was set: what is stamped by it then does not follow what was before."""

import time
from collections.abc import Callable

STEP_NS = 50_000_000
"""NTP slews a clock by 0.5 ms per second; one that moves this much between two messages was set."""
PAUSE_NS = 1_000_000
"""Two clocks that were read this far apart cannot be compared."""


class ClockWatch:
    """Compares the wall clock with the monotonic one, which nobody can set."""

    def __init__(
        self,
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Begin to watch."""
        self._clock_ns = clock_ns
        self._monotonic_ns = monotonic_ns
        self._offset_ns: int | None = None
        self.set_by_s()

    def set_by_s(self) -> float:
        """How far the clock was set since the last call [s]; 0 if it was not."""
        before_ns = self._monotonic_ns()
        wall_ns = self._clock_ns()
        if self._monotonic_ns() - before_ns > PAUSE_NS:
            return 0.0  # this thread had to wait in between; the next call tells
        last_ns, self._offset_ns = self._offset_ns, wall_ns - before_ns
        moved_ns = 0 if last_ns is None else self._offset_ns - last_ns
        return moved_ns / 1e9 if abs(moved_ns) > STEP_NS else 0.0
