"""Where to push a block so that it ends in a tray."""

import numpy as np
import numpy.typing as npt

from xarm_twin.tasks.layout import Planar
from xarm_twin.tasks.objects import BLOCK_SIZE
from xarm_twin.tasks.trays import Tray

Vector = npt.NDArray[np.float64]

# Along x of the tray's frame, from its opening [m].
_LINE_UP = -0.055
"""Blocks are brought here before they are pushed in."""
_DEEP_ENOUGH = 0.033
_LOOK_AHEAD = 0.10
# Across it [m].
_STRAIGHT, _ASIDE = 0.012, 0.042
"""Offset below which a block is pushed straight in, and above which it is lined up first."""
_IN_BETWEEN = 0.015
"""Kept by the middle of a block that lies inside from the side walls, at least."""
_MARGIN = 0.004
"""Kept between a block and the tips of the tray's walls [m]."""


def is_settled(block: Planar, place: Planar, tray: Tray) -> bool:
    """Whether a block lies so deep in the `tray` at `place` that it can be left there."""
    x, y = place.local(block.xy)
    return bool(x > tray.mouth + _DEEP_ENOUGH and abs(y) < tray.width / 2 - _IN_BETWEEN)


def line_up(place: Planar, tray: Tray, lane: float = 0.0) -> Vector:
    """Where a block stands before it is pushed in, `lane` [m] across the tray, shape (2,)."""
    return place.point((tray.mouth + _LINE_UP, lane))


def aim(block: Planar, place: Planar, tray: Tray, lane: float = 0.0) -> Vector:
    """Where to push the block to, shape (2,): onto the lane, then along it.

    One that would catch on the tip of a wall, or has, goes back before the opening first.

    Args:
        block: The block's pose.
        place: The tray's pose.
        tray: Its size.
        lane: Where across the tray the block should go in [m].
    """
    x, y = place.local(block.xy)
    turned = block.yaw - place.yaw
    reach = BLOCK_SIZE / 2 * (abs(np.cos(turned)) + abs(np.sin(turned)))
    is_at_tip = abs(y) + reach > tray.width / 2 + _MARGIN
    if x - reach < tray.mouth < x + reach + _MARGIN and is_at_tip:
        return place.point((tray.mouth - reach - 2 * _MARGIN, lane))
    aside = y - lane
    straight = np.clip((_ASIDE - abs(aside)) / (_ASIDE - _STRAIGHT), 0.0, 1.0)
    ahead = place.point((x + _LOOK_AHEAD, lane + np.clip(aside, -_STRAIGHT, _STRAIGHT)))
    return straight * ahead + (1.0 - straight) * line_up(place, tray, lane)
