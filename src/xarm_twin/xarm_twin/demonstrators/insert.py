"""Demonstrator of the insertion: line up, straighten, nudge sideways, push in."""

import numpy as np
import numpy.typing as npt

from xarm_twin.demonstrators.contact import clip_offset, faces_for
from xarm_twin.demonstrators.hand import Contact, Hand, obstacles
from xarm_twin.tasks.insert import ENTRY_X, SEATED_X, InsertTask, in_slot
from xarm_twin.tasks.layout import planar
from xarm_twin.tasks.objects import BLOCK_SIZE

Vector = npt.NDArray[np.float64]

# In the frame of the slot [m], [rad].
_LINE_UP = -0.14
"""Blocks are brought here before they are pushed along the slot's axis."""
_STAGE = ENTRY_X - 0.016
"""From here on the block must be straight and in the middle."""
_IN = ENTRY_X + 0.006
_RUNWAY_HALF_WIDTH = 0.015
# Coarser than the slot's half millimetre. What decides between pushing in and nudging must show in
# a camera image of 4 mm per pixel, or nobody can learn it from one; a block that is a millimetre
# off swings in around the wall that it touches.
_MIDDLE = 0.0015
_ALIGNED = np.deg2rad(4.0)
_WEDGED = np.deg2rad(12.0)
"""A block this crooked in the mouth goes no further, but turns."""
_TURN_GAIN = 0.06
"""Contact offset per yaw error [m/rad]."""
_Y_GAIN, _YAW_GAIN = 62.0, 5.6
"""Slope of the force per lateral [1/m] and yaw error [1/rad]: both errors fall by e in 25 mm."""
_MAX_SLOPE = 0.2


class InsertMoves:
    """Decides from the block's pose in the slot's frame alone."""

    def __init__(self, task: InsertTask, hand: Hand) -> None:
        self._task = task
        self._hand = hand

    def act(self, setpoint_xy: Vector, object_poses: Vector) -> Vector:
        """Return the move of the setpoint (2,) [m] for the next period."""
        block, slot = planar(object_poses[0]), planar(object_poses[1])
        x, y, yaw = in_slot(object_poses[0], object_poses[1])
        around = obstacles(self._task.objects, object_poses)
        axis = slot.rotation[:, 0]
        front = y + BLOCK_SIZE / 2 * np.sin(yaw)
        if _STAGE < x < _IN and abs(front) > _MIDDLE:
            move = slot.rotation @ (0.0, -front)
            delta = self._hand.push(setpoint_xy, block, move, around)
        elif x > _STAGE or abs(y) < _RUNWAY_HALF_WIDTH:
            # Near 45 degrees the face that the tool is at decides which way the block is turned.
            face = faces_for(block, axis, setpoint_xy)[0]
            contact, distance = _along(x, y, -face.angle_to(axis))
            delta = self._hand.drive(setpoint_xy, block, axis, contact, distance, around)
        else:
            move = slot.rotation @ (_LINE_UP - x, -y)
            delta = self._hand.push(setpoint_xy, block, move, around)
        return self._hand.unsteady(delta)


def _along(x: float, y: float, yaw: float) -> tuple[Contact, float]:
    """Contact and distance [m] of the next push along the slot's axis."""
    slope = float(np.clip(_Y_GAIN * y + _YAW_GAIN * yaw, -_MAX_SLOPE, _MAX_SLOPE))
    if x > _STAGE and abs(yaw) > _WEDGED:
        return Contact(clip_offset(_TURN_GAIN * yaw), 0.006, 0.0), 0.01
    if x > _IN:
        return Contact(0.0, 0.008, 0.0), SEATED_X + 0.003 - x
    if x > _STAGE:
        if abs(yaw) > _ALIGNED:
            return Contact(clip_offset(0.006 * np.sign(yaw)), 0.003, 0.0), abs(yaw) / 12.0
        return Contact(0.0, 0.0025, slope), 0.003
    crooked = yaw + float(np.clip(y / 0.03, -0.2, 0.2))
    if abs(crooked) > 0.12:
        return Contact(clip_offset(_TURN_GAIN * crooked), 0.006, 0.0), 0.01
    return Contact(0.0, 0.004, slope), _STAGE + 0.002 - x
