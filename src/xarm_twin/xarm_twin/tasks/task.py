"""What every task offers: bodies, seeded layouts and a score of object poses alone."""

from typing import Protocol

import numpy as np

from xarm_twin.tasks.objects import ObjectSpec


class Task(Protocol):
    """A planar contact task; poses are (n, 7) = xyz + quaternion xyzw, ordered as `objects`."""

    @property
    def name(self) -> str:
        """Name on the command line and in bags."""
        ...

    @property
    def label(self) -> str:
        """The task in words."""
        ...

    @property
    def horizon_s(self) -> float:
        """Time after which an episode has failed [s]."""
        ...

    @property
    def objects(self) -> tuple[ObjectSpec, ...]:
        """Bodies: blocks first, then fixtures."""
        ...

    def sample_layout(self, rng: np.random.Generator) -> np.ndarray:
        """Rest poses (n, 7) of all objects for a new episode."""
        ...

    def score(self, poses: np.ndarray) -> float:
        """How far the task is done, in [0, 1]."""
        ...

    def is_success(self, poses: np.ndarray) -> bool:
        """Whether the task is done."""
        ...
