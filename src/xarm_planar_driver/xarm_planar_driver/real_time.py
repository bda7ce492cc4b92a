"""Real-time rights of the servo thread: asked for where wanted, and said whether granted."""

import ctypes
import os
from dataclasses import dataclass

_MCL_CURRENT = 1  # <sys/mman.h> on Linux
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Right:
    """What the operating system said to a request."""

    asked: bool = False
    refusal: str = ''
    """Why not; empty where it was granted."""

    @property
    def granted(self) -> bool:
        """Whether it was asked for and given."""
        return self.asked and not self.refusal

    def __str__(self) -> str:
        """For people, in diagnostics and log."""
        if not self.asked:
            return 'not asked for'
        return f'refused: {self.refusal}' if self.refusal else 'granted'


NOT_ASKED = Right()


def take_priority(priority: int) -> Right:
    """Run the calling thread with this SCHED_FIFO priority (1 to 90); 0 asks for nothing."""
    if not priority:
        return NOT_ASKED
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        return Right(asked=True, refusal=error.strerror or str(error))
    return Right(asked=True)


def lock_memory(wanted: bool) -> Right:
    """Keep what the process has allocated so far in memory, if wanted.

    Not what it allocates later: beyond RLIMIT_MEMLOCK that would then fail, and end the driver.
    """
    if not wanted:
        return NOT_ASKED
    if _libc.mlockall(_MCL_CURRENT) != 0:
        return Right(asked=True, refusal=os.strerror(ctypes.get_errno()))
    return Right(asked=True)
