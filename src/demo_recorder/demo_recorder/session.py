"""When an episode begins and ends, and how it is labelled: the recorder without ROS.

Two states, idle and recording. The outcome is a label beside them, not a state: it may be set
before or after the episode ends. An episode that was cut off, as by a full disk or by a clock that
was set, is kept but never a success: training would take its last action for the end of the task.
"""

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from demo_recorder.background_writer import BackgroundWriter
from demo_recorder.clock_watch import ClockWatch
from demo_recorder.stream_health import StreamHealth
from ibc_contract.episode_info import EpisodeInfo, Outcome
from ibc_contract.episode_writer import DISCARDED, EpisodeWriter, mark_episode
from ibc_contract.errors import IbcError, RecordingFailed


def prepare_folder(root: Path) -> None:
    """Make the folder that receives episodes; RecordingFailed unless it can be written to."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise RecordingFailed(
            f'{root}: cannot be recorded into: {error.strerror}: choose another root:=FOLDER'
        ) from None


@dataclass(frozen=True)
class SessionLimits:
    """What a session insists on."""

    expected: tuple[str, ...]
    """Topics without which an episode is of no use."""
    silent_s: float
    """A gap or silence longer than this on an expected topic is worth a warning [s]."""
    min_free_bytes: int
    """No episode begins with less space than this."""
    queue_bytes: int
    """Messages that may wait for a slow disk."""


@dataclass
class _Take:
    """The episode that is being recorded."""

    writer: BackgroundWriter
    task: str
    started_ns: int
    clock: ClockWatch
    health: dict[str, StreamHealth] = field(default_factory=dict)
    outcome: Outcome = 'unlabelled'


class RecordingSession:
    """Answers start, stop, discard and mark; each returns a line for the operator.

    Every refusal is an IbcError of one line that says what to do instead.
    """

    def __init__(
        self,
        root: Path,
        limits: SessionLimits,
        make_info: Callable[[int], EpisodeInfo],
        clock_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """`make_info` gets the start time [ns] and returns the facts of a new episode."""
        self.root = root
        self.problem = ''
        """Why the last episode ended early; empty when it did not."""
        self._limits = limits
        self._make_info = make_info
        self._clock_ns = clock_ns
        self._monotonic_ns = monotonic_ns
        self._take: _Take | None = None
        self._last: Path | None = None
        self._cut_off = ''
        """Why the episode just ended is not whole; empty when it is."""

    @property
    def recording(self) -> bool:
        """Whether an episode is open."""
        return self._take is not None

    @property
    def duration_s(self) -> float:
        """Length of the open episode so far [s]."""
        return (self._clock_ns() - self._take.started_ns) / 1e9 if self._take else 0.0

    @property
    def health(self) -> dict[str, StreamHealth]:
        """Counts of the open episode by topic."""
        return self._take.health if self._take else {}

    @property
    def dropped(self) -> int:
        """Messages of the open episode that the disk was too slow for."""
        return self._take.writer.dropped if self._take else 0

    def free_bytes(self) -> int:
        """Free space where episodes go."""
        folder = self.root
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def start(self) -> str:
        """Begin an episode."""
        if self._take is not None:
            raise IbcError(f'already recording {self._take.writer.name}: stop or discard it first')
        free = self.free_bytes()
        if free < self._limits.min_free_bytes:
            raise RecordingFailed(
                f'{self.root}: only {free / 1e6:.0f} MB are free, an episode begins with at least '
                f'{self._limits.min_free_bytes / 1e6:.0f} MB: free some space'
            )
        started_ns = self._clock_ns()
        info = self._make_info(started_ns)
        writer = EpisodeWriter(self.root, info)
        self._take = _Take(
            BackgroundWriter(writer, self._limits.queue_bytes),
            info.task,
            started_ns,
            ClockWatch(self._clock_ns, self._monotonic_ns),
        )
        self._last, self._cut_off = None, ''
        self.problem = ''
        return f'recording {writer.name}'

    def receive(
        self,
        topic: str,
        received_ns: int,
        data: bytes,
        publish_ns: int | None = None,
        sequence: int | None = None,
    ) -> None:
        """Take one message; kept only while recording."""
        if self._take is not None:
            self._heed_clock(self._take)
            health = self._take.health.setdefault(topic, StreamHealth())
            health.add(received_ns, len(data), sequence)
            self._take.writer.put(topic, received_ns, data, publish_ns)

    def stop(self) -> str:
        """End the episode and keep it, and say how good it is."""
        take = self._require_take()

        def close(writer: EpisodeWriter) -> Path:
            if take.writer.reason:
                return writer.close_cut_off(f'cut off: {take.writer.reason}', take.outcome)
            return writer.close(take.outcome)

        return self._finish(take, close)

    def discard(self) -> str:
        """End the episode, or take back the one just ended, and move it out of the way."""
        if self._take is None and self._last is not None:
            return self._discard_last(self._last)
        take = self._require_take()
        take.outcome = 'unlabelled'
        return self._finish(take, lambda writer: writer.discard())

    def mark(self, outcome: Outcome) -> str:
        """Label the open episode, or else the one just ended."""
        take = self._take
        cut_off = self._cut_off if take is None else take.writer.reason
        if cut_off and outcome == 'success':
            raise IbcError(f'cut off, so no success: discard it and record it again ({cut_off})')
        if take is not None:
            take.outcome = outcome
            take.writer.mark(outcome)
            return f'{take.writer.name}: {outcome}'
        if self._last is None:
            raise IbcError(f'there is no episode to mark as {outcome}: record one first')
        mark_episode(self._last, outcome)
        return f'{self._last.name}: {outcome}'

    def poll(self) -> str:
        """End the episode if it was cut off; return a line when that happened, else ''."""
        if self._take is None:
            return ''
        self._heed_clock(self._take)
        if self._take.writer.failure is None:
            return ''
        try:
            return self.stop()
        except IbcError as error:
            return str(error)

    def close(self) -> str:
        """End an open episode; return a line when there was one, else ''."""
        return self.stop() if self._take is not None else ''

    def describe(self, next_task: str = '') -> str:
        """Return the state in one line for a status display: state, task, ` - ` what is wrong."""
        take = self._take
        if take is not None:
            mark = '' if take.outcome == 'unlabelled' else f' [{take.outcome}]'
            state = f'recording {take.task} {self.duration_s:.1f} s{mark} ({take.writer.name})'
            trouble = next(iter(self.warnings()), '')
        else:
            state = f'idle {next_task}'.rstrip()
            trouble = self.problem
        return f'{state} - {trouble}' if trouble else state

    def warnings(self) -> list[str]:
        """What is wrong with the open episode so far, worst first."""
        return self._judge(self._take, self._clock_ns()) if self._take else []

    def _judge(self, take: _Take, now_ns: int) -> list[str]:
        limit = self._limits.silent_s
        found = []
        if take.writer.dropped:
            found.append(f'{take.writer.dropped} messages dropped, the disk was too slow or full')
        for topic in self._limits.expected:
            health = take.health.get(topic, StreamHealth())
            since_ns = health.last_ns if health.count else take.started_ns
            silence_s = (now_ns - since_ns) / 1e9
            if silence_s > limit:
                found.append(f'nothing on {topic} for {silence_s:.1f} s')
            elif health.longest_gap_ns > limit * 1e9:
                found.append(f'gap of {health.longest_gap_ns / 1e9:.1f} s on {topic}')
        found += [
            f'{health.lost} messages lost on {topic}'
            for topic, health in take.health.items()
            if health.lost
        ]
        return found

    @staticmethod
    def _heed_clock(take: _Take) -> None:
        """Write no further once the clock was set: times would lie twice or far apart."""
        if by_s := take.clock.set_by_s():
            take.writer.fail(RecordingFailed(f'the clock was set by {by_s:+.1f} s'))

    def _require_take(self) -> _Take:
        if self._take is None:
            reason = f'; {self.problem}' if self.problem else ''
            raise IbcError(f'nothing is being recorded: start an episode first{reason}')
        return self._take

    def _finish(self, take: _Take, how: Callable[[EpisodeWriter], Path]) -> str:
        self._take = None
        ended_ns = self._clock_ns()
        try:
            path = take.writer.finish(how)
        except IbcError as error:
            self.problem = str(error)
            raise
        discarded = path.parent != self.root
        self._last = None if discarded else path
        if discarded:
            return f'discarded {path}'
        self._cut_off = take.writer.reason
        count = sum(health.count for health in take.health.values()) - take.writer.dropped
        if self._cut_off:
            lost = f'{take.writer.dropped} lost'
            if take.outcome == 'success':
                lost += ', no success any more'
            self.problem = f'{self._cut_off}; cut off, {count} messages kept, {lost}: {path}'
            raise RecordingFailed(self.problem)
        return f'saved {self._summary(take, path, count, ended_ns)}'

    def _summary(self, take: _Take, path: Path, count: int, ended_ns: int) -> str:
        seconds = (ended_ns - take.started_ns) / 1e9
        text = f'{path.name}: {take.outcome}, {seconds:.1f} s, {count} messages'
        problems = self._judge(take, ended_ns)
        return f'{text}; WARNING: {"; ".join(problems)}' if problems else text

    def _discard_last(self, path: Path) -> str:
        target = self.root / DISCARDED / path.name
        try:
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        except OSError as error:
            raise RecordingFailed(f'{path}: cannot be discarded: {error.strerror}') from None
        self._last, self._cut_off = None, ''
        self.problem = ''
        return f'discarded {target}'
