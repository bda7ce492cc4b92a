"""Where a green dot is in an image: the visual regression task of paper Fig. 4.

The paper gives no constants but "a green few-pixel dot"; these are ours.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Images = npt.NDArray[np.uint8]

SIZE = 64
"""Height and width of the image [px]."""
DOT = 5
"""Height and width of the dot [px]."""
MARGIN = 2
"""White between the dot and the border of the image, at least [px]: convolutions and pooling show a
dot that touches the border in another way, whatever is learned from them."""
GREEN = (0, 160, 60)
WHITE = 255

SPAN = SIZE - DOT - 2 * MARGIN
"""Largest distance between two dots along an axis [px]."""


@dataclass(frozen=True)
class Dots:
    """Images with one dot each, and where it is."""

    images: Images
    """(n, SIZE, SIZE, 3), RGB."""
    coordinates: npt.NDArray[np.float32]
    """(n, 2): u to the right and v down, of the dot's middle, as fractions of `SPAN` in [0, 1]."""


def draw_dots(count: int, seed: int) -> Dots:
    """Put `count` dots anywhere, each place as likely; the first n of more are the same n."""
    places = np.random.default_rng(seed).integers(0, SPAN + 1, (count, 2))
    images = np.full((count, SIZE, SIZE, 3), WHITE, np.uint8)
    for image, (u, v) in zip(images, places + MARGIN, strict=True):
        image[v : v + DOT, u : u + DOT] = GREEN
    return Dots(images, (places / SPAN).astype(np.float32))


def in_hull(points: npt.ArrayLike, corners: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which of `points` (n, 2) lie in the convex hull of `corners` (m, 2), its edge included.

    The corners must not all lie on one line.
    """
    x, ring = np.asarray(points, float), hull(corners)
    edge = np.roll(ring, -1, axis=0) - ring
    away = x[:, None] - ring
    left = edge[:, 0] * away[..., 1] - edge[:, 1] * away[..., 0]
    return np.all(left >= -1e-9, axis=1)


def hull(points: npt.ArrayLike) -> Array:
    """Corners (k, 2) of the convex hull of `points` (n, 2), counter-clockwise (Andrew 1979)."""
    ordered = np.unique(np.asarray(points, float), axis=0)
    return np.array(_chain(ordered)[:-1] + _chain(ordered[::-1])[:-1])


def _chain(ordered: Array) -> list[Array]:
    """One side of the hull of points (n, 2) in lexical order: it turns left all the way."""
    side: list[Array] = []
    for point in ordered:
        while len(side) > 1 and _turn(side[-2], side[-1], point) <= 0.0:
            side.pop()
        side.append(point)
    return side


def _turn(a: Array, b: Array, c: Array) -> float:
    """Twice the area of the triangle a, b, c: positive if it turns left."""
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
