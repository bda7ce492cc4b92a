"""Pushing a block into a slot that is 1 mm wider than the block (paper Table 6, column 3)."""

from dataclasses import dataclass

import numpy as np

from xarm_twin.tasks.layout import Area, draw, planar, poses_of
from xarm_twin.tasks.objects import BLOCK_SIZE, ObjectSpec, u_fixture

CLEARANCE = 0.001
"""Slot width minus block width [m]."""
SLOT_DEPTH = 0.044
SLOT_WALL = 0.015
SLOT_HEIGHT = 0.02
SEATED_X = 0.0
"""Block centre along the slot when it touches the back wall [m]."""
MOUTH_X = BLOCK_SIZE / 2 - SLOT_DEPTH
"""The slot's open end, in the slot's frame [m]."""
ENTRY_X = MOUTH_X - BLOCK_SIZE / 2
"""Block centre when its leading face reaches the mouth [m]."""
PARTIAL_DEPTH = 0.010
"""Depth of the leading face that counts as a partial insert [m]."""
FULL_GAP = 0.003
"""Gap to the back wall below which the insert is full [m]."""
MAX_LATERAL = 0.002
"""Only a block between the walls is this close to the slot's middle and this straight [m]."""
MAX_YAW = np.deg2rad(5.0)


def slot(name: str) -> ObjectSpec:
    """Make the slot, open towards -x; its origin is the seated block's centre."""
    half = BLOCK_SIZE / 2
    return u_fixture(name, BLOCK_SIZE + CLEARANCE, MOUTH_X, half, SLOT_WALL, SLOT_HEIGHT)


def quarter_turn(angle: float) -> float:
    """Wrap an angle [rad] to [-pi/4, pi/4): a cube looks the same after every quarter turn."""
    return (angle + np.pi / 4) % (np.pi / 2) - np.pi / 4


def in_slot(block_pose: np.ndarray, slot_pose: np.ndarray) -> tuple[float, float, float]:
    """Block (7,) in the frame of a slot (7,): x, y [m] and yaw [rad] modulo a quarter turn."""
    block, frame = planar(block_pose), planar(slot_pose)
    x, y = frame.local(block.xy)
    return float(x), float(y), quarter_turn(block.yaw - frame.yaw)


@dataclass(frozen=True)
class InsertTask:
    """One block, one slot."""

    name: str
    label: str
    horizon_s: float
    block: ObjectSpec
    block_area: Area
    slot_area: Area

    @property
    def objects(self) -> tuple[ObjectSpec, ...]:
        """The block, then the slot."""
        return (self.block, slot(f'{self.block.name}_slot'))

    def sample_layout(self, rng: np.random.Generator) -> np.ndarray:
        """Rest poses (2, 7)."""
        places = draw((self.block_area, self.slot_area), lambda _: True, rng)
        return poses_of(self.objects, places)

    def score(self, poses: np.ndarray) -> float:
        """0.5 for a partial insert, 1.0 for a full one."""
        x, y, yaw = in_slot(poses[0], poses[1])
        height = poses[0, 2] - poses[1, 2] - BLOCK_SIZE / 2
        if abs(y) > MAX_LATERAL or abs(yaw) > MAX_YAW or abs(height) > 0.01:
            return 0.0
        if x >= SEATED_X - FULL_GAP:
            return 1.0
        return 0.5 if x >= ENTRY_X + PARTIAL_DEPTH else 0.0

    def is_success(self, poses: np.ndarray) -> bool:
        """Whether the block is fully inserted."""
        return self.score(poses) == 1.0
