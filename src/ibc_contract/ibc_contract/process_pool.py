"""Worker processes that end with the process that made them, however that ends."""

import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import cv2


def spawn_pool(
    workers: int, initializer: Callable[..., None] | None = None, initargs: tuple[Any, ...] = ()
) -> ProcessPoolExecutor:
    """Make a pool of freshly started processes.

    Spawned, because PyBullet, OpenGL and PyTorch's threads do not survive a fork. OpenCV gets one
    thread in each: there are as many workers as cores.

    Args:
        workers: How many.
        initializer: Called first in each of them; must be picklable.
        initargs: Its arguments.
    """
    return ProcessPoolExecutor(
        workers,
        multiprocessing.get_context('spawn'),
        initializer=_begin,
        initargs=(initializer, initargs),
    )


def _begin(initializer: Callable[..., None] | None, initargs: tuple[Any, ...]) -> None:
    # A killed parent leaves its workers waiting for a queue that their siblings hold open.
    threading.Thread(target=_end_with_parent, name='parent', daemon=True).start()
    cv2.setNumThreads(1)
    if initializer is not None:
        initializer(*initargs)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
