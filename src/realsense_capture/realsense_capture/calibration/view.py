"""Whether a camera still sees what it saw when it was calibrated."""

from pathlib import Path

import cv2
import numpy as np

from ibc_contract.errors import IbcError

MOVED_PX = 3.0
"""A scene that lies further from where it was has moved; on the table some millimetres [px]."""
STILL_PX = 2.0
MIN_STILL = 12
"""So many features in their old places are no coincidence."""
MIN_AGREEING = 10
"""So many features that moved as one plane would are the table, not what lies on it."""
RATIO = 0.75
"""A match counts if it is so much closer than the second best (Lowe 2004, 7.1)."""
FEATURES = 1500


def load_reference(path: str | Path) -> np.ndarray:
    """Read the picture that was stored with a calibration, (H, W, 3) uint8 RGB."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise IbcError(f'{path} is no picture: ibc calibrate camera stores one, or leave it out')
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def view_shift(reference: np.ndarray, rgb: np.ndarray) -> float | None:
    """Return how far the scene lies from where it was in the image [px].

    Arm and objects may be elsewhere: what most features agree on is the table. None if the two
    pictures have too little in common, as in the dark.

    Args:
        reference: (H, W, 3) uint8, then.
        rgb: (h, w, 3) uint8, now; the shift is in its pixels.
    """
    height, width, _ = rgb.shape
    before, after = _matches(cv2.resize(reference, (width, height)), rgb)
    if len(before) < MIN_AGREEING:
        return None
    shifts = np.linalg.norm(after - before, axis=1)
    still = shifts[shifts < STILL_PX]
    if len(still) >= MIN_STILL:
        return float(np.median(still))
    _, agreeing = cv2.findHomography(before, after, cv2.RANSAC, STILL_PX)
    if agreeing is None or agreeing.sum() < MIN_AGREEING:
        return None
    return float(np.median(shifts[agreeing.ravel() > 0]))


def _matches(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, 2) of the same features in two pictures."""
    sift = cv2.SIFT.create(FEATURES)
    found_a, words_a = sift.detectAndCompute(cv2.cvtColor(a, cv2.COLOR_RGB2GRAY), None)
    found_b, words_b = sift.detectAndCompute(cv2.cvtColor(b, cv2.COLOR_RGB2GRAY), None)
    if len(found_a) < 2 or len(found_b) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(words_a, words_b, k=2)
    good = [best for best, second in pairs if best.distance < RATIO * second.distance]
    return (
        np.array([found_a[match.queryIdx].pt for match in good]).reshape(-1, 2),
        np.array([found_b[match.trainIdx].pt for match in good]).reshape(-1, 2),
    )
