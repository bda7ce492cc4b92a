"""How a scripted demonstrator gives a demonstration: home, new layout, record, act, mark, save.

Knows no ROS: the node, or a test, gives it a stage to play on.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ibc_contract.errors import IbcError
from ibc_contract.pacing import ticks
from planar_arm.xarm6 import HOME_XY
from xarm_twin.demonstrators import PERIOD, make_demonstrator
from xarm_twin.tasks import Task

Vector = npt.NDArray[np.float64]

HOME_TOLERANCE = 0.005
"""The setpoint counts as home within this distance [m]."""
HOME_TIMEOUT = 10.0
SETTLE = 0.3
"""Time between a reset and the first look at the new layout [s]."""
AFTER_SUCCESS = 0.4
"""Recorded after the task is done, so that the last action has an end [s]."""
LOOK_TIMEOUT = 2.0
"""Older ground truth or setpoints mean that somebody stopped publishing [s]."""
_POLL = 0.02


class StageError(IbcError):
    """The twin, the driver or the recorder does not do its part."""


@dataclass(frozen=True, eq=False)
class Look:
    """What is known of the scene now."""

    setpoint_xy: Vector
    """Commanded tool position (2,) [m]."""
    objects: Vector
    """Poses (n, 7) in `link_base`."""
    score: float
    age: float
    """Age of the oldest of them [s]."""


class Stage(Protocol):
    """What a demonstration needs around it. Every method may raise StageError."""

    def home(self) -> None:
        """Bring the tool to its home position; returns when it is there."""
        ...

    def reset(self) -> None:
        """Lay the task out anew."""
        ...

    def start_recording(self) -> None:
        """Open an episode."""
        ...

    def finish_recording(self, success: bool) -> None:
        """Mark the open episode and save it."""
        ...

    def discard_recording(self) -> str:
        """Throw the open episode away, or the one just ended; say where it lies now."""
        ...

    def look(self) -> Look:
        """Return what is known of the scene now."""
        ...

    def move(self, delta: Vector) -> None:
        """Command a move of the setpoint (2,) [m]."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How an episode went."""

    success: bool
    score: float
    duration: float
    """Time between the first and the last action [s]."""


class GoalTracker:
    """Where the setpoint will be once every command that was sent has been executed.

    When the next move is due, the driver is still on its way to the end of the last one. A move
    chosen from the setpoint of that moment would repeat the rest of the last one.
    """

    def __init__(self, setpoint: Vector) -> None:
        """Begin at rest at `setpoint` (2,) [m]."""
        self._goal = setpoint
        self._delta = np.zeros(2)

    def goal(self, setpoint: Vector) -> Vector:
        """Return the end of the last command (2,) [m], given the setpoint (2,) seen now.

        The setpoint is on the last command's line, no more than half of it before the end; anything
        else means that the driver shortened or dropped a command.
        """
        length_squared = float(self._delta @ self._delta)
        if length_squared == 0.0:
            self._goal = setpoint
        else:
            left = float((self._goal - setpoint) @ self._delta) / length_squared
            self._goal = setpoint + np.clip(left, 0.0, 0.5) * self._delta
        return self._goal

    def sent(self, delta: Vector) -> None:
        """Note a command of `delta` (2,) [m]."""
        self._goal = self._goal + delta
        self._delta = delta


class Showing:
    """Shows one task again and again on a stage."""

    def __init__(
        self,
        stage: Stage,
        task: Task,
        noise: float = 0.0,
        multimodal: bool = False,
        stop: threading.Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`noise` and `multimodal` are the hand's; `stop` ends an episode between two actions."""
        self._stage = stage
        self._task = task
        self._noise = noise
        self._multimodal = multimodal
        self._stop = stop or threading.Event()
        self._clock = clock

    def run_episode(self, rng: np.random.Generator) -> Outcome:
        """Show the task once, with a hand drawn from `rng`.

        Raises:
            StageError: Something around the demonstrator failed; the open episode is discarded.
        """
        self._prepare()
        self._stage.start_recording()
        try:
            outcome = self._act(rng)
        except StageError as error:
            raise self._discard(error) from None
        if not self._stop.is_set():
            self._stage.finish_recording(outcome.success)
        return outcome

    def _prepare(self) -> None:
        self._stage.home()
        deadline = self._clock() + HOME_TIMEOUT
        while math.dist(self._look().setpoint_xy, HOME_XY) > HOME_TOLERANCE:
            if self._clock() > deadline:
                x, y = self._look().setpoint_xy
                raise StageError(f'the setpoint stays at ({x:.3f}, {y:.3f}) m instead of home')
            self._stop.wait(_POLL)
        self._stage.reset()
        self._stop.wait(SETTLE)

    def _act(self, rng: np.random.Generator) -> Outcome:
        demonstrator = make_demonstrator(self._task.name, rng, self._noise, self._multimodal)
        tracker = GoalTracker(self._look().setpoint_xy)
        started = self._clock()
        done_at: float | None = None
        look = self._look()
        for _ in ticks(PERIOD, self._stop):
            now, look = self._clock(), self._look()
            if done_at is None and look.score >= 1.0:
                done_at = now
            if done_at is not None:
                if now - done_at >= AFTER_SUCCESS:
                    return Outcome(True, look.score, done_at - started)
                continue
            if now - started > self._task.horizon_s:
                break
            delta = demonstrator.act(tracker.goal(look.setpoint_xy), look.objects)
            self._stage.move(delta)
            tracker.sent(delta)
        return Outcome(False, look.score, self._clock() - started)

    def _look(self) -> Look:
        look = self._stage.look()
        if look.age > LOOK_TIMEOUT:
            raise StageError(
                f'no news of setpoint, objects or score for {look.age:.1f} s: '
                'is the driver in servo and the twin running?'
            )
        if len(look.objects) != len(self._task.objects):
            raise StageError(
                f'the twin shows {len(look.objects)} objects, {self._task.name} has '
                f'{len(self._task.objects)}: start both with the same task'
            )
        return look

    def _discard(self, error: StageError) -> StageError:
        """Discard what `error` has spoiled; return the error with where that lies now."""
        try:
            answer = self._stage.discard_recording()
        except StageError:
            return error  # what made the episode fail is the better message
        return StageError(f'{error}, then {answer}' if answer else str(error))
