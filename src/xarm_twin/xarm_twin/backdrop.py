"""What the camera sees behind the bodies: table, wooden board and soft shadows on it.

Drawn by projection, once per camera, so that it looks the same under every renderer and costs them
no time.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from planar_arm.camera_model import CameraModel
from xarm_twin.config import BoardConfig, LightConfig
from xarm_twin.wood import wood_texture

Points = npt.NDArray[np.float64]

_TABLE = np.array((38, 40, 46), dtype=float)
_EDGE = (150, 112, 70)
_SUPERSAMPLING = 3
_SHADOW_BLUR_PX = 2.5


class Backdrop:
    """The scene without its moving bodies, from a camera that stands still."""

    def __init__(self, model: CameraModel, board: BoardConfig, light: LightConfig) -> None:
        self._model = model
        self._shadow, self._shadow_reach = light.shadow, np.array(light.shadow_reach)
        self._top = board.thickness
        self._picture = _draw(model, board)

    def with_shadows(self, shapes: Sequence[tuple[Points, float]]) -> np.ndarray:
        """Return the picture (H, W, 3) uint8 RGB with the shadows of standing bodies.

        Args:
            shapes: Corners (N, 2) [m] of each body's footprint in `link_base`, and its height over
                the board [m].
        """
        height, width = self._picture.shape[:2]
        shade = np.zeros((height, width), np.uint8)
        for corners, tall in shapes:
            cast = np.concatenate([corners, corners + tall * self._shadow_reach])
            outline = cv2.convexHull(self._pixels(cast).astype(np.float32))
            cv2.fillConvexPoly(shade, np.round(outline * 16).astype(np.int32), 255, shift=4)
        shade = cv2.GaussianBlur(shade, (0, 0), _SHADOW_BLUR_PX)
        light = 255 - cv2.convertScaleAbs(shade, alpha=self._shadow)
        return cv2.multiply(self._picture, cv2.merge([light] * 3), scale=1 / 255)

    def _pixels(self, xy: Points) -> Points:
        return self._model.project(np.column_stack([xy, np.full(len(xy), self._top)]))


def _draw(model: CameraModel, board: BoardConfig) -> np.ndarray:
    """Table and board (H, W, 3) uint8 RGB, drawn larger and averaged down."""
    width, height = model.width * _SUPERSAMPLING, model.height * _SUPERSAMPLING
    large = model.scaled(width, height)
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    picture = np.round(_TABLE * (1.15 - 0.3 * (x**2 + y**2)[:, :, None])).clip(0, 255)
    picture = picture.astype(np.uint8)

    top = _corners(board)
    front = np.concatenate([top[:2], top[:2]])
    heights = (board.thickness, board.thickness, 0.0, 0.0)
    side = large.project(np.column_stack([front[[0, 1, 3, 2]], heights]))
    cv2.fillConvexPoly(picture, np.round(side).astype(np.int32), _EDGE, cv2.LINE_AA)

    wood = wood_texture()
    size = wood.shape[0]
    corners = large.project(np.column_stack([top, np.full(4, board.thickness)]))
    square = np.array([(0, size), (size, size), (size, 0), (0, 0)], np.float32)
    warp = cv2.getPerspectiveTransform(square, corners.astype(np.float32))
    warped = cv2.warpPerspective(wood, warp, (width, height), flags=cv2.INTER_AREA)
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 255)
    picture[mask > 0] = warped[mask > 0]
    return cv2.resize(picture, (model.width, model.height), interpolation=cv2.INTER_AREA)


def _corners(board: BoardConfig) -> Points:
    """Corners (4, 2) [m]: the two in front of the camera first (far from the robot)."""
    (x, y), (size_x, size_y) = board.centre, board.size
    signs = np.array([(1, -1), (1, 1), (-1, 1), (-1, -1)])
    return np.array((x, y)) + signs * np.array((size_x / 2, size_y / 2))
