"""Start a stack where ROS's own launch is not installed."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import TextIO

from ibc_bringup.arguments import Value
from ibc_bringup.process_group import Command, ProcessGroup, Sink
from ibc_bringup.stack import Stack
from ibc_contract.ending_signals import heeded_signals
from ibc_contract.reach import missing_settings

UNBUFFERED = 'PYTHONUNBUFFERED'
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)


def ros_environment(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a node of a stack, whose lines are shown as they come."""
    return {UNBUFFERED: '1', **base, **missing_settings(base)}


def process_group(
    stack: Stack, values: Mapping[str, Value], sink: Sink, environment: Mapping[str, str]
) -> ProcessGroup:
    """Make the processes of a stack ready to start; IbcError if one of them would fail."""
    calls = stack.calls(values)
    stack.check(values)
    commands = [
        Command(
            call.process.name,
            call.command(),
            call.process.ends_stack,
            call.if_killed,
            call.process.may_end,
            call.follows,
        )
        for call in calls
    ]
    return ProcessGroup(commands, sink, environment)


def run_stack(stack: Stack, values: Mapping[str, Value]) -> int:
    """Run a stack in the foreground until it ends, or until Ctrl-C; return its exit code."""
    signals = heeded_signals()
    for number in signals:
        # A shell script's `&` leaves SIGINT ignored, and then Python installs no handler.
        signal.signal(number, signal.default_int_handler)
    names = [call.process.name for call in stack.calls(values)]
    group = process_group(stack, values, prefixed(names, sys.stdout), ros_environment())
    ended = None
    try:
        group.start()
        ended = group.wait()
    except KeyboardInterrupt:
        pass
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        group.stop()
    if ended is None:
        return 0
    if ended.failed:
        if not ended.explained:
            sys.stderr.write(''.join(f'    {line}\n' for line in ended.tail))
        sys.stderr.write(f'error: {ended.summary()}\n')
    return ended.group_code


def prefixed(names: list[str], out: TextIO) -> Sink:
    """Return a sink that prints each line behind the coloured name of its process."""
    width = max(map(len, names), default=0)
    colourful = out.isatty() and 'NO_COLOR' not in os.environ
    lock = threading.Lock()

    def show(name: str, line: str) -> None:
        label = f'{name:<{width}} |'
        if colourful:
            label = f'\033[{COLOURS[names.index(name) % len(COLOURS)]}m{label}\033[0m'
        with lock, contextlib.suppress(OSError):  # of a terminal that was closed
            out.write(f'{label} {line}\n')
            out.flush()

    return show
