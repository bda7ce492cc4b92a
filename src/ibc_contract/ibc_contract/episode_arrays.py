"""The offline half of the contract: an episode as observations and actions."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ibc_contract import topics
from ibc_contract.contract import Contract
from ibc_contract.episode_info import EpisodeInfo
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.errors import BadEpisode, IbcError, StaleObservation
from ibc_contract.messages import pose_xy, stamp_ns
from ibc_contract.observation import ObservationWindow, observation_window


@dataclass(frozen=True)
class EpisodeSteps:
    """K policy ticks of one episode."""

    observations: np.ndarray
    """Each sample once: (N, h, w, 3) uint8 RGB, or (N, D) float32."""
    index: np.ndarray
    """Rows of `observations` that each tick sees, oldest first, shape (K, history) int64."""
    actions: np.ndarray
    """Moves of the setpoint during the period that begins `latency_s` after each tick, shape
    (K, 2) float32 [m]."""
    ticks_ns: np.ndarray
    """Time of each tick, shape (K,) int64 [ns]."""
    skipped: int
    """Ticks left out because the observation was stale or the setpoint had a gap."""
    info: EpisodeInfo


def read_steps(path: Path, contract: Contract, latency_s: float = 0.0) -> EpisodeSteps:
    """Resample an episode at the contract's ticks, seeing at each tick what a policy would have.

    Messages are given to the observation window in the order in which they were received, up to the
    tick: a frame that was still under way is not seen, as it would not have been live. The first
    tick is when all that is needed has arrived. The action of tick k is s(t_{k+1}) - s(t_k), with
    the recorded setpoint s interpolated linearly between its header stamps.

    A policy whose actions begin `latency_s` [s] after their ticks learns from steps with that
    latency L: the action is s(t_{k+1} + L) - s(t_k + L), and a state holds the setpoint s(t_k + L),
    which such a policy foretells. Pictures and objects stay those of the tick.

    Raises:
        BadEpisode: The bag is damaged, lacks a topic, or is too short for one step.
        ContractMismatch: It was recorded under another contract.
    """
    reader = EpisodeReader(path)
    reader.require_contract(contract)
    latency_ns = round(latency_s * 1e9)
    window = observation_window(contract, latency_ns)
    reader.require(*window.topics, topics.TCP_SETPOINT)
    received = list(reader.messages(*{*window.topics, topics.TCP_SETPOINT}))
    setpoint = _Setpoint([m for topic, _, m in received if topic == topics.TCP_SETPOINT], contract)

    steps = _Steps(window, received, latency_ns)
    end = setpoint.end_ns - contract.period_ns - latency_ns + 1
    try:
        for tick in range(_first_tick(received), end, contract.period_ns):
            begin = tick + latency_ns
            steps.add(tick, setpoint.move(begin, begin + contract.period_ns))
    except IbcError as error:
        raise BadEpisode(f'{path}: {error}') from None
    if not steps.ticks:
        raise BadEpisode(
            f'{path}: too short or too full of gaps for a single step of '
            f'{contract.period_s} s ({reader.duration_s:.2f} s recorded)'
        )
    return EpisodeSteps(
        observations=np.stack(steps.samples),
        index=np.array(steps.index, dtype=np.int64),
        actions=np.array(steps.actions, dtype=np.float32),
        ticks_ns=np.array(steps.ticks, dtype=np.int64),
        skipped=steps.skipped,
        info=reader.info,
    )


Received = tuple[str, int, Any]
"""Relative topic, receive time [ns], message."""


def _first_tick(received: Sequence[Received]) -> int:
    """First time at which there was a message of every topic [ns]."""
    first: dict[str, int] = {}
    for topic, log_ns, message in received:
        first.setdefault(topic, max(log_ns, stamp_ns(message)))
    return max(first.values())


class _Steps:
    """Collects steps while it gives the messages to a window as they came in."""

    def __init__(
        self, window: ObservationWindow, received: Sequence[Received], latency_ns: int
    ) -> None:
        self.samples: list[np.ndarray] = []
        self.index: list[list[int]] = []
        self.actions: list[np.ndarray] = []
        self.ticks: list[int] = []
        self.skipped = 0
        self._window = window
        self._latency_ns = latency_ns
        seen = [each for each in received if each[0] in window.topics]
        self._upcoming = deque(each for each in seen if each[0] != topics.TCP_SETPOINT)
        self._setpoints = deque(each for each in seen if each[0] == topics.TCP_SETPOINT)
        self._rows: dict[Any, int] = {}

    def add(self, tick: int, action: np.ndarray | None) -> None:
        """Add the step at `tick` [ns]; without an action or an observation, count it as skipped."""
        self._give(self._upcoming, tick)
        self._give(self._setpoints, tick + self._latency_ns)
        try:
            keys = self._window.select(tick)
        except StaleObservation:
            keys = None
        if keys is None or action is None:
            self.skipped += 1
            return
        self.index.append([self._row(key) for key in keys])
        self.actions.append(action)
        self.ticks.append(tick)

    def _give(self, upcoming: deque[Received], time_ns: int) -> None:
        """Give the window what had been received by a time [ns]."""
        while upcoming and upcoming[0][1] <= time_ns:
            topic, _, message = upcoming.popleft()
            self._window.add(topic, message)

    def _row(self, key: Any) -> int:
        if key not in self._rows:
            self._rows[key] = len(self.samples)
            self.samples.append(self._window.sample(key))
        return self._rows[key]


class _Setpoint:
    """The recorded setpoint as a function of time."""

    def __init__(self, messages: Sequence[Any], contract: Contract) -> None:
        points = {stamp_ns(message): pose_xy(message) for message in messages}
        self._stamps = np.array(sorted(points), dtype=np.int64)
        self._xy = np.array([points[stamp] for stamp in self._stamps.tolist()])
        self._max_gap_ns = round(contract.observation.max_age_s * 1e9)
        self.end_ns = int(self._stamps[-1])

    def move(self, start_ns: int, end_ns: int) -> np.ndarray | None:
        """Setpoint at the end minus at the start, shape (2,) [m]; None across a gap."""
        first = max(0, int(np.searchsorted(self._stamps, start_ns, 'right')) - 1)
        last = int(np.searchsorted(self._stamps, end_ns, 'left'))
        gaps = np.diff(self._stamps[first : last + 1])
        if self._stamps[first] > start_ns or gaps.size == 0 or gaps.max() > self._max_gap_ns:
            return None
        return self._at(end_ns) - self._at(start_ns)

    def _at(self, time_ns: int) -> np.ndarray:
        # Relative times: floats near 1e18 ns would round to 128 ns.
        offsets = (self._stamps - time_ns).astype(float)
        return np.array([np.interp(0.0, offsets, self._xy[:, axis]) for axis in (0, 1)])
