"""Pose of the xArm6 flange as the controller computes it: the vendor's own DH table.

Deliberately not the URDF that the driver's kinematics uses: the two check each other.
"""

import math
from collections.abc import Sequence

import numpy as np

from xarm_twin.controller.poses import Matrix, from_pose_mm, rotation_vector, to_pose_mm

Joints = Sequence[float] | np.ndarray

_T = 1.3849179
FOREARM_MM = 342.5
"""Length of the forearm along its own axis [mm]."""
_DH_MM = (
    # alpha [rad], a [mm], d [mm], theta offset [rad]; modified (Craig) convention.
    (0.0, 0.0, 267.0, 0.0),
    (-math.pi / 2, 0.0, 0.0, -_T),
    (0.0, 289.48866, 0.0, _T),
    (-math.pi / 2, 77.5, FOREARM_MM, 0.0),
    (math.pi / 2, 0.0, 0.0, 0.0),
    (-math.pi / 2, 76.0, 97.0, 0.0),
)
_FIXED = tuple((math.cos(alpha), math.sin(alpha), a, d, t) for alpha, a, d, t in _DH_MM)

LENGTH_SCALE_MM = 300.0
"""A radian of orientation weighs as much as this length when poses are compared [mm]."""
_CLOSE = 1e-7
_ITERATIONS = 40
_LONGEST_STEP = 0.3


def joint_frames_mm(q: Joints) -> list[Matrix]:
    """Return the 4x4 frames of the six joints in the base [mm] for joints `q` [rad].

    Each joint turns about the z axis of its frame; the last frame is the flange.
    """
    frames = []
    transform = np.eye(4)
    for angle, (ca, sa, a, d, offset) in zip(q, _FIXED, strict=True):
        ct, st = math.cos(angle + offset), math.sin(angle + offset)
        step = np.array(
            (
                (ct, -st, 0.0, a),
                (st * ca, ct * ca, -sa, -d * sa),
                (st * sa, ct * sa, ca, d * ca),
                (0.0, 0.0, 0.0, 1.0),
            )
        )
        transform = transform @ step
        frames.append(transform)
    return frames


def flange_transform_mm(q: Joints) -> Matrix:
    """Return the 4x4 pose of the flange in the base, translation in [mm], for joints `q` [rad]."""
    return joint_frames_mm(q)[-1]


def tcp_pose_mm(q: Joints, tcp_offset_mm: Sequence[float] = (0.0,) * 6) -> Matrix:
    """Return the tool pose as the protocol writes poses: x, y, z [mm], roll, pitch, yaw [rad].

    Args:
        q: Joint positions, shape (6,) [rad].
        tcp_offset_mm: Tool in the flange frame, x, y, z [mm], roll, pitch, yaw [rad].
    """
    return to_pose_mm(flange_transform_mm(q) @ from_pose_mm(tcp_offset_mm))


def inverse_mm(goal: Matrix, near: Joints, tool: Matrix) -> Matrix | None:
    """Return the joints (6,) [rad] that put the tool at `goal`, of those the ones next to `near`.

    Args:
        goal: Pose of the tool in the base, 4x4 [mm].
        near: Joints to start from, shape (6,) [rad].
        tool: Tool in the flange frame, 4x4 [mm].

    Returns:
        None where damped Newton steps do not get there: out of reach, or behind a singularity.
    """
    q = np.array(near, float)
    for _ in range(_ITERATIONS):
        frames = joint_frames_mm(q)
        tip = frames[-1] @ tool
        error = np.concatenate(
            [
                (goal[:3, 3] - tip[:3, 3]) / LENGTH_SCALE_MM,
                rotation_vector(goal[:3, :3] @ tip[:3, :3].T),
            ]
        )
        size = float(error @ error)
        if size < _CLOSE**2:
            return q
        jacobian = _jacobian(frames, tip)
        # Damping grows with the distance: steady far away, quadratic close by.
        square = jacobian @ jacobian.T + (1e-3 * size + 1e-12) * np.eye(6)
        step = jacobian.T @ np.linalg.solve(square, error)
        q = q + step * min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-12))
    return None


def _jacobian(frames: list[Matrix], tip: Matrix) -> Matrix:
    axes = np.array([frame[:3, 2] for frame in frames])
    arms = tip[:3, 3] - np.array([frame[:3, 3] for frame in frames])
    return np.concatenate([np.cross(axes, arms).T / LENGTH_SCALE_MM, axes.T])
