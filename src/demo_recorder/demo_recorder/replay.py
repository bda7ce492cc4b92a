"""Drive an arm along the setpoints of an episode and measure how well it follows.

ROS-free: the caller brings a link to the driver and a clock.
"""

import math
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from demo_recorder.tracking import Track, TrackingError, read_tracks, tracking_error
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.pacing import ticks

REACHED_M = 5e-4
"""The arm has reached a point when its setpoint is this near [m]."""
APPROACH_MARGIN_S = 5.0
"""Time to reach the start beyond what the way takes [s]."""
SETTLE_S = 0.5
"""How long the arm is watched after the last command [s]."""


@dataclass(frozen=True)
class ReplayReport:
    """What a replay found out."""

    bag: str
    duration_s: float
    commands: int
    setpoint: TrackingError
    """Of the commanded point against the recorded one."""
    measured: TrackingError
    """Of the measured tool against the recorded one."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    def line(self) -> str:
        """Return one line for people."""
        setpoint, measured = self.setpoint, self.measured
        return (
            f'replayed {self.bag} ({self.duration_s:.1f} s): setpoint {setpoint.line()}; '
            f'tool {measured.line()}'
        )


class ArmLink(Protocol):
    """What a replay needs of the driver."""

    def home(self) -> None:
        """Move the arm home and return when it is there; IbcError when it cannot."""
        ...

    def move(self, delta: np.ndarray) -> None:
        """Command the setpoint to move by `delta` (2,) [m]."""
        ...

    def setpoint(self) -> np.ndarray | None:
        """Newest commanded point, shape (2,) [m], None while there is none."""
        ...

    def begin_recording(self) -> None:
        """Keep what is stamped from now on: now is time zero."""
        ...

    def recorded(self) -> tuple[Track, Track]:
        """Setpoints and measured tool points since `begin_recording`."""
        ...


class Replay:
    """Homes the arm, leads it to the first setpoint, then streams the recorded moves."""

    def __init__(
        self,
        bag: Path,
        link: ArmLink,
        rate_hz: float,
        approach_speed: float,
        stop: threading.Event,
    ) -> None:
        """Read the bag at once: a bad one moves nothing. `approach_speed` [m/s]."""
        self._bag = bag
        self._track, self._tool_track = read_tracks(bag)
        self._link = link
        self._period = 1.0 / rate_hz
        self._approach_speed = approach_speed
        self._stop = stop

    def run(self) -> ReplayReport:
        """Do all of it; IbcError when the arm does not follow, or `stop` was set."""
        self._link.home()
        # One clock for both parts: the driver takes the time between two commands for the
        # duration of a move, so there must be no pause between them.
        clock = ticks(self._period, self._stop)
        self._approach(clock)
        commands = self._stream(clock)
        self._stop.wait(SETTLE_S)
        setpoints, measured = self._link.recorded()
        return ReplayReport(
            bag=str(self._bag),
            duration_s=self._track.duration_s,
            commands=commands,
            setpoint=tracking_error(self._track, setpoints),
            measured=tracking_error(self._tool_track, measured),
        )

    def _approach(self, clock: Iterator[tuple[float, int]]) -> None:
        """Lead the setpoint straight to the start of the track."""
        goal, here = self._track.at(0.0), self._link.setpoint()
        if here is None:
            raise IbcError(f'no messages on {topics.TCP_SETPOINT}: is the driver running?')
        sent, step = here, self._approach_speed * self._period
        patience = math.dist(here, goal) / self._approach_speed + APPROACH_MARGIN_S
        for _ in range(math.ceil(patience / self._period)):
            self._wait(clock)
            here = self._link.setpoint()
            if here is not None and math.dist(here, goal) < REACHED_M:
                return
            left = math.dist(sent, goal)
            move = (goal - sent) * min(1.0, step / left) if left > 0 else np.zeros(2)
            self._link.move(move)
            sent = sent + move
        raise IbcError(
            f'the setpoint stays {math.dist(here if here is not None else sent, goal) * 1e3:.0f} '
            f'mm away from the first one of {self._bag}: is that outside the workspace, or is the '
            'arm stopped?'
        )

    def _stream(self, clock: Iterator[tuple[float, int]]) -> int:
        """Command the recorded moves, each when it was made; return their number."""
        sent, time_s, commands = self._track.at(0.0), 0.0, 0
        while time_s < self._track.duration_s:
            missed = self._wait(clock)
            if not commands:
                self._link.begin_recording()
                missed = 0
            time_s += (1 + missed) * self._period
            point = self._track.at(time_s)
            self._link.move(point - sent)
            sent = point
            commands += 1
        return commands

    def _wait(self, clock: Iterator[tuple[float, int]]) -> int:
        """Wait for the next tick; return how many were missed."""
        tick = next(clock, None)
        if tick is None:
            raise IbcError(f'the replay of {self._bag} was interrupted')
        return tick[1]
