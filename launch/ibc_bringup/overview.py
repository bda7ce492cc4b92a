"""What the camera does not show: the whole arm over the board, beside its picture in films."""

import dataclasses
import time

import cv2
import numpy as np

from xarm_twin.camera import TwinCamera
from xarm_twin.config import load_scene
from xarm_twin.scene_state import SceneStateClient

PERIOD_S = 0.2
"""Between two drawings, which cost the machine that also runs the policy [s]."""


class Overview:
    """Draws what the twin tells of itself. For one thread."""

    def __init__(self, task: str, host: str, port: int) -> None:
        """Listen to the twin that serves its scene states at `host`:`port`."""
        scene = load_scene()
        self._camera = TwinCamera(task, scene=dataclasses.replace(scene, camera=scene.overview))
        model = self._camera.model
        self._picture = np.zeros((model.height, model.width, 3), np.uint8)
        self._drawn_s = -np.inf
        self._client = SceneStateClient(host, port)

    def close(self) -> None:
        """Stop listening and free the renderer."""
        self._client.close()
        self._camera.close()

    def beside(self, frame: np.ndarray) -> np.ndarray:
        """Return `frame` (H, W, 3) uint8 RGB with the arm at its right, black until it is known."""
        state, now = self._client.newest(), time.monotonic()
        if state is not None and now - self._drawn_s >= PERIOD_S:
            self._picture = self._camera.render(state.q, state.objects)
            self._drawn_s = now
        height, (full, wide) = frame.shape[0], self._picture.shape[:2]
        if height == full:
            return np.hstack([frame, self._picture])
        size = (round(wide * height / full / 2) * 2, height)
        return np.hstack([frame, cv2.resize(self._picture, size, interpolation=cv2.INTER_AREA)])
