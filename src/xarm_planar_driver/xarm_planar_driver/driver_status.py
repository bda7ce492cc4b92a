"""What diagnostics say about the driver."""

import time
from dataclasses import dataclass
from enum import IntEnum

from xarm_planar_driver.arm import describe_error
from xarm_planar_driver.motion import Phase
from xarm_planar_driver.real_time import NOT_ASKED, Right
from xarm_planar_driver.servo_loop import LATENESS_EDGES, LoopStats
from xarm_planar_driver.status_reports import StatusReport

SLOW_REPLY = 0.02
"""The arm itself answers within a millisecond; two periods make ticks miss [s]."""
REPORT_STALE = 1.0
"""Reports come every 0.2 s; after this long without one diagnostics warn [s]."""


class Level(IntEnum):
    """As in diagnostic_msgs/DiagnosticStatus."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class DriverStatus:
    """The driver over the time since the last status."""

    phase: Phase
    activity: str
    reason: str
    stats: LoopStats
    report: StatusReport | None
    waited: int
    """Ticks in which the setpoint waited for the tool."""
    interventions: dict[str, int]
    """By the safety gate, since the start."""
    ignored: dict[str, int]
    """Commands that did not count, since the start."""
    priority: Right = NOT_ASKED
    """SCHED_FIFO of the servo thread."""
    memory: Right = NOT_ASKED
    """Lock of the process's memory."""

    def judge(self, now: float | None = None) -> tuple[Level, str]:
        """Return the level and one line for a person; `now` is `time.monotonic()` [s]."""
        if self.phase is Phase.STOPPED:
            return Level.ERROR, f'stopped: {self.reason}; call arm/reset'
        if self.phase is Phase.IDLE:
            return Level.WARN, f'idle: {self.reason}'
        if self.stats.silent:
            return Level.WARN, f'arm did not answer in {self.stats.silent} ticks'
        if self.waited:
            return Level.WARN, 'the tool does not follow: is something in its way?'
        if self.stats.worst_reply > SLOW_REPLY:
            slow = self.stats.worst_reply * 1e3
            return Level.WARN, f'the arm takes up to {slow:.0f} ms to answer: is its network busy?'
        if self.stats.missed:
            return Level.WARN, f'{self.stats.missed} ticks missed: the machine is too busy'
        if self._report_age(now) > REPORT_STALE:
            return Level.WARN, 'no status reports from the arm'
        return Level.OK, self.activity

    def values(self, now: float | None = None) -> dict[str, object]:
        """Return everything worth a look, by name."""
        stats, report = self.stats, self.report
        elapsed = max((time.monotonic() if now is None else now) - stats.since, 1e-9)
        values: dict[str, object] = {
            'phase': self.activity,
            'reason': self.reason,
            'rate_hz': f'{stats.ticks / elapsed:.1f}',
            'late_ticks': stats.late,
            'missed_ticks': stats.missed,
            'silent_ticks': stats.silent,
            'worst_late_ms': f'{stats.worst_late * 1e3:.2f}',
            'lateness': _histogram(stats.lateness),
            'realtime_priority': self.priority,
            'memory_lock': self.memory,
            'waiting_ticks': self.waited,
            'worst_work_ms': f'{stats.worst_work * 1e3:.2f}',
            'worst_reply_ms': f'{stats.worst_reply * 1e3:.2f}',
        }
        if report is not None:
            values |= {
                'report_age_s': f'{self._report_age(now):.2f}',
                'arm_state': report.state,
                'arm_mode': report.mode,
                'arm_error': describe_error(report.error) if report.error else 0,
                'arm_warning': report.warning,
            }
        values |= {f'gate_{name}': count for name, count in sorted(self.interventions.items())}
        values |= {f'ignored_{name}': count for name, count in sorted(self.ignored.items())}
        return values

    def _report_age(self, now: float | None) -> float:
        if self.report is None:
            return float('inf')
        return (time.monotonic() if now is None else now) - self.report.received


def _histogram(counts: list[int]) -> str:
    """Say how many ticks were late by how much, leaving out what is empty."""
    edges = [f'{edge * 1e3:g}' for edge in LATENESS_EDGES]
    names = [f'<{edge} ms' for edge in edges] + [f'>={edges[-1]} ms']
    return ', '.join(f'{name}: {n}' for name, n in zip(names, counts, strict=True) if n)
