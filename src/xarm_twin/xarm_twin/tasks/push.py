"""Pushing coloured blocks into trays, one block per tray (paper Table 6, columns 1 and 2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from xarm_twin.tasks.layout import Area, Planar, distance_to_segment, draw, poses_of
from xarm_twin.tasks.objects import ObjectSpec
from xarm_twin.tasks.trays import TRAY

BLOCK_SPACING = 0.115
"""Between block centres: the tool passes between them with a centimetre to spare [m]."""
CORRIDOR = 0.08
"""Free half width along the way of a block into its tray [m]."""
MOUTH = 0.09
"""Distance before the tray's centre at which a block should be lined up [m]."""


@dataclass(frozen=True)
class PushTask:
    """One tray for every block, and every block scores the same share.

    Block i belongs into tray i, before the later ones; with `any_tray` into any that it has for
    itself, in any order.
    """

    name: str
    label: str
    horizon_s: float
    blocks: tuple[ObjectSpec, ...]
    block_areas: tuple[Area, ...]
    tray_areas: tuple[Area, ...]
    any_tray: bool = False

    @property
    def objects(self) -> tuple[ObjectSpec, ...]:
        """Blocks, then their trays."""
        return self.blocks + tuple(TRAY.spec(f'tray_{i}') for i in range(len(self.blocks)))

    @property
    def assignments(self) -> tuple[tuple[int, ...], ...]:
        """The ways to do the task: which tray each block ends in."""
        trays = tuple(range(len(self.blocks)))
        return tuple(permutations(trays)) if self.any_tray else (trays,)

    def sample_layout(self, rng: np.random.Generator) -> np.ndarray:
        """Rest poses (n, 7): blocks apart from each other and out of each other's way."""
        places = draw(self.block_areas + self.tray_areas, self._is_workable, rng)
        return poses_of(self.objects, places)

    def inside(self, poses: np.ndarray) -> np.ndarray:
        """Say for each block and tray (blocks, trays) whether that block lies in that tray."""
        blocks, trays = np.split(poses, 2)
        return np.array([[TRAY.contains(block, tray) for tray in trays] for block in blocks])

    def score(self, poses: np.ndarray) -> float:
        """Share of the blocks that lie in trays of their own."""
        inside = self.inside(poses)
        blocks = range(len(self.blocks))
        return max(float(inside[blocks, trays].mean()) for trays in self.assignments)

    def is_success(self, poses: np.ndarray) -> bool:
        """Whether every block lies in a tray of its own."""
        return self.score(poses) == 1.0

    def _is_workable(self, places: Sequence[Planar]) -> bool:
        count = len(self.blocks)
        blocks, trays = places[:count], places[count:]
        mouths = [tray.point((-MOUTH, 0.0)) for tray in trays]
        for i, block in enumerate(blocks):
            goals = mouths if self.any_tray else mouths[i : i + 1]
            for other in [b for j, b in enumerate(blocks) if j > i or (self.any_tray and j != i)]:
                if np.linalg.norm(block.xy - other.xy) < BLOCK_SPACING:
                    return False
                if any(distance_to_segment(other.xy, block.xy, g) < CORRIDOR for g in goals):
                    return False
        return True
