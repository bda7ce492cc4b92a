"""Message fields as numbers and arrays, and episode messages as CDR bytes.

The readers work on rclpy's message objects and on those of `typestore` alike: both have the same
field names. The writers need no ROS; their bytes are what rclpy would have sent.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ibc_contract.topics import CAMERA_OPTICAL_FRAME, LINK_BASE
from ibc_contract.typestore import serialize


def stamp_ns(message: Any) -> int:
    """Nanoseconds of a message's header stamp."""
    stamp = message.header.stamp
    return stamp.sec * 1_000_000_000 + stamp.nanosec


def pose_xy(message: Any) -> np.ndarray:
    """Position of a PoseStamped in the plane, shape (2,) [m]."""
    position = message.pose.position
    return np.array([position.x, position.y])


def vector_xy(message: Any) -> np.ndarray:
    """Plane part of a Vector3Stamped, shape (2,) [m]."""
    return np.array([message.vector.x, message.vector.y])


def poses_array(message: Any) -> np.ndarray:
    """Poses of a PoseArray, shape (n, 7): x, y, z [m] and quaternion x, y, z, w."""
    return np.array([_pose_row(pose) for pose in message.poses], dtype=float).reshape(-1, 7)


def jpeg_bytes(message: Any) -> bytes:
    """Encoded bytes of a CompressedImage."""
    return bytes(message.data)


def header(stamp: int, frame_id: str) -> dict[str, Any]:
    """Fields of a std_msgs Header; `stamp` [ns]."""
    return {'stamp': {'sec': stamp // 10**9, 'nanosec': stamp % 10**9}, 'frame_id': frame_id}


def pose_stamped_cdr(
    stamp: int, position: npt.ArrayLike, quaternion: npt.ArrayLike, frame_id: str = LINK_BASE
) -> bytes:
    """PoseStamped from `stamp` [ns], `position` (3,) [m] and `quaternion` (4,) xyzw."""
    return serialize(
        'geometry_msgs/msg/PoseStamped',
        header=header(stamp, frame_id),
        pose=_pose(position, quaternion),
    )


def vector3_stamped_cdr(stamp: int, xy: npt.ArrayLike, frame_id: str = LINK_BASE) -> bytes:
    """Vector3Stamped from `stamp` [ns] and `xy` (2,) [m]; z = 0."""
    x, y = np.asarray(xy, dtype=float).tolist()
    return serialize(
        'geometry_msgs/msg/Vector3Stamped',
        header=header(stamp, frame_id),
        vector={'x': x, 'y': y, 'z': 0.0},
    )


def joint_state_cdr(
    stamp: int, names: Sequence[str], positions: npt.ArrayLike, velocities: npt.ArrayLike = ()
) -> bytes:
    """JointState from `stamp` [ns], `positions` (n,) [rad] and `velocities` (n,) [rad/s]."""
    return serialize(
        'sensor_msgs/msg/JointState',
        header=header(stamp, LINK_BASE),
        name=names,
        position=positions,
        velocity=velocities,
    )


def compressed_image_cdr(stamp: int, jpeg: bytes, frame_id: str = CAMERA_OPTICAL_FRAME) -> bytes:
    """CompressedImage from `stamp` [ns] and encoded JPEG bytes."""
    return serialize(
        'sensor_msgs/msg/CompressedImage',
        header=header(stamp, frame_id),
        format='jpeg',
        data=jpeg,
    )


def camera_info_cdr(
    stamp: int,
    width: int,
    height: int,
    k: npt.ArrayLike,
    frame_id: str = CAMERA_OPTICAL_FRAME,
) -> bytes:
    """CameraInfo of an undistorted camera; `k` is its matrix, row by row, shape (9,) [px]."""
    matrix = np.asarray(k, dtype=float).reshape(3, 3)
    return serialize(
        'sensor_msgs/msg/CameraInfo',
        header=header(stamp, frame_id),
        width=width,
        height=height,
        distortion_model='plumb_bob',
        d=np.zeros(5),
        k=matrix.ravel(),
        r=np.eye(3).ravel(),
        p=np.hstack([matrix, np.zeros((3, 1))]).ravel(),
    )


def pose_array_cdr(stamp: int, poses: npt.ArrayLike, frame_id: str = LINK_BASE) -> bytes:
    """PoseArray from `stamp` [ns] and `poses` (n, 7): x, y, z [m] and quaternion xyzw."""
    rows = np.asarray(poses, dtype=float).reshape(-1, 7)
    return serialize(
        'geometry_msgs/msg/PoseArray',
        header=header(stamp, frame_id),
        poses=[_pose(row[:3], row[3:]) for row in rows],
    )


def float64_cdr(value: float) -> bytes:
    """Float64 (it has no stamp)."""
    return serialize('std_msgs/msg/Float64', data=float(value))


def _pose(position: npt.ArrayLike, quaternion: npt.ArrayLike) -> dict[str, Any]:
    x, y, z = np.asarray(position, dtype=float).tolist()
    qx, qy, qz, qw = np.asarray(quaternion, dtype=float).tolist()
    return {
        'position': {'x': x, 'y': y, 'z': z},
        'orientation': {'x': qx, 'y': qy, 'z': qz, 'w': qw},
    }


def _pose_row(pose: Any) -> tuple[float, ...]:
    p, q = pose.position, pose.orientation
    return p.x, p.y, p.z, q.x, q.y, q.z, q.w
