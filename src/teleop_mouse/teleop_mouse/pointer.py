"""From the mouse pointer to moves of the setpoint."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.camera_model import CameraModel
from planar_arm.errors import PlanarArmError
from planar_arm.workspace import Workspace

Point = npt.NDArray[np.float64]

LEASH_S = 0.5
"""The target may run ahead of the setpoint by what the tool covers in this time [s]."""
SETTLE_S = 0.4
"""After this long without a move [s], target and setpoint must be the same point."""


@dataclass(frozen=True)
class Pointer:
    """The mouse as the window saw it last."""

    x: int = 0
    y: int = 0
    """Pixel of the window's image, x right and y down; may lie outside while dragging."""
    pressed: bool = False
    """The left button is down, after a press inside the image."""
    press_id: int = 0
    """Counts presses, so that two presses are not taken for one long one."""


def board_point(view: CameraModel, pixel: tuple[float, float], height: float) -> Point | None:
    """Return where `pixel` meets the plane z = `height` [m] in `link_base`, (2,) [m], or None.

    Args:
        view: The camera at the resolution that `pixel` counts in.
        pixel: x right, y down.
        height: Of the tool's lower end, because that is what the person watches.
    """
    try:
        return view.ray_to_plane(pixel, height)[:2]
    except PlanarArmError:  # at or above the horizon
        return None


class Lead:
    """A clutch: while the button is held, the tool is led to the pointer at a bounded speed.

    The pointer is an absolute goal, not a joystick and not a relative drag. A pushing task is aimed
    at things seen in the image ("behind that block"), so the tool should go to where the person
    points; and a mouse pointer has no drift to clutch away. What makes it safe is that pressing
    never makes the tool jump: the target starts at the setpoint and moves toward the pointer no
    faster than `max_speed`, in a straight line, so a press far from the tool gives a calm
    approach and a slip of the hand gives a short one. Letting go sends nothing further.

    The commands are moves, so a lost or clipped one would leave the target beside the setpoint for
    good. Two rules close that loop. The target never runs further ahead of the setpoint than a
    leash. And once it has rested long enough for the arm to arrive, it is read from the setpoint
    again, which turns any difference into one more move toward the pointer.
    """

    def __init__(self, workspace: Workspace, max_speed: float) -> None:
        """Lead inside `workspace` at up to `max_speed` [m/s]."""
        self._workspace = workspace
        self._max_speed = max_speed
        self._target: Point | None = None
        self._engaged_press = 0
        self._resting_s = 0.0

    @property
    def target(self) -> Point | None:
        """Where the moves sent so far should end, (2,) [m]; None while the clutch is open."""
        return self._target

    def step(
        self, pointer: Pointer, aim: Point | None, setpoint: Point | None, dt: float
    ) -> Point | None:
        """Return the move to send for this tick, (2,) [m], or None if there is nothing to say.

        Opening the clutch yields one move of zero. When it opened because `setpoint` was missing,
        it takes a new press to close it again.

        Args:
            pointer: The mouse now.
            aim: Its point of the board, (2,) [m]; None where it shows no board.
            setpoint: The driver's current setpoint, (2,) [m]; None when it is not known or stale.
            dt: Time since the previous tick [s].
        """
        if not pointer.pressed or setpoint is None:
            return self._release(pointer)
        if self._target is None:
            if pointer.press_id == self._engaged_press:
                return None
            self._engaged_press = pointer.press_id
            self._target = setpoint.copy()
            self._resting_s = 0.0
        if self._resting_s >= SETTLE_S:
            self._target = setpoint.copy()
        move = self._move(self._target, aim, setpoint, dt)
        self._resting_s = 0.0 if move.any() else self._resting_s + dt
        self._target = self._target + move
        return move

    def _release(self, pointer: Pointer) -> Point | None:
        if pointer.pressed:
            self._engaged_press = pointer.press_id
        if self._target is None:
            return None
        self._target = None
        return np.zeros(2)

    def _move(self, target: Point, aim: Point | None, setpoint: Point, dt: float) -> Point:
        if aim is None:
            return np.zeros(2)
        move = self._workspace.project(aim) - target
        distance = float(np.linalg.norm(move))
        if distance > self._max_speed * dt:
            move *= self._max_speed * dt / distance
        ahead_now = float(np.linalg.norm(target - setpoint))
        ahead_then = float(np.linalg.norm(target + move - setpoint))
        if ahead_then > max(self._max_speed * LEASH_S, ahead_now):
            return np.zeros(2)
        return move
