"""Why an episode failed, told from where its blocks lie in the end."""

from collections import deque

import numpy as np

from planar_arm.workspace import DEFAULT_WORKSPACE
from planar_arm.xarm6 import TOOL_RADIUS
from xarm_twin.tasks.insert import CLEARANCE, ENTRY_X, MOUTH_X, InsertTask
from xarm_twin.tasks.layout import box_corners, planar
from xarm_twin.tasks.objects import BLOCK_SIZE
from xarm_twin.tasks.push import PushTask
from xarm_twin.tasks.sort import SortTask
from xarm_twin.tasks.task import Task
from xarm_twin.tasks.trays import WIDE_TRAY

MOVING, STALLED = 'ran out of time', 'stalled'
STILL_S = 10.0
"""When no block has moved for so long, the episode had stalled [s]."""
STILL_M = 0.003
"""Less than this is no move of a block [m]."""
_BEHIND = BLOCK_SIZE / 2 + TOOL_RADIUS
"""From a block's centre to the tool's behind it [m]."""
_HALF_MOUTH = (BLOCK_SIZE + CLEARANCE) / 2
_NEAR_SLOT = BLOCK_SIZE
"""From where a block would enter the slot: it was brought there [m]."""


def failure(task: Task, poses: np.ndarray) -> str:
    """Name the first thing that is not done in the final poses (n, 7); '' of a success."""
    if task.is_success(poses):
        return ''
    if isinstance(task, InsertTask):
        return _not_inserted(task, poses)
    if isinstance(task, PushTask):
        return _not_pushed(task, poses)
    if isinstance(task, SortTask):
        return _not_sorted(task, poses)
    return f'score {task.score(poses):.3g}'


class BlockMoves:
    """What the blocks of one episode did last."""

    def __init__(self, task: Task) -> None:
        self._blocks = sum(spec.is_block for spec in task.objects)
        self._seen: deque[tuple[float, np.ndarray]] = deque()

    def add(self, seconds: float, poses: np.ndarray) -> None:
        """Take the poses (n, 7) at a time [s]; times must not decrease."""
        self._seen.append((seconds, poses[: self._blocks, :2].copy()))
        # One sample before the span stays, so that it is covered.
        while len(self._seen) > 1 and self._seen[1][0] <= seconds - STILL_S:
            self._seen.popleft()

    @property
    def ending(self) -> str:
        """Whether the episode had stalled, or blocks still moved when its time was over."""
        xy = np.array([where for _, where in self._seen])
        spread = np.linalg.norm(xy.max(axis=0) - xy.min(axis=0), axis=1).max() if len(xy) else 0.0
        return MOVING if spread > STILL_M else STALLED


def _not_inserted(task: InsertTask, poses: np.ndarray) -> str:
    block, slot = poses
    if task.score(poses) > 0.0:
        return 'partial insert'
    frame = planar(slot)
    corners = np.array([frame.local(corner) for corner in box_corners(task.block.boxes[0], block)])
    inside = (corners[:, 0] > MOUTH_X) & (np.abs(corners[:, 1]) <= _HALF_MOUTH)
    if inside.any():
        return 'wedged in the mouth'
    if np.linalg.norm(frame.local(block[:2]) - (ENTRY_X, 0.0)) < _NEAR_SLOT:
        return 'at the mouth, not in it'
    if _is_out_of_reach(block):
        return f'{task.block.name} out of reach'
    return 'not brought to the slot'


def _not_pushed(task: PushTask, poses: np.ndarray) -> str:
    names = [block.name for block in task.blocks]
    inside = task.inside(poses)
    blocks = np.arange(len(names))
    goals = max(task.assignments, key=lambda trays: inside[blocks, trays].sum())
    done = inside[blocks, goals]
    missing = [i for i in blocks if not done[i]]
    first = missing[0]
    for i in missing:
        if inside[i].any():
            return (
                f'{names[i]} in a tray with another'
                if task.any_tray
                else (f'{names[i]} in the wrong tray')
            )
    for i in missing:
        if _is_out_of_reach(poses[i]):
            return f'{names[i]} out of reach'
    if not task.any_tray and done[first + 1 :].any():
        return f'wrong order: {names[first]} not in its tray'
    if task.any_tray and not done.any():
        return 'no block in a tray'
    return f'{names[first]} not in its tray'


def _not_sorted(task: SortTask, poses: np.ndarray) -> str:
    blocks, trays = np.split(poses, [len(task.blocks)])
    inside = np.array([[WIDE_TRAY.contains(block, tray) for tray in trays] for block in blocks])
    missing = ~inside[np.arange(len(blocks)), task.tray_of]
    if inside[missing].any():
        return 'a block in the wrong tray'
    if any(_is_out_of_reach(block) for block in blocks[missing]):
        return 'a block out of reach'
    return f'{missing.sum()} of {len(blocks)} blocks in no tray'


def _is_out_of_reach(block: np.ndarray) -> bool:
    """Whether the tool cannot get behind a block (7,), on the side of the workspace's edge."""
    return bool(DEFAULT_WORKSPACE.depth(block[:2]) < _BEHIND)
