"""Demonstrator of sorting: the nearest sensible block comes next, and is seen through."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from xarm_twin.demonstrators.contact import TOUCH, unit
from xarm_twin.demonstrators.hand import Hand, footprints, obstacles
from xarm_twin.demonstrators.into_tray import aim, is_settled, line_up
from xarm_twin.demonstrators.routes import Footprint, Obstacles, route
from xarm_twin.tasks.layout import Planar, distance_to_segment, planar
from xarm_twin.tasks.sort import SortTask
from xarm_twin.tasks.trays import WIDE_TRAY

Vector = npt.NDArray[np.float64]

_LANES = (-0.05, 0.0, 0.05)
"""Where across a tray there is room beside each other [m]."""
_OUTERMOST = 0.055
"""Blocks that lie before this middle part of the opening can go straight in [m]."""
_LANE_WIDTH = 0.034
"""A block this near to the middle of a lane takes up room in it [m]."""
_LANE_COSTS = (0.0, 0.03, 1.0)
"""What a lane with no, one and more blocks in it is avoided for, as a way [m]."""
_BEFORE = 0.05
"""From here on before the opening, only the tray's walls can be in the way [m]."""
_BLOCK_REACH = 0.030
"""Kept by a block's middle from other things on its way: half a diagonal [m]."""
_BORDER = TOUCH + 0.015
"""Kept by it from the border of the workspace, so that the tool gets behind it [m]."""
_SET_FREE = 0.03
"""How far a block must be able to move to be pushed away from what it lies at [m]."""
_IN_THE_WAY = 0.055
"""Distance of another block from a block's way below which the two would touch [m]."""
# What makes a block less sensible to take next, as a way of the tool [m].
_PUSH_COST = 0.5
"""Per length of its own way."""
_OBSTRUCTED, _STUCK, _GIVEN_UP = 0.15, 0.4, 1.0
"""For every block in its way; if the tool cannot get behind it; if it has been tried in vain."""
_PATIENCE = 20
"""Periods without progress after which a block is let be: 4 s."""
_PROGRESS = 0.01
"""How much nearer to its end an errand must come to count as progress [m]."""


@dataclass(frozen=True)
class Errand:
    """A block that is not in its tray yet."""

    block: Planar
    tray: Planar
    lane: float
    """Where it goes in, across the tray [m]."""
    goal: Vector
    """Where it lines up for that (2,) [m]."""
    fixed: Sequence[Footprint]
    """The trays."""
    foreign: Sequence[Footprint]
    """Blocks of other colours that are not sorted yet. Its like may be pushed along."""
    in_the_way: int
    """How many blocks lie where it would go."""

    def around(self) -> Obstacles:
        """Return what the block's middle must go around, but for what it lies at."""
        here = self.block.xy[None]
        apart = [f for f in self.foreign if not Obstacles([f], _BLOCK_REACH).contain(here)[0]]
        return Obstacles([*self.fixed, *apart], _BLOCK_REACH, _BORDER)


