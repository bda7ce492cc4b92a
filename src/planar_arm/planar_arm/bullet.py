"""PyBullet, imported without its greeting.

It writes the time of its build to stderr, where only what is wrong belongs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ['pybullet']


@contextmanager
def _without_stderr() -> Iterator[None]:
    try:
        kept = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _without_stderr():
    import pybullet
