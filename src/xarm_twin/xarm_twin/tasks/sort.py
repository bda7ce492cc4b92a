"""Sorting blocks by colour, several to a tray (paper Table 6, column 4)."""

from dataclasses import dataclass

import numpy as np

from planar_arm.xarm6 import HOME_XY
from xarm_twin.tasks.layout import Area, draw, poses_of, scatter
from xarm_twin.tasks.objects import ObjectSpec
from xarm_twin.tasks.trays import WIDE_TRAY

BLOCK_SPACING = 0.09
"""Between block centres: the tool passes between any two [m]."""


@dataclass(frozen=True)
class SortTask:
    """Blocks of several colours, one tray per colour; every block scores the same share."""

    name: str
    label: str
    horizon_s: float
    colours: tuple[tuple[ObjectSpec, ...], ...]
    """Blocks that belong into the first tray, into the second, ..."""
    block_area: Area
    tray_areas: tuple[Area, ...]

    @property
    def blocks(self) -> tuple[ObjectSpec, ...]:
        """All blocks."""
        return sum(self.colours, ())

    @property
    def objects(self) -> tuple[ObjectSpec, ...]:
        """Blocks, then trays."""
        return self.blocks + tuple(WIDE_TRAY.spec(f'tray_{i}') for i in range(len(self.colours)))

    @property
    def tray_of(self) -> tuple[int, ...]:
        """Index of each block's tray."""
        return tuple(tray for tray, blocks in enumerate(self.colours) for _ in blocks)

    def sample_layout(self, rng: np.random.Generator) -> np.ndarray:
        """Rest poses (n, 7): blocks strewn over their area, apart from each other."""
        count = len(self.blocks)
        blocks = scatter(self.block_area, count, BLOCK_SPACING, np.array(HOME_XY), rng)
        trays = draw(self.tray_areas, lambda _: True, rng)
        return poses_of(self.objects, blocks + trays)

    def score(self, poses: np.ndarray) -> float:
        """Share of the blocks that lie in their colour's tray."""
        blocks, trays = poses[: len(self.blocks)], poses[len(self.blocks) :]
        inside = [
            WIDE_TRAY.contains(block, trays[tray])
            for block, tray in zip(blocks, self.tray_of, strict=True)
        ]
        return sum(inside) / len(inside)

    def is_success(self, poses: np.ndarray) -> bool:
        """Whether all blocks are sorted."""
        return self.score(poses) == 1.0
