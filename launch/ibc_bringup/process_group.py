"""Run several processes as one: shared output, and all of them end together."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

Sink = Callable[[str, str], None]
"""Receives the name of a process and one line of its output."""

TAIL_LINES = 15
LOG_PREFIX = re.compile(r'^(error: |\[[A-Z]+\] (\[[\d.]+\] )?\[[\w.]+\]: )')
"""What ROS and Python put before a message."""
ERROR_LINE = re.compile(r'^(error: |\[(ERROR|FATAL)\])')
FIRST_IS_LAST_S = 2.0
"""How long the first process outlives the request to stop: the others may need it to end well."""
# What follows an interrupt that did not help, and how long after the request to stop [s].
ESCALATION = ((5.0, signal.SIGTERM), (10.0, signal.SIGKILL))
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Command:
    """A process to start; with `ends_group` its end is the planned end of all."""

    name: str
    argv: Sequence[str]
    ends_group: bool = False
    if_killed: str = ''
    """What to do after it was killed by a signal."""
    may_end: bool = False
    """The others go on when it has ended with code 0."""
    follows: str = ''
    """Name of a process that may end: this one starts after it."""


@dataclass(frozen=True)
class Ended:
    """The first process that ended, and the exit code that the whole group takes from it."""

    name: str
    code: int
    planned: bool
    tail: tuple[str, ...]
    if_killed: str = ''

    @property
    def failed(self) -> bool:
        """Tell whether this end was not the planned, successful one."""
        return not self.planned or self.code != 0

    @property
    def group_code(self) -> int:
        """Exit code of the group: never 0 after an end that was not planned."""
        if not self.planned:
            return abs(self.code) or 1
        return self.code if self.code >= 0 else 128 - self.code

    @property
    def explained(self) -> bool:
        """Tell whether its last line says what was wrong, so that those before it matter less."""
        return bool(self.tail) and ERROR_LINE.match(self.tail[-1]) is not None

    def summary(self) -> str:
        """Say in one line what ended and why, in its own words where it left some."""
        how = f'signal {-self.code}' if self.code < 0 else f'code {self.code}'
        errors = [line for line in self.tail if 'error' in line.lower()]
        last = (errors or list(self.tail) or ['it said nothing'])[-1]
        reason = LOG_PREFIX.sub('', last).removeprefix(f'{self.name}: ')
        advice = f'; {self.if_killed}' if self.code < 0 and self.if_killed else ''
        return f'{self.name} ended with {how}: {reason}{advice}'


@dataclass
class _Child:
    command: Command
    process: subprocess.Popen[str]
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))
    reader: threading.Thread | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has ended as it may while the others go on."""
        return self.command.may_end and self.process.poll() == 0


class ProcessGroup:
    """Processes that start together; when the first one ends, the caller stops the others."""

    def __init__(
        self, commands: Sequence[Command], sink: Sink, environment: Mapping[str, str]
    ) -> None:
        """Nothing starts before `start`; `sink` is called from several threads."""
        self._commands = commands
        self._sink = sink
        self._environment = dict(environment)
        self._children: list[_Child] = []

    def start(self) -> None:
        """Start every process that follows none."""
        self._start([command for command in self._commands if not command.follows])

    def _start(self, commands: Sequence[Command]) -> None:
        """Start them, then begin to read what they write."""
        for command in commands:
            process = subprocess.Popen(
                list(command.argv),
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                start_new_session=True,  # Ctrl-C reaches only the parent, which stops in order
                preexec_fn=_die_with_parent,
            )
            self._children.append(_Child(command, process))
        for child in self._children:
            if child.reader is None:
                child.reader = threading.Thread(target=self._read, args=(child,), daemon=True)
                child.reader.start()

    def first_ended(self) -> Ended | None:
        """Return the first process whose end is that of all, if there is one; failures go first."""
        ended = [c for c in self._children if c.process.poll() is not None and not c.is_done]
        if not ended:
            return None
        child = min(ended, key=lambda c: c.process.returncode == 0)
        if child.reader is not None:
            child.reader.join(timeout=1.0)
        code = child.process.returncode
        command = child.command
        return Ended(command.name, code, command.ends_group, tuple(child.tail), command.if_killed)

    def wait(self, timeout_s: float | None = None) -> Ended | None:
        """Wait for the first process to end, at most `timeout_s` [s]."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while (ended := self.first_ended()) is None:
            self._start_followers()
            if deadline is not None and time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        return ended

    def stop(self) -> None:
        """End everything: SIGINT, after 5 s SIGTERM, after 10 s SIGKILL; the first process last."""
        begin = time.monotonic()
        first, others = self._children[:1], self._children[:0:-1]
        _send(others, signal.SIGINT)
        _wait(others, begin + FIRST_IS_LAST_S)
        _send(first, signal.SIGINT)
        for delay, number in ESCALATION:
            _wait(self._children, begin + delay)
            _send(self._children, number)
        for child in self._children:
            child.process.wait()
            if child.reader is not None:
                child.reader.join(timeout=1.0)

    def _start_followers(self) -> None:
        done = {child.command.name for child in self._children if child.is_done}
        started = {child.command.name for child in self._children}
        self._start([c for c in self._commands if c.follows in done and c.name not in started])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _read(self, child: _Child) -> None:
        if child.process.stdout is None:
            return
        for line in child.process.stdout:
            text = line.rstrip()
            child.tail.append(text)
            self._sink(child.command.name, text)


def _die_with_parent() -> None:
    """Have the kernel interrupt this child if the parent is killed: no arm moves unattended."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def _alive(children: Sequence[_Child]) -> list[_Child]:
    return [child for child in children if child.process.poll() is None]


def _wait(children: Sequence[_Child], deadline: float) -> None:
    while _alive(children) and time.monotonic() < deadline:
        time.sleep(0.05)


def _send(children: Sequence[_Child], number: signal.Signals) -> None:
    for child in _alive(children):
        with contextlib.suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(child.process.pid, number)  # with whatever it started
            else:
                child.process.send_signal(number)
