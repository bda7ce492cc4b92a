"""Demonstrator of the tasks that push one block into each tray, one after the other."""

import numpy as np
import numpy.typing as npt

from xarm_twin.demonstrators.hand import Hand, obstacles
from xarm_twin.demonstrators.into_tray import aim, is_settled, line_up
from xarm_twin.tasks.layout import Planar, distance_to_segment, planar
from xarm_twin.tasks.push import PushTask
from xarm_twin.tasks.trays import TRAY

Vector = npt.NDArray[np.float64]

_IN_THE_WAY = 0.055
"""Distance of another block from a block's way below which the two would touch [m]."""


class PushMoves:
    """Pushes the first block that is not deep enough in its tray.

    Where the task leaves it open which block comes first and which tray it goes to, that is drawn
    once per episode. Everything else is decided from geometry alone, also to drop what was drawn: a
    block that lies in a tray already stays there, and one that is in another's way goes first.
    """

    def __init__(self, task: PushTask, hand: Hand, rng: np.random.Generator) -> None:
        self._task = task
        self._hand = hand
        self._order = list(range(len(task.blocks)))
        self._assignments = list(task.assignments)
        if task.any_tray:
            rng.shuffle(self._order)
            rng.shuffle(self._assignments)

    def act(self, setpoint_xy: Vector, object_poses: Vector) -> Vector:
        """Return the move of the setpoint (2,) [m] for the next period."""
        blocks, trays = ([planar(pose) for pose in poses] for poses in np.split(object_poses, 2))
        goals = [trays[i] for i in self._assignment(object_poses)]
        left = [i for i in self._order if not is_settled(blocks[i], goals[i], TRAY)]
        if not left:
            return np.zeros(2)
        chosen = self._first(left, blocks, goals)
        block = blocks[chosen]
        around = obstacles(self._task.objects, object_poses)
        travel_by = aim(block, goals[chosen], TRAY) - block.xy
        return self._hand.unsteady(self._hand.push(setpoint_xy, block, travel_by, around))

    def _assignment(self, object_poses: Vector) -> tuple[int, ...]:
        """Choose a tray per block: as drawn, unless more blocks lie in theirs in another way."""
        inside = self._task.inside(object_poses)
        blocks = range(len(inside))
        return max(self._assignments, key=lambda trays: inside[blocks, trays].sum())

    def _first(self, left: list[int], blocks: list[Planar], goals: list[Planar]) -> int:
        """Choose whom of `left` to push: in the drawn order, but none that meets another."""
        if not self._task.any_tray:
            return left[0]

        def is_free(i: int) -> bool:
            end = line_up(goals[i], TRAY)
            others = (blocks[j] for j in left if j != i)
            return all(distance_to_segment(o.xy, blocks[i].xy, end) > _IN_THE_WAY for o in others)

        return next((i for i in left if is_free(i)), left[0])
