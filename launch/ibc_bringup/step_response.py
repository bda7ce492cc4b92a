"""How late a signal follows another one: the arithmetic of `ibc calibrate latency`.

A step test moves the arm to and fro between two points. What follows the command, be it the
setpoint, the tool or the picture of it, has the command's shape, later; how much later is the shift
that makes the two agree best. Neither scale nor offset of the follower matter, so that a camera
needs no calibration.

Each direction is judged by itself, and the two are averaged: where a signal is not quite linear in
the tool's way, as a picture is not, its error in time has the opposite sign on the way back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ibc_contract.errors import IbcError

Vector = npt.NDArray[np.float64]

EARLIEST, LATEST = -0.2, 0.6
"""Lags that are looked for [s]; a stamp that is wrong may make one negative."""
GRID = 0.01
"""Step of the search before it is refined [s]: much finer than any ramp is long."""
REFINEMENTS = 12
"""Halvings of that step: to 2.5 us."""
GOOD_FIT = 0.8
"""Share of the variance that a shifted reference explains where a signal follows it."""
SIGMA_OF_MAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
LEAST_DIFFERENCE = 6.0
"""Grey levels by which the two pictures at rest differ where the tool is seen."""
LEAST_PIXELS = 30
WIDEST_PX = 320
"""Pictures are looked at in this width or less."""


@dataclass(frozen=True, eq=False)
class Signal:
    """One number over time; linear between its samples, constant before and after."""

    times: Vector
    """(n,), increasing [s]."""
    values: Vector
    """(n,)."""

    def at(self, times: Vector) -> Vector:
        """Return the values at `times` [s], of their shape."""
        return np.interp(times, self.times, self.values)

    def between(self, begin: float, end: float) -> 'Signal':
        """Return the samples from `begin` to `end` [s]."""
        inside = (self.times >= begin) & (self.times <= end)
        return Signal(self.times[inside], self.values[inside])


@dataclass(frozen=True)
class Lag:
    """How late something follows, over several steps."""

    seconds: float
    """Mean of the medians of both directions [s]."""
    spread: float
    """Standard deviation of a single step, by the median absolute deviation [s]."""
    steps: int
    """Steps in which it followed."""


def ramp(begin: float, duration: float) -> Signal:
    """Return a line from 0 at `begin` [s] to 1, `duration` [s] later."""
    return Signal(np.array([begin, begin + duration]), np.array([0.0, 1.0]))


def fit_lag(reference: Signal, follower: Signal) -> float | None:
    """Return the lag [s] of `follower` behind `reference`; None where it does not follow.

    It is the least-squares fit of scale * reference(t - lag) + offset to the follower's samples.
    """
    if follower.times.size < 4 or not np.ptp(follower.values):
        return None
    lag, left = _best(reference, follower, np.arange(EARLIEST, LATEST, GRID))
    step = GRID
    for _ in range(REFINEMENTS):
        step /= 2
        lag, left = _best(reference, follower, lag + step * np.array([-1.0, 0.0, 1.0]))
    return lag if left < 1.0 - GOOD_FIT else None


def _best(reference: Signal, follower: Signal, lags: Vector) -> tuple[float, float]:
    """Return which of `lags` (n,) [s] fits best, and what it leaves unexplained."""
    unexplained = _unexplained(reference, follower, lags)
    best = int(np.argmin(unexplained))
    return float(lags[best]), float(unexplained[best])


def _unexplained(reference: Signal, follower: Signal, lags: Vector) -> Vector:
    """Share of the follower's variance that the reference, each of `lags` (n,) [s] later, does not
    explain, (n,).
    """
    x = reference.at(follower.times - lags[:, None])
    x -= x.mean(axis=1, keepdims=True)
    y = follower.values - follower.values.mean()
    sxx, sxy, syy = (x * x).sum(axis=1), x @ y, float(y @ y)
    known = sxx > 0.0
    return np.where(known, 1.0 - sxy * sxy / (np.where(known, sxx, 1.0) * syy), 1.0)


def summarize(lags: Sequence[float | None], what: str) -> Lag:
    """Sum up the lags [s] of steps that go to and fro in turns; None for those that did not follow.

    Raises:
        IbcError: Fewer than half of the steps of a direction were followed by `what`.
    """
    directions = [
        np.array([lag for lag in lags[first::2] if lag is not None], float) for first in (0, 1)
    ]
    if any(
        found.size * 2 < len(lags[i::2]) or not found.size for i, found in enumerate(directions)
    ):
        followed = sum(found.size for found in directions)
        raise IbcError(
            f'{what} followed {followed} of {len(lags)} steps: is the tool free to move and in the '
            'picture, does the arm follow commands?'
        )
    medians = [float(np.median(found)) for found in directions]
    off = np.concatenate([np.abs(f - m) for f, m in zip(directions, medians, strict=True)])
    return Lag(float(np.mean(medians)), SIGMA_OF_MAD * float(np.median(off)), off.size)


def shrink(jpeg: bytes) -> np.ndarray:
    """Decode JPEG bytes to grey levels (h, w) uint8, at most WIDEST_PX wide if that can be had."""
    data = np.frombuffer(jpeg, np.uint8)
    modes = (
        cv2.IMREAD_REDUCED_GRAYSCALE_2,
        cv2.IMREAD_REDUCED_GRAYSCALE_4,
        cv2.IMREAD_REDUCED_GRAYSCALE_8,
    )
    grey = None
    for mode in modes:
        grey = cv2.imdecode(data, mode) if data.size else None
        if grey is None:
            raise IbcError(f'{data.size} bytes of a camera frame are not a JPEG image')
        if grey.shape[1] <= WIDEST_PX:
            break
    assert grey is not None
    return grey


def picture_progress(frames: np.ndarray, at_rest: Sequence[np.ndarray]) -> Vector:
    """Return how far each picture is on the way from the first place of rest to the second.

    It is the picture's projection onto the difference of the two at rest: 0 at the one, 1 at the
    other. In between it is the share of the area over which the tool has come, so it grows evenly
    as long as the way is not much longer than the tool is wide.

    Args:
        frames: Grey levels, (n, h, w) uint8.
        at_rest: Rows of `frames` at rest at the first and at the second place.

    Raises:
        IbcError: The pictures at rest do not differ.
    """
    first, second = (frames[rows].mean(axis=0) for rows in at_rest)
    noise = float(np.median(frames[at_rest[0]].std(axis=0)))
    difference = second - first
    seen = np.abs(difference) > max(LEAST_DIFFERENCE, 4.0 * noise)
    if seen.sum() < LEAST_PIXELS:
        raise IbcError('the camera does not see the tool move: bring it into the picture')
    change = frames[:, seen] - first[seen]
    return change @ difference[seen] / float(difference[seen] @ difference[seen])
