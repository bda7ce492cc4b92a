"""The pose of a camera that makes known points appear where they are seen."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ibc_contract.errors import IbcError
from realsense_capture.source import Intrinsics

MIN_POINTS = 6
MIN_SPREAD = 0.05
"""Points closer together than this along either way through them say too little [m]."""


@dataclass(frozen=True)
class PoseEstimate:
    """A pose, and how well it explains the points."""

    T_base_camera: np.ndarray
    """Maps optical-frame coordinates into `link_base`, (4, 4)."""
    residuals_px: np.ndarray
    """Distance (n,) of each point's projection from where it is seen [px]."""
    position_std: float
    """Standard error of the position that follows from the residuals [m]."""

    @property
    def rms_px(self) -> float:
        """Root mean square of the residuals [px]."""
        return float(np.sqrt(np.mean(self.residuals_px**2)))


def solve_camera_pose(
    points: npt.ArrayLike, pixels: npt.ArrayLike, intrinsics: Intrinsics
) -> PoseEstimate:
    """Return the pose with the least squared distance in the image.

    Args:
        points: (n, 3) in `link_base` [m]; they may lie in a plane.
        pixels: (n, 2), where each of them is seen [px].
        intrinsics: Of the image.

    Raises:
        IbcError: Too few points, points too close together, or no pose sees them from above.
    """
    known = np.asarray(points, dtype=float).reshape(-1, 3)
    seen = np.asarray(pixels, dtype=float).reshape(-1, 2)
    if len(known) != len(seen) or len(known) < MIN_POINTS:
        raise IbcError(f'{len(known)} points seen: a camera pose needs {MIN_POINTS} or more')
    spread = np.linalg.svd(known - known.mean(axis=0), compute_uv=False)[1] / np.sqrt(len(known))
    if spread < MIN_SPREAD / 2:
        raise IbcError('the points lie close to one line or spot: spread them over the table')
    rays = _undistort(seen, intrinsics)
    found, rotation, translation = cv2.solvePnP(
        known, rays, np.eye(3), np.zeros(5), flags=cv2.SOLVEPNP_SQPNP
    )
    if not found:
        raise IbcError('no camera pose explains these points: is each seen where it says?')
    rotation, translation = cv2.solvePnPRefineLM(
        known, rays, np.eye(3), np.zeros(5), rotation, translation
    )
    back, jacobian = cv2.projectPoints(known, rotation, translation, np.eye(3), np.zeros(5))
    off = back.reshape(-1, 2) - rays
    pose = _invert(rotation, translation)
    if pose[2, 3] < known[:, 2].max() or pose[2, 2] >= 0:
        raise IbcError('the points seem to be seen from below: is each seen where it says?')
    return PoseEstimate(
        pose,
        np.linalg.norm(off * (intrinsics.fx, intrinsics.fy), axis=1),
        _position_std(rotation, translation, jacobian[:, :6], off),
    )


def _invert(rotation: np.ndarray, translation: np.ndarray) -> np.ndarray:
    """Return T_base_camera of OpenCV's T_camera_base."""
    pose = np.eye(4)
    pose[:3, :3] = cv2.Rodrigues(rotation)[0].T
    pose[:3, 3] = -pose[:3, :3] @ translation.ravel()
    return pose


def _position_std(
    rotation: np.ndarray, translation: np.ndarray, jacobian: np.ndarray, off: np.ndarray
) -> float:
    """Propagate the residuals to the camera's position, to first order."""
    variance = (off**2).sum() / (off.size - 6)
    covariance = variance * np.linalg.inv(jacobian.T @ jacobian)
    step, here = 1e-6, _invert(rotation, translation)[:3, 3]
    moved = [
        _invert(rotation + step * axis[:3], translation + step * axis[3:])[:3, 3]
        for axis in np.eye(6).reshape(6, 6, 1)
    ]
    slopes = (np.array(moved) - here).T / step
    return float(np.sqrt(np.trace(slopes @ covariance @ slopes.T)))


def _undistort(pixels: np.ndarray, model: Intrinsics) -> np.ndarray:
    """Return rays (x, y) with z = 1, (n, 2)."""
    k = np.array([[model.fx, 0, model.cx], [0, model.fy, model.cy], [0, 0, 1]], dtype=float)
    coefficients = np.array(model.distortion, dtype=float)
    points = pixels.reshape(-1, 1, 2)
    if model.distortion_model == 'equidistant':
        return cv2.fisheye.undistortPoints(points, k, coefficients).reshape(-1, 2)
    return cv2.undistortPoints(points, k, coefficients).reshape(-1, 2)
