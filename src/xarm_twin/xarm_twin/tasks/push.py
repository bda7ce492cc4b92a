"""Pushing coloured blocks into their own trays (paper Table 6, columns 1 and 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xarm_twin.tasks.layout import Area, Planar, distance_to_segment, draw, planar, poses_of
from xarm_twin.tasks.objects import BLOCK_SIZE, ObjectSpec, u_fixture

TRAY_INNER = 0.09
TRAY_WALL = 0.01
TRAY_HEIGHT = 0.02
INSIDE = 0.026
"""Largest offset of a block's centre from the tray's, along and across it, that counts [m]: the
block is then wholly inside, or touches a wall."""

BLOCK_SPACING = 0.115
"""Between block centres: the tool passes between them with a centimetre to spare [m]."""
CORRIDOR = 0.08
"""Free half width along the way of a block into its tray [m]."""
MOUTH = 0.09
"""Distance before the tray's centre at which a block should be lined up [m]."""


def tray(name: str) -> ObjectSpec:
    """Make a U-shaped tray, open towards -x, 90 mm inside."""
    half = TRAY_INNER / 2
    return u_fixture(name, TRAY_INNER, -half, half, TRAY_WALL, TRAY_HEIGHT)


def in_tray(block_pose: np.ndarray, tray_pose: np.ndarray) -> bool:
    """Whether a block (7,) lies flat inside a tray (7,)."""
    offset = planar(tray_pose).local(block_pose[:2])
    height = block_pose[2] - tray_pose[2] - BLOCK_SIZE / 2
    return bool(np.all(np.abs(offset) <= INSIDE) and abs(height) < 0.01)


@dataclass(frozen=True)
class PushTask:
    """Block i belongs into tray i; every block scores the same share."""

    name: str
    label: str
    horizon_s: float
    blocks: tuple[ObjectSpec, ...]
    block_areas: tuple[Area, ...]
    tray_areas: tuple[Area, ...]

    @property
    def objects(self) -> tuple[ObjectSpec, ...]:
        """Blocks, then their trays."""
        return self.blocks + tuple(tray(f'{block.name}_tray') for block in self.blocks)

    def sample_layout(self, rng: np.random.Generator) -> np.ndarray:
        """Rest poses (n, 7): blocks apart from each other and out of each other's way."""
        places = draw(self.block_areas + self.tray_areas, self._is_workable, rng)
        return poses_of(self.objects, places)

    def score(self, poses: np.ndarray) -> float:
        """Share of the blocks that lie in their trays."""
        count = len(self.blocks)
        inside = [in_tray(poses[i], poses[count + i]) for i in range(count)]
        return sum(inside) / count

    def is_success(self, poses: np.ndarray) -> bool:
        """Whether every block lies in its tray."""
        return self.score(poses) == 1.0

    def _is_workable(self, places: Sequence[Planar]) -> bool:
        count = len(self.blocks)
        blocks, trays = places[:count], places[count:]
        for i, (block, target) in enumerate(zip(blocks, trays, strict=True)):
            mouth = target.point((-MOUTH, 0.0))
            for later in blocks[i + 1 :]:
                if np.linalg.norm(block.xy - later.xy) < BLOCK_SPACING:
                    return False
                if distance_to_segment(later.xy, block.xy, mouth) < CORRIDOR:
                    return False
        return True
