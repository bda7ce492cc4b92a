"""Pose of the xArm6 flange as the controller computes it: the vendor's own DH table.

Deliberately not the URDF that the driver's kinematics uses: the two check each other.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_T = 1.3849179
_DH_MM = (
    # alpha [rad], a [mm], d [mm], theta offset [rad]; modified (Craig) convention.
    (0.0, 0.0, 267.0, 0.0),
    (-math.pi / 2, 0.0, 0.0, -_T),
    (0.0, 289.48866, 0.0, _T),
    (-math.pi / 2, 77.5, 342.5, 0.0),
    (math.pi / 2, 0.0, 0.0, 0.0),
    (-math.pi / 2, 76.0, 97.0, 0.0),
)


def flange_transform_mm(q: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the 4x4 pose of the flange in the base, translation in [mm], for joints `q` [rad]."""
    transform = np.eye(4)
    for angle, (alpha, a, d, offset) in zip(q, _DH_MM, strict=True):
        ca, sa = math.cos(alpha), math.sin(alpha)
        ct, st = math.cos(angle + offset), math.sin(angle + offset)
        transform = transform @ (
            (ct, -st, 0.0, a),
            (st * ca, ct * ca, -sa, -d * sa),
            (st * sa, ct * sa, ca, d * ca),
            (0.0, 0.0, 0.0, 1.0),
        )
    return transform


def tcp_pose_mm(
    q: Sequence[float] | np.ndarray, tcp_offset_mm: Sequence[float] = (0.0,) * 6
) -> np.ndarray:
    """Return the tool pose as the protocol writes poses: x, y, z [mm], roll, pitch, yaw [rad].

    Args:
        q: Joint positions, shape (6,) [rad].
        tcp_offset_mm: Tool in the flange frame, x, y, z [mm], roll, pitch, yaw [rad].
    """
    transform = flange_transform_mm(q)
    if any(tcp_offset_mm):
        transform = transform @ _from_pose_mm(tcp_offset_mm)
    return np.concatenate([transform[:3, 3], _roll_pitch_yaw(transform[:3, :3])])


def _from_pose_mm(pose_mm: Sequence[float]) -> np.ndarray:
    roll, pitch, yaw = pose_mm[3:]
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


def _roll_pitch_yaw(rotation: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    """Angles about the fixed x, y, z axes, applied in that order [rad]."""
    pitch = math.atan2(-rotation[2, 0], math.hypot(rotation[0, 0], rotation[1, 0]))
    roll = math.atan2(rotation[2, 1], rotation[2, 2])
    yaw = math.atan2(rotation[1, 0], rotation[0, 0])
    return roll, pitch, yaw
