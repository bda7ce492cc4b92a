"""Pictures of what a PyBullet client holds, from a `CameraModel`."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm.bullet import pybullet
from planar_arm.camera_model import CameraModel

_NEAR, _FAR = 0.05, 3.0

Window = tuple[int, int, int, int]
"""Left, top, width and height of a part of a picture [px]."""


@dataclass(frozen=True)
class Light:
    """One lamp far away, and how much of it is where."""

    direction: tuple[float, float, float] = (0.5, 0.9, 1.6)
    """Towards the lamp."""
    ambient: float = 0.55
    """Share of it that is everywhere."""
    diffuse: float = 0.5
    """On faces towards it."""
    specular: float = 0.08
    """Mirrored."""


class BulletCamera:
    """Draws the bodies of one PyBullet client; lenses of the model are ideal here."""

    def __init__(
        self,
        client: int,
        model: CameraModel,
        opengl: bool = False,
        light: Light = Light(),
    ) -> None:
        """Look into `client`.

        Args:
            client: The PyBullet client.
            model: Where the camera is and what it sees.
            opengl: Draw by OpenGL, which must have been loaded into the client, instead of by
                TinyRenderer.
            light: What falls on the bodies.
        """
        self.model = model
        self._light = light
        self._client = client
        view = np.linalg.inv(model.T_base_camera)
        view[1:3] *= -1.0  # OpenGL's camera looks along -z, with y up
        self._view = view.T.ravel().tolist()
        self._renderer = pybullet.ER_BULLET_HARDWARE_OPENGL if opengl else pybullet.ER_TINY_RENDERER

    def draw(self, window: Window | None = None) -> tuple[np.ndarray, npt.NDArray[np.uint8]]:
        """Picture (H, W, 4) uint8 RGBA of the bodies alone, and where (H, W) there is one.

        Args:
            window: Part of the picture to draw, in which all bodies are: TinyRenderer's time goes
                with the number of pixels. All of it by default.
        """
        left, top, width, height = window or (0, 0, self.model.width, self.model.height)
        projection = _projection(self.model, left, top, width, height)
        picture = pybullet.getCameraImage(
            width,
            height,
            self._view,
            projection,
            lightDirection=self._light.direction,
            lightAmbientCoeff=self._light.ambient,
            lightDiffuseCoeff=self._light.diffuse,
            lightSpecularCoeff=self._light.specular,
            shadow=0,
            renderer=self._renderer,
            flags=pybullet.ER_NO_SEGMENTATION_MASK,
            physicsClientId=self._client,
        )
        shape = height, width
        rgba = np.asarray(picture[2], np.uint8).reshape(*shape, 4)
        depth = np.asarray(picture[3], np.float32).reshape(shape)
        return rgba, (depth < 1.0).astype(np.uint8)

    def bodies(self) -> npt.NDArray[np.int64]:
        """Body and link (N, 2) of all that is to be seen; links from 0 on, -1 is a base."""
        mask = pybullet.getCameraImage(
            self.model.width,
            self.model.height,
            self._view,
            _projection(self.model, 0, 0, self.model.width, self.model.height),
            renderer=pybullet.ER_TINY_RENDERER,
            flags=pybullet.ER_SEGMENTATION_MASK_OBJECT_AND_LINKINDEX,
            physicsClientId=self._client,
        )[4]
        codes = np.unique(np.asarray(mask, dtype=np.int64))
        codes = codes[codes >= 0]
        return np.column_stack((codes & ((1 << 24) - 1), (codes >> 24) - 1))


def _projection(model: CameraModel, left: int, top: int, width: int, height: int) -> list[float]:
    """OpenGL projection onto a part of the picture, column by column."""
    # Pixel (0, 0) is the centre of the upper left pixel, so the image begins half a pixel before.
    cx, cy = model.cx + 0.5 - left, model.cy + 0.5 - top
    matrix = np.array(
        [
            [2 * model.fx / width, 0.0, 1.0 - 2 * cx / width, 0.0],
            [0.0, 2 * model.fy / height, 2 * cy / height - 1.0, 0.0],
            [0.0, 0.0, -(_FAR + _NEAR) / (_FAR - _NEAR), -2 * _FAR * _NEAR / (_FAR - _NEAR)],
            [0.0, 0.0, -1.0, 0.0],
        ]
    )
    return matrix.T.ravel().tolist()
