"""Paths of the tool over time, and how far apart two of them are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ibc_contract import topics
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.errors import BadEpisode, IbcError
from ibc_contract.messages import pose_xy, stamp_ns

LONGEST_DELAY_S = 0.5
"""Delays up to this are told apart from tracking errors [s]."""
LATENCY_S = 0.2
"""A tool that is this far behind in time still follows [s]."""


@dataclass(frozen=True, eq=False)
class Track:
    """A path in the plane over time."""

    times_s: np.ndarray
    """Since the start, ascending, shape (N,)."""
    xy: np.ndarray
    """Points in `link_base`, shape (N, 2) [m]."""

    @property
    def duration_s(self) -> float:
        """Length in time."""
        return float(self.times_s[-1])

    def at(self, time_s: Any) -> np.ndarray:
        """Points at one or many times, shape (..., 2) [m]; the ends are held."""
        return np.stack(
            [np.interp(time_s, self.times_s, self.xy[:, axis]) for axis in (0, 1)], axis=-1
        )


def make_track(samples: Sequence[tuple[int, np.ndarray]], start_ns: int | None = None) -> Track:
    """Order samples of (stamp [ns], point (2,) [m]); time zero is `start_ns` or the first stamp."""
    ordered = dict(sorted(samples, key=lambda sample: sample[0]))
    stamps = list(ordered)
    zero = stamps[0] if start_ns is None else start_ns
    return Track(
        np.array([(stamp - zero) / 1e9 for stamp in stamps]), np.stack([*ordered.values()])
    )


def read_tracks(path: Path) -> tuple[Track, Track]:
    """Read the setpoints and the measured tool points of an episode.

    Time zero of both is the first setpoint's stamp.

    Raises:
        BadEpisode: The bag is damaged, or there is nothing to replay.
    """
    reader = EpisodeReader(path)
    reader.require(topics.TCP_SETPOINT, topics.TCP_POSE)
    names = (topics.TCP_SETPOINT, topics.TCP_POSE)
    samples: dict[str, list[tuple[int, np.ndarray]]] = {name: [] for name in names}
    for topic, _, message in reader.messages(*samples):
        samples[topic].append((stamp_ns(message), pose_xy(message)))
    zero_ns = min(stamp for stamp, _ in samples[topics.TCP_SETPOINT])
    setpoints = make_track(samples[topics.TCP_SETPOINT], zero_ns)
    if setpoints.duration_s <= 0:
        raise BadEpisode(f'{path}: has a single setpoint: there is nothing to replay')
    return setpoints, make_track(samples[topics.TCP_POSE], zero_ns)


@dataclass(frozen=True)
class TrackingError:
    """How far apart two tracks are at the same time since their start."""

    mean_mm: float
    rms_mm: float
    max_mm: float
    delay_ms: float
    """Shift of the live track that explains the most of it."""
    rms_without_delay_mm: float
    samples: int

    def line(self) -> str:
        """Return the figures in one line for people."""
        return (
            f'error mean {self.mean_mm:.2f} mm, rms {self.rms_mm:.2f} mm, max {self.max_mm:.2f} mm '
            f'(delay {self.delay_ms:.0f} ms, rms without it {self.rms_without_delay_mm:.2f} mm)'
        )


def tracking_error(recorded: Track, live: Track) -> TrackingError:
    """Compare a live track with the recording, at the live samples within its duration."""
    inside = (live.times_s >= 0) & (live.times_s <= recorded.duration_s)
    times_s, xy = live.times_s[inside], live.xy[inside]
    if len(times_s) < 2:
        raise IbcError('nothing was heard from the arm during the replay: is the driver running?')
    distance = np.linalg.norm(xy - recorded.at(times_s), axis=1) * 1e3

    def rms_mm(delay_s: float) -> float:
        shifted = np.linalg.norm(xy - recorded.at(times_s - delay_s), axis=1)
        return float(np.sqrt(np.mean(shifted**2))) * 1e3

    delays_s = np.arange(0.0, LONGEST_DELAY_S, 0.005)
    delay_s = min(delays_s, key=rms_mm)
    return TrackingError(
        mean_mm=float(distance.mean()),
        rms_mm=float(np.sqrt(np.mean(distance**2))),
        max_mm=float(distance.max()),
        delay_ms=float(delay_s) * 1e3,
        rms_without_delay_mm=rms_mm(delay_s),
        samples=len(times_s),
    )


def farthest_off(commanded: Track, measured: Track) -> float:
    """Return the farthest the tool was from all that was commanded in the `LATENCY_S` before [m].

    Both tracks have the same time zero.
    """
    delays_s = np.linspace(0.0, LATENCY_S, 21)
    recent = np.stack([commanded.at(measured.times_s - delay_s) for delay_s in delays_s])
    return float(np.linalg.norm(measured.xy - recent, axis=-1).min(axis=0).max())
