"""Image augmentation on uint8 batches."""

import numpy as np


def random_shifts(count: int, most_px: int, rng: np.random.Generator) -> np.ndarray:
    """Draw (count, 2) shifts down and right, each up to `most_px` pixels either way."""
    return rng.integers(-most_px, most_px + 1, size=(count, 2))


def shift_frames(frames: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Shift each observation of `frames` (B, T, h, w, 3) by its pixels in `shifts` (B, 2).

    All frames of an observation move together, so that motion between them stays; what comes in
    from outside repeats the edge.
    """
    height, width = frames.shape[2:4]
    shifted = np.empty_like(frames)
    for frame, target, (down, right) in zip(frames, shifted, shifts, strict=True):
        rows = np.clip(np.arange(height) - down, 0, height - 1)
        columns = np.clip(np.arange(width) - right, 0, width - 1)
        np.take(frame[:, rows], columns, axis=2, out=target)
    return shifted
