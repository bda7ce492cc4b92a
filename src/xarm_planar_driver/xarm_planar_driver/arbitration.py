"""Whose command counts: the human always wins, and after a stop only what is asked for anew."""

import math
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

SHORTEST_RAMP = 0.02
"""Two ticks: a faster source cannot make the setpoint jump [s]."""
LONGEST_RAMP = 0.2
"""One policy period: what a first command takes, and one after a pause [s]."""
LET_GO = 0.5
"""Without a command for so long [s] nobody leads any more: what earlier ones still want, of an arm
that was held up or a machine that was late, is dropped, and the next by teleop is a new press."""


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
    asked: float = -math.inf
    """When a person asked for it, as by pressing the mouse's button, on the same clock [s]."""


class Acts:
    """What people asked for last: leading by a press of the button, the policy by enabling it."""

    def __init__(self) -> None:
        self._policy_enabled = -math.inf
        self._pressed = self._led = -math.inf

    def policy_switched(self, on: bool, at: float) -> None:
        """Take note that somebody enabled the policy, or disabled it, `at` a time [s]."""
        self._policy_enabled = at if on else -math.inf

    def stamp(self, command: Command) -> Command:
        """Return `command` with the time at which it was asked for."""
        if command.source is Source.POLICY:
            return replace(command, asked=self._policy_enabled)
        if command.received - self._led >= LET_GO:
            self._pressed = command.received
        self._led = command.received
        return replace(command, asked=self._pressed)


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
    _rearmed: float = -math.inf
    """What was asked for before that does not count [s]; infinite until the arm is re-armed."""

    @property
    def is_barred(self) -> bool:
        """Whether nothing counts."""
        return self._rearmed == math.inf

    def bar(self) -> None:
        """Let nothing count: the arm was stopped."""
        self._rearmed = math.inf

    def rearm(self, t: float) -> None:
        """Let count what people ask for after `t` [s]; the next of each source is a first one."""
        self._rearmed = t
        self._stamps.clear()
        self.active = None

    def admit(self, command: Command, t: float) -> bool:
        """Say whether `command` counts at `t` [s].

        None does that was asked for before the last stop. A policy's does not while a person
        steers.
        """
        if command.source is Source.TELEOP:
            self._teleop_at = t
        if command.asked < self._rearmed:
            self.ignored[f'{command.source}_from_before_reset'] += 1
            return False
        if command.source is Source.TELEOP:
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
