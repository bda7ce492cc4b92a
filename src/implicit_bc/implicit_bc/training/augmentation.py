"""Image augmentation on uint8 batches."""

import numpy as np


def random_shift(frames: np.ndarray, most_px: int, rng: np.random.Generator) -> np.ndarray:
    """Shift each observation of `frames` (B, T, h, w, 3) by up to `most_px` pixels each way.

    All frames of an observation move together, so that motion between them stays; what comes in
    from outside repeats the edge.
    """
    height, width = frames.shape[2:4]
    shifts = rng.integers(-most_px, most_px + 1, size=(len(frames), 2))
    shifted = np.empty_like(frames)
    for frame, target, (down, right) in zip(frames, shifted, shifts, strict=True):
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        np.take(frame[:, rows], columns, axis=2, out=target)
    return shifted
