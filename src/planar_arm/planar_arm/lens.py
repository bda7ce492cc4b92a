"""Lens distortion as a CameraInfo tells it: from rays to where they are seen, and back."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.errors import BadGeometry

Matrix = npt.NDArray[np.float64]

_STEPS = 50
_CLOSE = 1e-10
"""Distance of a ray (x, y, 1) from the wanted one at which the search ends."""
_LOST = 1e-6
"""One that stays further away has no ray: far outside the image, where the polynomial folds."""
_SLOPE_STEP = 1e-7


@dataclass(frozen=True)
class Lens:
    """Distortion models of sensor_msgs/CameraInfo, after OpenCV's definition."""

    model: str = 'plumb_bob'
    """`plumb_bob`: k1, k2, p1, p2, k3; `equidistant`: k1 to k4 of a fisheye."""
    coefficients: tuple[float, ...] = ()
    """Missing ones count as 0."""

    def __post_init__(self) -> None:
        longest = {'plumb_bob': 5, 'equidistant': 4, '': 0}.get(self.model)
        if longest is None or len(self.coefficients) > longest:
            raise BadGeometry(
                f'lens {self.model!r} with {len(self.coefficients)} coefficients: plumb_bob with 5 '
                'or equidistant with 4 are known'
            )
        if not np.isfinite(self.coefficients).all():
            raise BadGeometry(f'lens coefficients {self.coefficients} are not finite')

    @property
    def is_ideal(self) -> bool:
        """Whether rays are seen where a pinhole camera sees them."""
        return self.model != 'equidistant' and not any(self.coefficients)

    def distort(self, rays: Matrix) -> Matrix:
        """Return where rays (x, y, 1), given as (n, 2), are seen, in the same units, (n, 2)."""
        if self.is_ideal:
            return rays
        x, y = rays[:, 0], rays[:, 1]
        r2 = x * x + y * y
        if self.model == 'equidistant':
            r = np.sqrt(r2)
            theta = np.arctan(r)
            powers = theta[:, None] ** (2, 4, 6, 8)
            bent = theta * (1 + powers @ self._padded(4))
            return rays * np.where(r > 1e-12, bent / np.maximum(r, 1e-12), 1.0)[:, None]
        k1, k2, p1, p2, k3 = self._padded(5)
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        return np.column_stack(
            [
                x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
                y * radial + 2 * p2 * x * y + p1 * (r2 + 2 * y * y),
            ]
        )

    def undistort(self, seen: Matrix) -> Matrix:
        """Return the rays (x, y, 1) that are seen at `seen` (n, 2), as (n, 2); NaN without one.

        By Newton's method: inside an image it converges in a few steps.
        """
        with np.errstate(all='ignore'):  # what runs away outside it becomes NaN
            return self._searched(seen)

    def _searched(self, seen: Matrix) -> Matrix:
        if self.is_ideal:
            return seen
        rays = np.array(seen, dtype=float)
        for _ in range(_STEPS):
            off = self.distort(rays) - seen
            if not (np.abs(off) > _CLOSE).any():
                break
            rays = rays - self._step(rays, off)
        # The polynomials also send rays from the far side there, which no lens does.
        found = (np.abs(self.distort(rays) - seen).max(axis=1) < _LOST) & (
            np.einsum('ij,ij->i', rays, seen) > -_LOST
        )
        return np.where(found[:, None], rays, np.nan)

    def _step(self, rays: Matrix, off: Matrix) -> Matrix:
        """Solve slopes . step = off, each (n, 2), by central differences and Cramer's rule."""
        (a, c), (b, d) = (
            ((self.distort(rays + step) - self.distort(rays - step)) / (2 * _SLOPE_STEP)).T
            for step in _SLOPE_STEP * np.eye(2)
        )
        u, v = off.T
        return np.column_stack([d * u - b * v, a * v - c * u]) / (a * d - b * c)[:, None]

    def _padded(self, count: int) -> Matrix:
        return np.array([*self.coefficients, *[0.0] * (count - len(self.coefficients))])


IDEAL = Lens()
