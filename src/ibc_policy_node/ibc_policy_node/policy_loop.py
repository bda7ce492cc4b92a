"""The thread that decides once per contract period. Knows no ROS."""

import collections
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ibc_contract.errors import IbcError
from ibc_contract.observation import ObservationWindow
from ibc_contract.pacing import ticks

REMEMBERED_TICKS = 300
"""Inference times kept for the percentiles: one minute at 5 Hz."""
STOP_TIMEOUT = 3.0
"""How long stopping waits for a decision that is under way [s]."""


class Decision(Protocol):
    """What the loop needs to know of a decision."""

    action: np.ndarray
    """Move of the setpoint, (2,) [m]."""
    seconds: float
    """Time it took [s]."""
    is_cut_short: bool
    """Whether there was no time for the whole search."""


class Decider(Protocol):
    """What the loop needs of a policy."""

    def reset(self, rng: np.random.Generator) -> None:
        """Begin an episode."""
        ...

    def infer(self, observation: Any, rng: np.random.Generator, time_budget: float) -> Any:
        """Return a `Decision` for {'image': ...} or {'state': ...} within `time_budget` [s]."""
        ...


@dataclass(frozen=True)
class LoopStatus:
    """Counts since the loop was made."""

    enabled: bool
    ticks: int
    """Ticks while enabled."""
    skipped: int
    """Ticks without an action, because the observation was stale."""
    missed: int
    """Periods that passed without a tick, because the machine was too slow."""
    slow: int
    """Decisions that took longer than a period."""
    cut_short: int
    """Decisions after fewer iterations than the model has, to be in time."""
    stale: str
    """Why the last tick was skipped; empty if it was not."""
    inference_p50_ms: float
    inference_p99_ms: float

    def values(self) -> dict[str, object]:
        """Fields for diagnostics."""
        return {
            'enabled': self.enabled,
            'ticks': self.ticks,
            'skipped': self.skipped,
            'missed': self.missed,
            'slow': self.slow,
            'cut_short': self.cut_short,
            'inference_p50_ms': round(self.inference_p50_ms, 2),
            'inference_p99_ms': round(self.inference_p99_ms, 2),
        }


class PolicyLoop:
    """Gives what the window shows at every tick to the policy and hands its action on."""

    def __init__(
        self,
        policy: Decider,
        window: ObservationWindow,
        key: str,
        period: float,
        now_ns: Callable[[], int],
        on_action: Callable[[int, np.ndarray], None],
        on_skip: Callable[[str], None],
        on_slow: Callable[[float], None],
        on_failure: Callable[[], None],
        seed: int = 0,
        time_budget: float | None = None,
    ) -> None:
        """Make the loop; `start` begins to tick. Callbacks come from its thread.

        Args:
            policy: Decides.
            window: What it sees; filled through `add`.
            key: 'image' or 'state', the name of the observation.
            period: Time between ticks [s].
            now_ns: Clock of the header stamps [ns].
            on_action: Gets the tick's time [ns] and the move of the setpoint (2,) [m].
            on_skip: Gets the reason for which a tick has no action.
            on_slow: Gets the time [s] of a decision that took longer than the period.
            on_failure: Called inside the handler of an unexpected exception; the loop has ended.
            seed: Seed of the policy's randomness.
            time_budget: From a tick to its action [s]; the period, which it cannot exceed, by
                default. A search that would take longer is cut short.
        """
        self._policy, self._window, self._key, self._period = policy, window, key, period
        self._now_ns = now_ns
        self._on_action, self._on_skip = on_action, on_skip
        self._on_slow, self._on_failure = on_slow, on_failure
        self._time_budget = min(period, time_budget or period)
        self._rng = np.random.default_rng(seed)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._enabled = threading.Event()
        self._seconds: collections.deque[float] = collections.deque(maxlen=REMEMBERED_TICKS)
        self._ticks = self._skipped = self._missed = self._slow = self._cut_short = 0
        self._stale = ''
        self._fresh = True
        self._thread = threading.Thread(target=self._run, name='policy', daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def close(self) -> None:
        """Stop ticking; waits for a decision that is under way."""
        self._enabled.clear()
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT)

    def enable(self, enabled: bool) -> None:
        """Start or stop acting; the policy forgets what it carried over."""
        if enabled and not self._enabled.is_set():
            self._fresh = True
        (self._enabled.set if enabled else self._enabled.clear)()

    def add(self, topic: str, message: Any) -> None:
        """Take a message for the observation window."""
        with self._lock:
            self._window.add(topic, message)

    def status(self) -> LoopStatus:
        """Return the counts so far."""
        times = np.array(self._seconds or [0.0]) * 1e3
        return LoopStatus(
            enabled=self._enabled.is_set(),
            ticks=self._ticks,
            skipped=self._skipped,
            missed=self._missed,
            slow=self._slow,
            cut_short=self._cut_short,
            stale=self._stale,
            inference_p50_ms=float(np.percentile(times, 50)),
            inference_p99_ms=float(np.percentile(times, 99)),
        )

    def _run(self) -> None:
        try:
            for deadline, missed in ticks(self._period, self._stop):
                if self._enabled.is_set():
                    self._missed += missed
                    # The grid is monotonic; its ticks are told in the clock of the stamps.
                    late_ns = round((time.monotonic() - deadline) * 1e9)
                    self._tick(self._now_ns() - late_ns)
        except Exception:  # the boundary of the thread: nobody else would see it
            self._enabled.clear()
            self._on_failure()

    def _tick(self, tick_ns: int) -> None:
        self._ticks += 1
        begin = time.monotonic()
        if self._fresh:
            self._policy.reset(self._rng)
            self._fresh = False
        try:
            with self._lock:
                observation = self._window.at(tick_ns)
        except IbcError as error:  # stale, or such as a frame that is no JPEG image
            self._skip(str(error))
            return
        left = self._time_budget - (time.monotonic() - begin)
        decision: Decision = self._policy.infer({self._key: observation}, self._rng, left)
        self._cut_short += decision.is_cut_short
        self._seconds.append(decision.seconds)
        self._stale = ''
        if self._enabled.is_set():
            self._on_action(tick_ns, decision.action)
        # All of it counts, such as the decoding of a frame, not only what the network took.
        took = time.monotonic() - begin
        if took > self._period:
            self._slow += 1
            self._on_slow(took)

    def _skip(self, reason: str) -> None:
        self._skipped += 1
        self._stale = reason
        self._on_skip(reason)
