"""Motion that the controller makes by itself: queued moves, or one motion that goes on."""

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from xarm_twin.controller.goals import Goal
from xarm_twin.controller.moves import Move, begin
from xarm_twin.controller.poses import Matrix

Vector = npt.NDArray[np.float64]

M = TypeVar('M', bound=Move)


class Planner:
    """One move at a time. Not for use from two threads, but for `wait`."""

    def __init__(self) -> None:
        self._queue: deque[Goal] = deque()
        self._move: Move | None = None
        self._busy = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether there is a step to make."""
        return bool(self._queue) or (self._move is not None and not self._move.done)

    @property
    def pending(self) -> int:
        """Commands that wait or are under way."""
        return len(self._queue) + (self._move is not None and not self._move.done)

    def enqueue(self, goal: Goal) -> None:
        """Go to `goal` after what is in the queue."""
        self._queue.append(goal)
        self._busy.set()

    def ongoing(self, kind: type[M], make: Callable[[], M]) -> M:
        """Return the motion under way if it is of this kind, else begin it."""
        if not isinstance(self._move, kind):
            self._queue.clear()
            self._move = make()
        self._busy.set()
        return self._move

    def clear(self) -> None:
        """Forget everything."""
        self._queue.clear()
        self._move = None
        self._busy.clear()

    def step(self, q: Vector, tool: Matrix, dt: float) -> Vector | None:
        """Return the joints (6,) [rad] to command `dt` [s] after `q`; None when there is no motion.

        Raises:
            MotionFailed: There is no way on.
        """
        if self._queue and (self._move is None or self._move.done):
            self._move = begin(self._queue.popleft(), q, tool)
        move = self._move
        if move is None or move.done:
            self._busy.clear()
            return None
        q_next = move.step(q, dt)
        if not self.busy:
            self._busy.clear()
        return q_next

    def wait(self, timeout: float) -> bool:
        """Wait up to `timeout` [s] for a motion; return whether there is one. From any thread."""
        return self._busy.wait(timeout)
