"""Rigid transforms in the controller's units: millimetres and radians, angles about fixed axes."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


def from_pose_mm(pose_mm: Sequence[float] | np.ndarray) -> Matrix:
    """Return the 4x4 transform of x, y, z [mm], roll, pitch, yaw [rad]."""
    roll, pitch, yaw = pose_mm[3:6]
    cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    transform = np.eye(4)
    transform[:3, :3] = (
        (cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr),
        (sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr),
        (-sp, cp * sr, cp * cr),
    )
    transform[:3, 3] = pose_mm[:3]
    return transform


def to_pose_mm(transform: Matrix) -> Matrix:
    """Return x, y, z [mm], roll, pitch, yaw [rad] of a 4x4 transform, shape (6,)."""
    rotation = transform[:3, :3]
    pitch = math.atan2(-rotation[2, 0], math.hypot(rotation[0, 0], rotation[1, 0]))
    roll = math.atan2(rotation[2, 1], rotation[2, 2])
    yaw = math.atan2(rotation[1, 0], rotation[0, 0])
    return np.array((*transform[:3, 3], roll, pitch, yaw))


def from_axis_angle_mm(pose_mm: Sequence[float] | np.ndarray) -> Matrix:
    """Return the 4x4 transform of x, y, z [mm] and a rotation vector [rad]."""
    transform = np.eye(4)
    transform[:3, :3] = rotation_of(np.asarray(pose_mm[3:6], float))
    transform[:3, 3] = pose_mm[:3]
    return transform


def to_axis_angle_mm(transform: Matrix) -> Matrix:
    """Return x, y, z [mm] and the rotation vector [rad] of a 4x4 transform, shape (6,)."""
    return np.concatenate([transform[:3, 3], rotation_vector(transform[:3, :3])])


def rotation_of(vector: Matrix) -> Matrix:
    """Return the rotation (3, 3) about `vector` (3,) by its length [rad]."""
    angle = math.sqrt(float(vector @ vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    skew = np.array(((0.0, -z, y), (z, 0.0, -x), (-y, x, 0.0)))
    return np.eye(3) + math.sin(angle) * skew + (1.0 - math.cos(angle)) * skew @ skew


def rotation_vector(rotation: Matrix) -> Matrix:
    """Return axis times angle [rad] of a rotation (3, 3), the angle within 0 and pi."""
    twice_sine = np.array(
        (
            rotation[2, 1] - rotation[1, 2],
            rotation[0, 2] - rotation[2, 0],
            rotation[1, 0] - rotation[0, 1],
        )
    )
    sine, cosine = 0.5 * math.sqrt(float(twice_sine @ twice_sine)), 0.5 * (np.trace(rotation) - 1.0)
    angle = math.atan2(sine, cosine)
    if sine > 1e-6:
        return twice_sine * (angle / (2.0 * sine))
    if cosine > 0.0:
        return twice_sine * 0.5
    # Half a turn: the axis is in the symmetric part, its sign is free.
    symmetric = 0.5 * (rotation + np.eye(3))
    axis = symmetric[:, int(np.argmax(np.diag(symmetric)))]
    return axis * (angle / math.sqrt(float(axis @ axis)))


def between(start: Matrix, goal: Matrix, share: float) -> Matrix:
    """Return the transform `share` of the way from `start` to `goal`: straight, one turn."""
    transform = np.eye(4)
    transform[:3, 3] = start[:3, 3] + share * (goal[:3, 3] - start[:3, 3])
    turn = rotation_vector(goal[:3, :3] @ start[:3, :3].T)
    transform[:3, :3] = rotation_of(share * turn) @ start[:3, :3]
    return transform
