"""Waits that a person may cut short."""

import contextlib
import signal
import threading
from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let the first SIGINT or SIGTERM raise KeyboardInterrupt inside.

    Elsewhere a node only notes the first one, so that nothing is left half done. Use this around
    what leaves nothing behind.
    """
    if threading.current_thread() is not threading.main_thread():  # no signal would arrive here
        yield
        return
    before = {number: signal.signal(number, signal.default_int_handler) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
