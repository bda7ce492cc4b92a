"""The signals that ask a program to end: Ctrl-C, kill, a terminal that is closed."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeded_signals() -> tuple[signal.Signals, ...]:
    """Return those that end this program: not SIGHUP where it is ignored, as under nohup."""
    keeps_on = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return tuple(s for s in SIGNALS if s is not signal.SIGHUP or not keeps_on)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let each of them raise KeyboardInterrupt inside.

    A node only notes the first one elsewhere, so that nothing is left half done. Use this around
    what leaves nothing behind.
    """
    with _handled(signal.default_int_handler):
        yield


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Ignore them inside, around what must not be left half done; bound its time."""
    with _handled(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handled(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # no signal would arrive here
        yield
        return
    before = {number: signal.signal(number, handler) for number in heeded_signals()}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, signal.SIG_DFL if old is None else old)
