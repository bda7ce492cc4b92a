"""Corners of a board over many frames: their noise averaged out, motion noticed."""

import time
from collections.abc import Iterator

import numpy as np

from ibc_contract.errors import IbcError
from realsense_capture.calibration.charuco import CharucoBoard, Sighting
from realsense_capture.calibration.pose import MIN_POINTS
from realsense_capture.source import FrameSource

PATIENCE_S = 20.0
"""How long to wait for the next frame that shows the board [s]."""
MAX_SPREAD_PX = 0.5
"""Standard deviation of a corner that lies still, in the image, is a tenth of this."""
MIN_SHARE = 0.5
"""A corner counts if so many of the frames show it."""
READ_S = 0.5


def board_sightings(source: FrameSource, board: CharucoBoard) -> Iterator[Sighting]:
    """Yield what each frame of `source` shows of the board, where it shows enough.

    Raises:
        IbcError: No frame has shown the board for 20 s, or none has come.
    """
    source.open()
    frames, seen_s = 0, time.monotonic()
    while True:
        frame = source.read(READ_S)
        if frame is not None:
            frames += 1
            sighting = board.find(frame.rgb)
            if len(sighting.ids) >= MIN_POINTS:
                yield sighting
                seen_s = time.monotonic()
        if time.monotonic() - seen_s > PATIENCE_S:
            what = f'the board is not in the picture ({frames} frames)' if frames else 'no frames'
            raise IbcError(
                f'{what}: put all of it into view, flat, in even light, and give its '
                'squares as they were printed'
            )


def average(sightings: list[Sighting]) -> Sighting:
    """Return the mean pixel of each corner that at least half of the frames show.

    Raises:
        IbcError: A corner has moved from frame to frame.
    """
    seen: dict[int, list[np.ndarray]] = {}
    for sighting in sightings:
        for corner, pixel in zip(sighting.ids.tolist(), sighting.pixels, strict=True):
            seen.setdefault(corner, []).append(pixel)
    kept = {i: np.array(p) for i, p in seen.items() if len(p) >= MIN_SHARE * len(sightings)}
    if moving := [i for i, pixels in kept.items() if pixels.std(axis=0).max() > MAX_SPREAD_PX]:
        raise IbcError(
            f'corner {moving[0]} of the board moves in the picture: board and camera must '
            'stand still'
        )
    ids = sorted(kept)
    pixels = np.array([kept[i].mean(axis=0) for i in ids]).reshape(-1, 2)
    return Sighting(np.array(ids, np.int64), pixels)
