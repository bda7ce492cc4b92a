"""Lens distortion of librealsense in the terms of a ROS CameraInfo."""

from collections.abc import Sequence

import numpy as np

from ibc_contract.errors import IbcError

GRID = 15
"""Points per side at which a model is matched; five coefficients need far fewer."""


def ros_distortion(
    model: str, coefficients: Sequence[float], half_view: tuple[float, float]
) -> tuple[str, tuple[float, ...]]:
    """Return `distortion_model` and `d` of sensor_msgs/CameraInfo.

    `plumb_bob` is what librealsense calls brown_conrady. Its two variants, of which the colour
    cameras of the D400 series use the inverse one, are matched by least squares over the image.

    Args:
        model: Name of an rs2_distortion.
        coefficients: k1, k2, p1, p2, k3 (kannala_brandt4: k1 to k4, and one unused).
        half_view: Largest |x| and |y| of a ray (x, y, 1) inside the image.

    Raises:
        IbcError: ROS has no name for the model.
    """
    if not any(coefficients) or model == 'none':
        return 'plumb_bob', (0.0,) * 5
    if model == 'brown_conrady':
        return 'plumb_bob', tuple(coefficients)
    if model == 'kannala_brandt4':
        return 'equidistant', tuple(coefficients[:4])
    xs, ys = (np.linspace(-half, half, GRID) for half in half_view)
    x, y = (axis.ravel() for axis in np.meshgrid(xs, ys))
    if model == 'inverse_brown_conrady':  # the same polynomial, from the image to the ray
        return 'plumb_bob', _fit(*_brown_conrady(x, y, coefficients), x, y)
    if model == 'modified_brown_conrady':
        return 'plumb_bob', _fit(x, y, *_modified(x, y, coefficients))
    raise IbcError(f'camera_info cannot describe a lens with {model} distortion')


def _brown_conrady(
    x: np.ndarray, y: np.ndarray, coefficients: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    k1, k2, p1, p2, k3 = coefficients
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    return (
        x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
        y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
    )


def _modified(
    x: np.ndarray, y: np.ndarray, coefficients: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Its tangential part acts on what the radial part has moved already."""
    k1, k2, p1, p2, k3 = coefficients
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    x, y = x * radial, y * radial
    return x + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)


def _fit(
    x: np.ndarray, y: np.ndarray, distorted_x: np.ndarray, distorted_y: np.ndarray
) -> tuple[float, ...]:
    """Solve for the plumb_bob coefficients, in which the model is linear."""
    r2 = x * x + y * y
    columns = [
        (x * r2, y * r2),
        (x * r2**2, y * r2**2),
        (2 * x * y, r2 + 2 * y * y),
        (r2 + 2 * x * x, 2 * x * y),
        (x * r2**3, y * r2**3),
    ]
    system = np.stack([np.concatenate(column) for column in columns], axis=1)
    moved = np.concatenate([distorted_x - x, distorted_y - y])
    solution, *_ = np.linalg.lstsq(system, moved, rcond=None)
    return tuple(float(value) for value in solution)
