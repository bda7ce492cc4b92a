"""A picture of smooth beech boards, made from numbers."""

import cv2
import numpy as np

_LIGHT = np.array((214, 178, 128), dtype=float)
_DARK = np.array((176, 133, 84), dtype=float)
_PLANKS = 7


def wood_texture(size: int = 512, seed: int = 7) -> np.ndarray:
    """Return planks with grain along the image's rows, shape (size, size, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    grain = rng.normal(size=(size, size)).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), sigmaX=size / 12, sigmaY=1.2)
    waves = cv2.GaussianBlur(
        rng.normal(size=(size, size)).astype(np.float32), (0, 0), sigmaX=size / 5, sigmaY=6.0
    )
    shade = grain / grain.std() * 0.13 + waves / waves.std() * 0.10 + 0.45
    plank = np.arange(size) * _PLANKS // size
    shade += rng.normal(0.0, 0.09, _PLANKS)[plank][:, None]
    seam = np.diff(plank, prepend=0) != 0
    shade[seam] += 0.35
    mix = np.clip(shade, 0.0, 1.0)[:, :, None]
    return np.round(_LIGHT * (1.0 - mix) + _DARK * mix).astype(np.uint8)
