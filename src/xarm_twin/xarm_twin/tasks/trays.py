"""Trays that blocks are pushed into: three walls, open towards the robot."""

from dataclasses import dataclass

import numpy as np

from xarm_twin.tasks.layout import planar
from xarm_twin.tasks.objects import BLOCK_SIZE, ObjectSpec, u_fixture

WALL = 0.01
HEIGHT = 0.02
_OVERLAP = 0.001
"""A block whose centre is this much nearer to a wall than half its edge still counts [m]."""


@dataclass(frozen=True)
class Tray:
    """Inner size of a tray; its frame's origin is the middle, and x points into it."""

    width: float
    """Between the side walls [m]."""
    depth: float
    """From the opening to the back wall [m]."""

    @property
    def mouth(self) -> float:
        """Where it opens, along x [m]."""
        return -self.depth / 2

    def spec(self, name: str) -> ObjectSpec:
        """Make the tray's body."""
        return u_fixture(name, self.width, self.mouth, self.depth / 2, WALL, HEIGHT)

    def contains(self, block_pose: np.ndarray, tray_pose: np.ndarray) -> bool:
        """Whether a block (7,) lies flat inside a tray (7,), or at most touches its walls."""
        offset = np.abs(planar(tray_pose).local(block_pose[:2]))
        height = block_pose[2] - tray_pose[2] - BLOCK_SIZE / 2
        free = np.array((self.depth, self.width)) / 2 - BLOCK_SIZE / 2 + _OVERLAP
        return bool(np.all(offset <= free) and abs(height) < 0.01)


TRAY = Tray(width=0.09, depth=0.09)
"""For one block, with room to spare."""
WIDE_TRAY = Tray(width=0.19, depth=0.10)
"""For four blocks: three beside each other, two behind each other."""
