"""Demonstrator of the tasks that push blocks into trays, one after the other."""

import numpy as np
import numpy.typing as npt

from xarm_twin.demonstrators.hand import Hand, obstacles
from xarm_twin.tasks.layout import Planar, planar
from xarm_twin.tasks.objects import BLOCK_SIZE
from xarm_twin.tasks.push import TRAY_INNER, PushTask

Vector = npt.NDArray[np.float64]

# All in the frame of a tray [m].
_LINE_UP = -0.10
"""Blocks are brought here before they are pushed in."""
_STRAIGHT, _ASIDE = 0.012, 0.042
"""Offset across below which a block is pushed straight in, and above which it is lined up first."""
_DEEP_ENOUGH = -0.012
_LOOK_AHEAD = 0.10
_MARGIN = 0.004
"""Kept between a block and the tips of the tray's walls [m]."""


class PushMoves:
    """Pushes the first block that is not deep enough in its tray; decides from geometry alone."""

    def __init__(self, task: PushTask, hand: Hand) -> None:
        self._task = task
        self._hand = hand

    def act(self, setpoint_xy: Vector, object_poses: Vector) -> Vector:
        """Return the move of the setpoint (2,) [m] for the next period."""
        count = len(self._task.blocks)
        for i in range(count):
            block, tray = planar(object_poses[i]), planar(object_poses[count + i])
            if not _is_settled(block, tray):
                around = obstacles(self._task.objects, object_poses)
                travel_by = _aim(block, tray) - block.xy
                delta = self._hand.push(setpoint_xy, block, travel_by, around)
                return self._hand.unsteady(delta)
        return np.zeros(2)


def _is_settled(block: Planar, tray: Planar) -> bool:
    x, y = tray.local(block.xy)
    return bool(x > _DEEP_ENOUGH and abs(y) < 0.03)


def _aim(block: Planar, tray: Planar) -> Vector:
    """Where to push the block to, shape (2,): onto the tray's middle line, then along it.

    One that would catch on the tip of a wall, or has, goes back before the opening first.
    """
    x, y = tray.local(block.xy)
    turned = block.yaw - tray.yaw
    reach = BLOCK_SIZE / 2 * (abs(np.cos(turned)) + abs(np.sin(turned)))
    mouth = -TRAY_INNER / 2
    if x - reach < mouth < x + reach + _MARGIN and abs(y) + reach > TRAY_INNER / 2 + _MARGIN:
        return tray.point((mouth - reach - 2 * _MARGIN, 0.0))
    straight = np.clip((_ASIDE - abs(y)) / (_ASIDE - _STRAIGHT), 0.0, 1.0)
    ahead = np.array((x + _LOOK_AHEAD, np.clip(y, -_STRAIGHT, _STRAIGHT)))
    return tray.point(straight * ahead + (1.0 - straight) * np.array((_LINE_UP, 0.0)))
