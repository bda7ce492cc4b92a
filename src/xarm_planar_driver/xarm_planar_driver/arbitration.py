"""Whose command counts: the human always wins."""

import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

SHORTEST_RAMP = 0.02
"""Two ticks: a faster source cannot make the setpoint jump [s]."""
LONGEST_RAMP = 0.2
"""One policy period: what a first command takes, and one after a pause [s]."""


class Source(StrEnum):
    """Who sends commands."""

    TELEOP = 'teleop'
    POLICY = 'policy'


@dataclass(frozen=True, eq=False)
class Command:
    """One move of the setpoint, as received."""

    source: Source
    delta: npt.NDArray[np.float64]
    """(2,) [m] in the plane of `link_base`; not yet checked."""
    stamp_ns: int
    """When the command was made, ROS time."""
    received: float = field(default_factory=time.monotonic)
    """When it arrived here, on the monotonic clock [s]."""


@dataclass
class Arbiter:
    """Decides which commands count and how long their ramp takes."""

    teleop_hold: float = 0.5
    """How long after a teleop command policy commands are ignored [s], on a clock that nobody sets.
    A command that turns out to be of no use counts: somebody leads."""
    ignored: Counter[str] = field(default_factory=Counter)
    """Commands that did not count, by reason."""
    active: Source | None = None
    """Who sent the last command that counted."""
    _stamps: dict[Source, int] = field(default_factory=dict)
    _teleop_at: float | None = None

    def admit(self, command: Command, t: float) -> bool:
        """Say whether `command` counts at `t` [s]: a policy's does not while a person steers."""
        if command.source is Source.TELEOP:
            self._teleop_at = t
            return True
        if self._teleop_at is None or t - self._teleop_at >= self.teleop_hold:
            return True
        self.ignored['policy_while_teleop'] += 1
        return False

    def ramp_duration(self, command: Command) -> float:
        """Return the ramp's duration [s]: the source's own period, within bounds."""
        last = self._stamps.get(command.source)
        if last is None or command.stamp_ns <= last:
            return LONGEST_RAMP
        return min(max((command.stamp_ns - last) * 1e-9, SHORTEST_RAMP), LONGEST_RAMP)

    def note(self, command: Command) -> None:
        """Remember a command that moved the goal."""
        self._stamps[command.source] = command.stamp_ns
        self.active = command.source

    def forget(self) -> None:
        """Start anew: the next command of each source is a first one."""
        self._stamps.clear()
        self._teleop_at = None
        self.active = None
