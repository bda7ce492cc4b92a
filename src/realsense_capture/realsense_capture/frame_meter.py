"""Rates and ages of the frames that were handed on, from one report to the next."""

import itertools
import statistics
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MeterReading:
    """What happened since the previous reading."""

    rate_hz: float
    """Frames per second, pauses included."""
    pace_hz: float
    """One over the median time between frames: the rate while they come; 0 for fewer than three."""
    age_s: float
    """Median time from exposure to publication [s]."""
    oldest_s: float
    """Age of the oldest frame [s]."""
    gap_s: float
    """Longest time without a frame, the one that still lasts included [s]."""
    publish_s: float
    """Median time that encoding and publishing took [s]."""


@dataclass
class FrameMeter:
    """Filled by the thread that captures, read by the one that reports."""

    _since_s: float
    _frames: list[tuple[float, float, float]] = field(default_factory=list)

    def add(self, now_s: float, age_s: float, publish_s: float) -> None:
        """Take a frame: monotonic time [s], age [s] and cost [s]."""
        self._frames.append((now_s, age_s, publish_s))

    def read(self, now_s: float) -> MeterReading:
        """Return the reading since the previous one, and begin anew."""
        frames, self._frames = self._frames, []
        since, self._since_s = self._since_s, now_s
        times = [since, *(when for when, _, _ in frames), now_s]
        gaps = [b - a for a, b in itertools.pairwise(times)]
        between = gaps[1:-1]
        return MeterReading(
            rate_hz=len(frames) / max(now_s - since, 1e-3),
            pace_hz=1 / max(statistics.median(between), 1e-3) if len(between) > 1 else 0.0,
            age_s=statistics.median(age for _, age, _ in frames) if frames else 0.0,
            oldest_s=max((age for _, age, _ in frames), default=0.0),
            gap_s=max(gaps),
            publish_s=statistics.median(cost for _, _, cost in frames) if frames else 0.0,
        )