class SortMoves:
    """Takes the nearest sensible block and stays with it until it is in.

    What it takes next is seen in the scene: the block that tool and tray are near to, that
    little is in the way of. On its way to it and with it, that only becomes the more so.
    """

    def __init__(self, task: SortTask, hand: Hand) -> None:
        self._task = task
        self._hand = hand
        self._in_hand: int | None = None
        self._given_up: set[int] = set()
        self._left = np.inf
        self._idle = 0

    def act(self, setpoint_xy: Vector, object_poses: Vector) -> Vector:
        """Return the move of the setpoint (2,) [m] for the next period."""
        around = obstacles(self._task.objects, object_poses)
        errands = self._errands(object_poses)
        if not errands:
            return np.zeros(2)
        errand = errands[self._choose(setpoint_xy, errands, around)]
        self._watch(setpoint_xy, errand)
        travel_by = self._plan(setpoint_xy, errand, around)
        return self._hand.unsteady(self._hand.push(setpoint_xy, errand.block, travel_by, around))

    def _choose(self, tool: Vector, errands: dict[int, Errand], around: Obstacles) -> int:
        """Keep the block in hand, or take another if it is in or does not get on."""
        held = self._in_hand
        if held is not None and held in errands:
            if self._idle <= _PATIENCE:
                return held
            self._given_up.add(held)
        else:
            self._given_up.clear()
        self._in_hand = self._next(tool, errands, around)
        self._left, self._idle = np.inf, 0
        return self._in_hand

    def _errands(self, poses: Vector) -> dict[int, Errand]:
        objects, count = self._task.objects, len(self._task.blocks)
        blocks = [planar(pose) for pose in poses[:count]]
        trays = [planar(poses[count + tray]) for tray in self._task.tray_of]
        is_in = np.array([is_settled(b, t, WIDE_TRAY) for b, t in zip(blocks, trays, strict=True)])
        tray_of = np.array(self._task.tray_of)
        fixed = footprints(objects[count:], poses[count:])
        left = np.flatnonzero(~is_in)
        errands = {}
        for i in (int(k) for k in left):
            settled = [blocks[j] for j in np.flatnonzero(is_in & (tray_of == tray_of[i]))]
            lane = _lane(blocks[i], trays[i], settled)
            goal = line_up(trays[i], WIDE_TRAY, lane)
            foreign = [j for j in left if tray_of[j] != tray_of[i]]
            near = [
                distance_to_segment(blocks[j].xy, blocks[i].xy, goal) < _IN_THE_WAY
                for j in left
                if j != i
            ]
            errands[i] = Errand(
                blocks[i],
                trays[i],
                lane,
                goal,
                fixed,
                footprints([objects[j] for j in foreign], poses[foreign]),
                sum(near),
            )
        return errands

    def _next(self, tool: Vector, errands: dict[int, Errand], around: Obstacles) -> int:
        def cost(i: int) -> float:
            errand = errands[i]
            block, travel_by = errand.block, _wanted(errand)
            behind = block.xy - TOUCH * unit(travel_by)
            return (
                float(np.linalg.norm(behind - tool))
                + _PUSH_COST * float(np.linalg.norm(errand.goal - block.xy))
                + _OBSTRUCTED * errand.in_the_way
                + _STUCK * (not self._hand.can_push(tool, block, travel_by, around))
                + _GIVEN_UP * (i in self._given_up)
            )

        return min(errands, key=cost)

    def _watch(self, tool: Vector, errand: Errand) -> None:
        """Count the periods without progress."""
        end = errand.tray.point((0.0, errand.lane))
        block = errand.block.xy
        left = float(np.linalg.norm(end - block) + np.linalg.norm(block - tool))
        if left < self._left - _PROGRESS:
            self._left, self._idle = left, 0
        else:
            self._idle += 1

    def _plan(self, tool: Vector, errand: Errand, around: Obstacles) -> Vector:
        """Say where to push a block next (2,) [m]; if that cannot be, how to set it free."""
        block, wanted = errand.block, _wanted(errand)
        if self._hand.can_push(tool, block, wanted, around):
            return wanted
        others = errand.around()
        ahead = _SET_FREE * unit(wanted)
        for turn in np.deg2rad((45.0, -45.0, 90.0, -90.0, 135.0, -135.0, 180.0)):
            push = Planar(0.0, 0.0, turn).point(ahead)
            is_free = not others.contain((block.xy + push)[None])[0]
            if is_free and self._hand.can_push(tool, block, push, around):
                return push
        return wanted


def _wanted(errand: Errand) -> Vector:
    """Where to push a block next (2,) [m], if nothing keeps the tool from it."""
    block, others = errand.block, errand.around()
    x, _ = errand.tray.local(block.xy)
    if x > WIDE_TRAY.mouth - _BEFORE or not others.cut(block.xy[None], errand.goal[None])[0]:
        return aim(block, errand.tray, WIDE_TRAY, errand.lane) - block.xy
    return route(block.xy, errand.goal, others)[0] - block.xy


def _lane(block: Planar, tray: Planar, settled: Sequence[Planar]) -> float:
    """Choose where a block goes in, across the tray [m]: near, and where there is room."""
    _, y = tray.local(block.xy)
    taken = np.array([tray.local(other.xy)[1] for other in settled])

    def cost(lane: float) -> float:
        count = int((np.abs(taken - lane) < _LANE_WIDTH).sum())
        return abs(y - lane) + _LANE_COSTS[min(count, len(_LANE_COSTS) - 1)]

    straight = float(np.clip(y, -_OUTERMOST, _OUTERMOST))
    return min((straight, *_LANES), key=cost)
