"""A camera over the board: points to pixels, and pixels back to a plane."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydantic
from pydantic import FiniteFloat

from planar_arm.errors import BadFile, BadGeometry
from planar_arm.lens import IDEAL, Lens
from planar_arm.strict_yaml import load_yaml

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CameraModel:
    """Intrinsics and where the camera is.

    The optical frame has z forward, x right, y down (REP-103). Pixel (0, 0) is the centre of the
    upper left pixel.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    T_base_camera: Matrix
    """Maps optical-frame coordinates into `link_base`, (4, 4)."""
    lens: Lens = IDEAL

    def __post_init__(self) -> None:
        pose = np.array(self.T_base_camera, dtype=float)
        if pose.shape != (4, 4) or not np.isfinite(pose).all():
            raise BadGeometry(f'T_base_camera must be a finite 4x4 matrix, got {pose}')
        rotation = pose[:3, :3]
        if np.abs(rotation.T @ rotation - np.eye(3)).max() > 1e-6 or np.linalg.det(rotation) < 0:
            raise BadGeometry('T_base_camera does not hold a rotation')
        if self.width < 1 or self.height < 1 or not (self.fx > 0 and self.fy > 0):
            raise BadGeometry(f'camera {self.width}x{self.height}, fx {self.fx}, fy {self.fy}')
        pose.setflags(write=False)
        object.__setattr__(self, 'T_base_camera', pose)

    @classmethod
    def from_info(
        cls,
        width: int,
        height: int,
        K: npt.ArrayLike,
        T_base_camera: npt.ArrayLike,
        lens: Lens = IDEAL,
    ) -> 'CameraModel':
        """Build from the fields of a CameraInfo: `K` is row-major, 9 numbers [px]."""
        k = np.asarray(K, dtype=float).reshape(3, 3)
        pose = np.asarray(T_base_camera, dtype=float)
        fx, fy, cx, cy = (float(k[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
        return cls(width, height, fx, fy, cx, cy, pose, lens)

    @property
    def K(self) -> tuple[float, ...]:  # noqa: N802 (the name in CameraInfo)
        """Intrinsic matrix, row-major, 9 numbers [px]."""
        return (self.fx, 0.0, self.cx, 0.0, self.fy, self.cy, 0.0, 0.0, 1.0)

    @property
    def position(self) -> Matrix:
        """Camera centre in `link_base`, shape (3,) [m]."""
        return self.T_base_camera[:3, 3]

    def scaled(self, width: int, height: int) -> 'CameraModel':
        """Return the same view at another resolution [px]."""
        sx, sy = width / self.width, height / self.height
        return CameraModel(
            width,
            height,
            self.fx * sx,
            self.fy * sy,
            (self.cx + 0.5) * sx - 0.5,
            (self.cy + 0.5) * sy - 0.5,
            self.T_base_camera,
            self.lens,
        )

    def project(self, points: npt.ArrayLike) -> Matrix:
        """Return pixels (N, 2) of `points` (N, 3) [m] in `link_base`; NaN behind the camera."""
        p_base = np.atleast_2d(np.asarray(points, dtype=float))
        p_camera = (p_base - self.position) @ self.T_base_camera[:3, :3]
        depth = np.where(p_camera[:, 2] > 1e-9, p_camera[:, 2], np.nan)
        seen = self.lens.distort(p_camera[:, :2] / depth[:, None])
        return seen * (self.fx, self.fy) + (self.cx, self.cy)

    def ray_to_plane(self, px: npt.ArrayLike, z: float) -> Matrix:
        """Return where the ray of pixel `px` (2,) meets the plane at height `z` [m], (3,) [m].

        Raises:
            BadGeometry: The ray never meets the plane in front of the camera.
        """
        u, v = np.asarray(px, dtype=float)
        seen = np.array([[(u - self.cx) / self.fx, (v - self.cy) / self.fy]])
        ((x, y),) = self.lens.undistort(seen)
        ray = self.T_base_camera[:3, :3] @ (x, y, 1.0)
        distance = (z - self.position[2]) / ray[2] if ray[2] != 0.0 else -1.0
        if not distance > 0.0:
            raise BadGeometry(f'pixel ({u:.1f}, {v:.1f}) does not see the plane z = {z} m')
        point = self.position + distance * ray
        point[2] = z
        return point


def look_at(
    position: npt.ArrayLike, target: npt.ArrayLike, up: npt.ArrayLike | None = None
) -> Matrix:
    """Return T_base_camera (4, 4) of a camera at `position` (3,) that looks at `target` (3,) [m].

    The image's upper edge is along `up` (3,), by default +z; a camera that looks straight down then
    has +x of `link_base` pointing to the image's lower edge, as it would seem from in front of the
    robot.

    Raises:
        BadGeometry: It stands where it looks, or looks along `up`.
    """
    eye, aim = np.asarray(position, dtype=float), np.asarray(target, dtype=float)
    upward = np.asarray((0.0, 0.0, 1.0) if up is None else up, dtype=float)
    forward = aim - eye
    distance = np.linalg.norm(forward)
    if not eye.shape == aim.shape == upward.shape == (3,) or not distance > 1e-9:
        raise BadGeometry(f'camera at {position} cannot look at {target}')
    forward /= distance
    right = np.cross(forward, upward)
    if up is None and np.linalg.norm(right) < 1e-6:
        right = np.cross(forward, (-1.0, 0.0, 0.0))
    if not np.linalg.norm(right) > 1e-9:
        raise BadGeometry(f'camera at {position} looks at {target}, along its up {up}')
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, np.cross(forward, right), forward
    pose[:3, 3] = eye
    return pose


Place = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


@pydantic.dataclasses.dataclass(frozen=True)
class _StoredPose:
    """What of a calibration says where the camera is; the rest of the file is for people."""

    position: Place
    look_at: Place
    up: Place | None = None


def load_camera_pose(path: str | Path) -> Matrix:
    """Read a pose from a YAML file: `position`, `look_at` and, if it has one, `up`.

    Three numbers each, in `link_base`: where the camera is [m], a point in the middle of its image
    [m], and the direction of the image's upper edge, by default +z.

    Raises:
        BadGeometry: The file is missing, unreadable, or lacks one of the first two.
    """
    try:
        stored = load_yaml(path, _StoredPose)
    except BadFile as error:
        raise BadGeometry(
            f'camera pose {path}: {error}; it needs `position: [x, y, z]` and `look_at: [x, y, z]` '
            'in metres'
        ) from None
    return look_at(stored.position, stored.look_at, stored.up)
