"""Work that a GPU does again and again, as one CUDA graph: one launch, not hundreds of kernels.

Where the arithmetic takes a fraction of the time that launching its kernels one by one takes, this
is most of the speed. A graph is recorded once and replayed on the same memory: inputs are copied
to where they lay, the seed is set, results lie where they lay before.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

import torch

WARM_UP = 3
"""Runs before the recording: libraries choose kernels and allocate workspaces, which a recording
must not."""

T = TypeVar('T')

log = logging.getLogger(__name__)


class Recording(Generic[T]):
    """What some work returned when it was recorded, and a way to do it again."""

    def __init__(self, work: Callable[[torch.Generator], T], device: torch.device) -> None:
        """Record `work`, which draws from the generator that it is given.

        Raises:
            RuntimeError: Something in it cannot be recorded; PyTorch says what.
        """
        self._generator = torch.Generator(device)
        self._graph = torch.cuda.CUDAGraph()
        self._graph.register_generator_state(self._generator)
        side = torch.cuda.Stream(device)
        side.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                work(self._generator)
        torch.cuda.current_stream(device).wait_stream(side)
        # Another thread may load the next batch meanwhile.
        with torch.cuda.graph(self._graph, capture_error_mode='thread_local'):
            self._result = work(self._generator)

    def replay(self, seed: int) -> T:
        """Do it again with draws of `seed`; the next replay overwrites the result."""
        self._generator.manual_seed(seed)
        self._graph.replay()
        return self._result


def recorded(make: Callable[[], T]) -> T | None:
    """Return `make()`, which records; where that is impossible, say so in the log: None."""
    try:
        return make()
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        log.warning('no CUDA graph, every kernel is launched by itself: %s', reason)
        return None
