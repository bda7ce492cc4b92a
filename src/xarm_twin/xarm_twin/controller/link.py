"""What is wrong with the network between the controller and its clients: at first, nothing."""

import math
import threading
import time
from collections.abc import Callable

POLL = 0.005
"""How often somebody who waits for a frozen link looks again [s]."""


class Link:
    """Conditions of the link, each for a while. Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._frozen = self._muted = self._reports_frozen = self._slow = -math.inf
        self._delay = 0.0

    def freeze(self, seconds: float = math.inf) -> None:
        """Let nothing through in either direction; what clients send arrives when it thaws."""
        self._frozen = self._clock() + seconds

    def mute(self, seconds: float = math.inf) -> None:
        """Lose every reply; requests still take effect."""
        self._muted = self._clock() + seconds

    def freeze_reports(self, seconds: float = math.inf) -> None:
        """Push no reports, with their connections open."""
        self._reports_frozen = self._clock() + seconds

    def slow_down(self, delay: float, seconds: float = math.inf) -> None:
        """Let every reply take `delay` [s] more."""
        self._delay, self._slow = delay, self._clock() + seconds

    def mend(self) -> None:
        """End all of these."""
        self._frozen = self._muted = self._reports_frozen = self._slow = -math.inf

    @property
    def frozen(self) -> bool:
        """Whether nothing gets through."""
        return self._clock() < self._frozen

    @property
    def muted(self) -> bool:
        """Whether replies are lost."""
        return self._clock() < self._muted

    @property
    def pushes_reports(self) -> bool:
        """Whether reports get through."""
        return not self.frozen and not self._clock() < self._reports_frozen

    @property
    def reply_delay(self) -> float:
        """What a reply takes on top of the work [s]."""
        return self._delay if self._clock() < self._slow else 0.0

    def wait_while_frozen(self, stop: threading.Event) -> None:
        """Return when it has thawed, or when `stop` is set."""
        while self.frozen and not stop.is_set():
            stop.wait(POLL)

    def to_dict(self) -> dict[str, bool | float]:
        """Return the conditions by name."""
        return {
            'frozen': self.frozen,
            'replies_lost': self.muted,
            'reports_frozen': not self.pushes_reports,
            'reply_delay_s': self.reply_delay,
        }
