"""From what a step test has recorded to the delays of a site."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ibc_bringup.latency_file import LatencyCalibration
from ibc_bringup.step_response import Lag, Signal, fit_lag, picture_progress, ramp, summarize
from ibc_contract.errors import IbcError
from planar_arm.calibration_file import today

Vector = npt.NDArray[np.float64]

BEFORE = 0.2
"""What is looked at before a command [s]."""
AT_REST = 0.2
"""The end of a step in which everything has come to rest [s]."""
SLOWED = 1.3
"""A setpoint that takes so many times as long as it was told was slowed by a limit."""


@dataclass(frozen=True, eq=False)
class Recording:
    """One step test. Times are ROS time relative to its begin [s]."""

    commands: Vector
    """When each step was commanded, (n + 1,); the last one is when the test ended."""
    ramp_s: float
    """Over which the setpoint goes to where a command wants it."""
    setpoint: Signal
    """Way of the setpoint along the steps [m], by its stamps."""
    tool: Signal
    """Way of the measured tool along the steps [m], by its stamps."""
    frames: np.ndarray
    """Pictures, (m, h, w) uint8."""
    stamps: Vector
    """Of the pictures, (m,)."""
    arrivals: Vector
    """When they arrived, (m,)."""


@dataclass(frozen=True, eq=False)
class StepTest:
    """What came of a recording."""

    recording: Recording
    picture: Signal
    """How far the tool is in the picture, from 0 to 1, by the pictures' arrival."""
    setpoint: Lag
    arm: Lag
    camera: Lag
    loop: Lag
    """From the command to the arrival of a picture that shows it."""
    arrival_s: float
    """Median time from a picture's stamp to its arrival."""
    warnings: list[str]
    """What is not as it should be."""

    def calibration(self, step: float, camera: str = '') -> LatencyCalibration:
        """Return what is stored; `step` [m] is how far each step went."""
        lags = {name: getattr(self, name) for name in ('setpoint', 'arm', 'camera', 'loop')}
        return LatencyCalibration(
            **{f'{name}_s': round(lag.seconds, 4) for name, lag in lags.items()},
            arrival_s=round(self.arrival_s, 4),
            spread_s={name: round(lag.spread, 4) for name, lag in lags.items()},
            steps=len(self.recording.commands) - 1,
            step_mm=round(step * 1e3, 1),
            date=today(),
        )


def evaluate(recording: Recording) -> StepTest:
    """Find every delay.

    Raises:
        IbcError: Something did not follow the commands.
    """
    begins, ends = recording.commands[:-1], recording.commands[1:]
    # One that limits slow down begins when it would, and only ends later.
    took = max(recording.ramp_s, _duration(recording))
    wanted = [ramp(begin, took) for begin in begins]
    progress = picture_progress(recording.frames, _at_rest(recording))
    picture = Signal(recording.arrivals, progress)
    exposed = Signal(recording.stamps, progress)
    # How long each picture took is known: fitted to arrivals, which scatter, the loop would be
    # known as badly as they scatter.
    arrival_s = float(np.median(recording.arrivals - recording.stamps))
    delivered = Signal(recording.stamps + arrival_s, progress)

    def lags(references: Sequence[Signal], follower: Signal) -> list[float | None]:
        return [
            fit_lag(reference, follower.between(begin - BEFORE, end))
            for reference, begin, end in zip(references, begins, ends, strict=True)
        ]

    setpoint, tool = ([each] * len(wanted) for each in (recording.setpoint, recording.tool))
    return StepTest(
        recording,
        picture,
        setpoint=summarize(lags(wanted, recording.setpoint), 'the setpoint'),
        arm=summarize(lags(setpoint, recording.tool), 'the measured tool'),
        camera=summarize(lags(tool, exposed), 'the picture'),
        loop=summarize(lags(wanted, delivered), 'the picture'),
        arrival_s=arrival_s,
        warnings=_slowness(recording.ramp_s, took),
    )


def _at_rest(recording: Recording) -> list[np.ndarray]:
    """Rows of the pictures at the place where it began, and at the other one."""
    rows: list[list[int]] = [[], []]
    for step, end in enumerate(recording.commands):
        resting = (recording.arrivals > end - AT_REST) & (recording.arrivals <= end)
        rows[step % 2] += np.flatnonzero(resting).tolist()
    if not all(rows):
        raise IbcError('too few pictures: the camera sends fewer than five a second')
    return [np.array(each) for each in rows]


def _duration(recording: Recording) -> float:
    """How long the setpoint is under way in a typical step [s]."""
    took = []
    for begin, end in itertools.pairwise(recording.commands):
        part = recording.setpoint.between(begin, end)
        way = np.abs(part.values - part.values[0])
        moving = (way > 0.1 * way[-1]) & (way < 0.9 * way[-1])
        took.append(float(np.ptp(part.times[moving])) / 0.8 if moving.any() else 0.0)
    return float(np.median(took))


def _slowness(told: float, took: float) -> list[str]:
    """Warn of steps that took longer than they were told [s]."""
    if took < SLOWED * told:
        return []
    return [
        f'steps took {took:.2f} s, not {told:g} s: speed limits allow less (a smaller --step-mm), '
        'or the computer is too busy; delays are those of their beginning'
    ]
