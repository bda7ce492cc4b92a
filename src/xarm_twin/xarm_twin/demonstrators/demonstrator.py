"""A demonstrator per task, as the nodes, the environment's users and the generator see it."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from ibc_contract.errors import IbcError
from xarm_twin.demonstrators.hand import Hand, Style
from xarm_twin.demonstrators.insert import InsertMoves
from xarm_twin.demonstrators.push import PushMoves
from xarm_twin.demonstrators.sort import SortMoves
from xarm_twin.tasks import get_task
from xarm_twin.tasks.insert import InsertTask
from xarm_twin.tasks.push import PushTask
from xarm_twin.tasks.sort import SortTask

Vector = npt.NDArray[np.float64]

PERIOD = 0.2
"""Time between two moves [s]: the policy's period."""

# Free and pushing speed [m/s] that give episodes of the paper's lengths (Table 6).
_PUSH_PACE = (0.085, 0.042)
_ANY_TRAY_PACE = (0.105, 0.055)
_INSERT_PACE = (0.075, 0.032)
_SORT_PACE = (0.165, 0.13)
_SORT_HURRY = 0.014
_PACE_SPREAD = 0.06
_SIDE_PREFERENCE = 0.25


class Moves(Protocol):
    """Chooses the next move from what it sees now."""

    def act(self, setpoint_xy: Vector, object_poses: Vector) -> Vector:
        """Return the move of the setpoint (2,) [m] for the next period."""
        ...


class Demonstrator:
    """Shows a task in moves of the setpoint, one per period, from geometry alone.

    Pace, preferred sides and tremor belong to an episode: `reset` draws them anew. Everything else
    is decided afresh at every call, but for the block that sorting has in hand.
    """

    def __init__(
        self,
        task: str,
        rng: np.random.Generator,
        noise: float = 0.0,
        multimodal: bool = False,
    ) -> None:
        """Get ready for a first episode.

        Args:
            task: Name of the task.
            rng: Where pace, sides and tremor come from.
            noise: Standard deviation of a move's error, as a share of its length, 0 to 1.
            multimodal: Whether some episodes go around things on the side that is not nearest.
        """
        if not 0.0 <= noise <= 1.0:
            raise IbcError(f'noise of the demonstrator is {noise}, allowed are 0 to 1')
        self._task = get_task(task)
        self._noise = noise
        self._multimodal = multimodal
        self.reset(rng)

    def reset(self, rng: np.random.Generator) -> None:
        """Begin a new episode with a hand drawn from `rng`."""
        match self._task:
            case PushTask() as push:
                pace = _ANY_TRAY_PACE if push.any_tray else _PUSH_PACE
                self._moves: Moves = PushMoves(push, self._hand(pace, rng), rng)
            case InsertTask() as insert:
                self._moves = InsertMoves(insert, self._hand(_INSERT_PACE, rng))
            case SortTask() as sort:
                self._moves = SortMoves(sort, self._hand(_SORT_PACE, rng, _SORT_HURRY))
            case _:
                raise IbcError(f'nobody has shown how to do {self._task.name}')

    def act(self, setpoint_xy: npt.ArrayLike, object_poses: npt.ArrayLike) -> Vector:
        """Return the move of the setpoint (2,) [m] for the next period.

        Args:
            setpoint_xy: Where the setpoint is now, (2,) [m] in `link_base`.
            object_poses: Poses (n, 7) of the task's objects, xyz [m] and quaternion xyzw.
        """
        return self._moves.act(np.asarray(setpoint_xy, float), np.asarray(object_poses, float))

    def _hand(
        self, pace: tuple[float, float], rng: np.random.Generator, hurry: float = 0.0
    ) -> Hand:
        tempo = float(np.clip(rng.normal(1.0, _PACE_SPREAD), 0.8, 1.2))
        side = float(rng.choice((-1.0, 1.0)))
        style = Style(
            free_speed=pace[0] * tempo,
            push_speed=pace[1] * tempo,
            bias=side * _SIDE_PREFERENCE if self._multimodal else 0.0,
            hurry=hurry,
            noise=self._noise,
        )
        return Hand(style, PERIOD, rng)


def make_demonstrator(
    task: str, rng: np.random.Generator, noise: float = 0.0, multimodal: bool = False
) -> Demonstrator:
    """Return a demonstrator of the task `task`; arguments as for `Demonstrator`."""
    return Demonstrator(task, rng, noise, multimodal)
