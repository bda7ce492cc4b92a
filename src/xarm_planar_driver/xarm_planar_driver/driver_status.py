"""What diagnostics say about the driver."""

import time
from collections import deque
from dataclasses import dataclass
from enum import IntEnum

from xarm_planar_driver.arm import describe_error
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.phases import Phase
from xarm_planar_driver.real_time import NOT_ASKED, Right
from xarm_planar_driver.servo_loop import LATENESS_EDGES, LoopStats
from xarm_planar_driver.status_reports import StatusReport
from xarm_planar_driver.stopping import UNREACHED

RECENT = 5.0
"""How far back warnings of the machine's and the network's pace look [s]."""
MOST_MISSED = 25
"""So many ticks may be missed in that time, 5 % at 100 Hz, before diagnostics warn: each costs the
motion a pause of a period, and a desktop at work misses one now and then."""
MOST_SLOW = 5
"""The same for replies of the arm that take longer than two periods."""
REPORT_STALE = 1.0
"""Reports come every 0.2 s; after this long without one diagnostics warn [s]."""
SHIPPED = 'shipped'
"""Stands for the file of safety limits that planar_arm ships."""
COMMAND_TROUBLE = (
    ('command_not_finite', 0, 'refused: no numbers'),
    ('delta_shortened', 0, 'shortened: asked for too long a move'),
    ('command_stale', 2, 'refused: too old, or from the future'),
    (
        'policy_from_before_reset',
        0,
        'refused: the arm was stopped since the policy was enabled, enable it anew '
        '(policy/enable, key P)',
    ),
    (
        'teleop_from_before_reset',
        0,
        'refused: the arm was stopped while it was led, let go of the button and press it anew',
    ),
)
"""What was counted, how many between two statuses nobody needs to hear of, and what is said."""


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
    fault: Fault | None
    reason: str
    stats: LoopStats
    report: StatusReport | None
    recently: LoopStats
    """The same over the last RECENT seconds."""
    lately: dict[str, int]
    """Interventions of the safety gate and commands that did not count, since the last status."""
    interventions: dict[str, int]
    """By the safety gate, since the start."""
    ignored: dict[str, int]
    """Commands that did not count, since the start."""
    limits: str = SHIPPED
    """File of the safety limits in force."""
    max_tcp_speed: float = 0.0
    """Of these, the tool's [m/s]."""
    worst_joint_error: float = 0.0
    """Of a measured joint to where it was sent, since the last status [rad]."""
    worst_height_error: float = 0.0
    """Of the measured tool to its plane [m]."""
    is_reached: bool = True
    """Whether the arm has taken the last stop that it was sent."""
    priority: Right = NOT_ASKED
    """SCHED_FIFO of the servo thread."""
    memory: Right = NOT_ASKED
    """Lock of the process's memory."""

    @property
    def waited(self) -> int:
        """Ticks in which the setpoint waited for the tool."""
        return self.lately.get('setpoint_waits_for_tool', 0)

    def judge(self, now: float | None = None) -> tuple[Level, str]:
        """Return the level and one line for a person; `now` is `time.monotonic()` [s]."""
        if self.phase is Phase.STOPPED and not self.is_reached:
            return Level.ERROR, f'stopped: {self.reason}; {UNREACHED}'
        if self.phase is Phase.STOPPED:
            return Level.ERROR, f'stopped: {self.reason}; call arm/reset'
        if self.phase is Phase.IDLE:
            return Level.WARN, f'idle: {self.reason}'
        if self.phase is Phase.HOLDING:
            return Level.WARN, f'holding: {self.reason}'
        if self.stats.silent:
            return Level.WARN, f'arm did not answer in {_count(self.stats.silent, "tick")}'
        if self.waited:
            return Level.WARN, 'the tool does not follow: is something in its way?'
        for kind, most, text in COMMAND_TROUBLE:
            count = self.lately.get(kind, 0)
            if count > most:
                return Level.WARN, f'{_count(count, "command")} {text}'
        if self.recently.slow > MOST_SLOW:
            slow = self.recently.worst_reply * 1e3
            return Level.WARN, f'the arm takes up to {slow:.0f} ms to answer: is its network busy?'
        if self.recently.missed > MOST_MISSED:
            missed = _count(self.recently.missed, 'tick')
            return Level.WARN, f'{missed} missed in {RECENT:.0f} s: the machine is too busy'
        if self._report_age(now) > REPORT_STALE:
            return Level.WARN, 'no status reports from the arm'
        return Level.OK, self.activity

    def values(self, now: float | None = None) -> dict[str, object]:
        """Return everything worth a look, by name."""
        stats, report = self.stats, self.report
        elapsed = max((time.monotonic() if now is None else now) - stats.since, 1e-9)
        values: dict[str, object] = {
            'phase': self.activity,
            'fault': self.fault or '',
            'reason': self.reason,
            'stop_pending': not self.is_reached,
            'safety_limits': self.limits,
            'max_tcp_speed': f'{self.max_tcp_speed:g}',
            'rate_hz': f'{stats.ticks / elapsed:.1f}',
            'late_ticks': stats.late,
            'missed_ticks': stats.missed,
            'silent_ticks': stats.silent,
            'worst_late_ms': f'{stats.worst_late * 1e3:.2f}',
            'lateness': _histogram(stats.lateness),
            'realtime_priority': self.priority,
            'memory_lock': self.memory,
            'waiting_ticks': self.waited,
            'worst_joint_error_rad': f'{self.worst_joint_error:.3f}',
            'worst_height_error_mm': f'{self.worst_height_error * 1e3:.2f}',
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


class RecentStats:
    """Sums up the loop's statistics over the last RECENT seconds."""

    def __init__(self) -> None:
        self._parts: deque[tuple[float, LoopStats]] = deque()

    def add(self, stats: LoopStats, now: float) -> LoopStats:
        """Take the statistics up to `now`, `time.monotonic()` [s]; return those of late."""
        self._parts.append((now, stats))
        while self._parts[0][0] < now - RECENT:
            self._parts.popleft()
        parts = [part for _, part in self._parts]
        return LoopStats(
            since=parts[0].since,
            missed=sum(part.missed for part in parts),
            slow=sum(part.slow for part in parts),
            worst_reply=max(part.worst_reply for part in parts),
        )


def _count(number: int, thing: str) -> str:
    return f'{number} {thing}' if number == 1 else f'{number} {thing}s'


def _histogram(counts: list[int]) -> str:
    """Say how many ticks were late by how much, leaving out what is empty."""
    edges = [f'{edge * 1e3:g}' for edge in LATENESS_EDGES]
    names = [f'<{edge} ms' for edge in edges] + [f'>={edges[-1]} ms']
    return ', '.join(f'{name}: {n}' for name, n in zip(names, counts, strict=True) if n)
