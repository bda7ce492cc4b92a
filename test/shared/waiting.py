"""Waiting in tests: generously, since the machine that runs them may be busy."""

import time
from collections.abc import Callable

PATIENCE_S = 60.0
"""How long a busy machine may take for what comes at once on a quiet one."""


def wait_for(predicate: Callable[[], bool], timeout: float = PATIENCE_S) -> bool:
    """Wait until `predicate()` is true or `timeout` [s] is over; return its last answer."""
    deadline = time.monotonic() + timeout
    while not predicate() and time.monotonic() < deadline:
        time.sleep(0.01)
    return predicate()
