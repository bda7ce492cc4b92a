"""What comes of a recorded step test whose delays are known, without ROS."""

import re

import numpy as np
import pytest

from ibc_bringup.latency import Recording, evaluate
from ibc_bringup.step_response import Signal

SETPOINT, ARM, CAMERA, ARRIVAL = 0.008, 0.06, 0.05, 0.045
"""Delays that follow each other [s]."""
RAMP, STEPS, PERIOD = 0.2, 20, 0.1


def recorded(seed: int, late: float = 0.0, takes: float = RAMP) -> Recording:
    """Twenty steps that take `takes` [s], pictures that arrive up to some `late` [s] unevenly."""
    rng = np.random.default_rng(seed)
    commands = np.concatenate([[0.5], 0.5 + np.cumsum(rng.uniform(1.2, 1.4, STEPS))])
    corners = np.repeat(commands[:-1], 2) + np.tile([0.0, takes], STEPS)
    way = Signal(corners, np.concatenate([[0, 1], np.tile([1, 0, 0, 1], STEPS // 2)])[: 2 * STEPS])

    def after(times, delay):
        return way.at(times - delay)

    ticks = np.arange(0.0, commands[-1], 0.01)
    stamps = np.arange(0.05, commands[-1], PERIOD) + rng.uniform(0, 0.01)
    seen = after(stamps, SETPOINT + ARM + CAMERA)  # stamped later than the scene was so
    frames = np.full((len(stamps), 40, 60), 60.0)
    for picture, share in zip(frames, seen, strict=True):
        left = 5 + 20 * share
        columns = np.arange(60)
        cover = np.clip(columns - left + 1, 0, 1) - np.clip(columns - left - 19, 0, 1)
        picture[10:30] += 140 * cover
    noisy = np.clip(frames + rng.normal(0, 1.5, frames.shape), 0, 255).astype(np.uint8)
    arrivals = stamps + ARRIVAL + rng.exponential(late, len(stamps)) - late * np.log(2)
    return Recording(
        commands,
        RAMP,
        Signal(ticks, 0.02 * after(ticks, SETPOINT)),
        Signal(ticks, 0.02 * after(ticks, SETPOINT + ARM)),
        noisy,
        stamps,
        arrivals,
    )


@pytest.mark.parametrize('late', [0.0, 0.01, 0.03])
def test_delays_are_found_however_unevenly_pictures_arrive(late):
    found = [evaluate(recorded(seed, late)) for seed in range(12)]

    def off(name, value):
        return np.mean([abs(getattr(test, name).seconds - value) for test in found])

    assert off('setpoint', SETPOINT) < 1e-3
    assert off('arm', ARM) < 1e-3
    assert off('camera', CAMERA) < 5e-3
    arrival = np.mean([abs(test.arrival_s - ARRIVAL) for test in found])
    assert arrival < 5e-3
    assert off('loop', SETPOINT + ARM + CAMERA + ARRIVAL) < 2e-3


def test_steps_that_limits_slow_down_are_told_and_begin_when_they_would():
    test = evaluate(recorded(0, takes=0.32))
    assert test.setpoint.seconds == pytest.approx(SETPOINT, abs=0.005)
    assert test.loop.seconds == pytest.approx(SETPOINT + ARM + CAMERA + ARRIVAL, abs=0.005)
    (warning,) = test.warnings
    assert re.match(r'steps took 0\.3\d s, not 0.2 s: speed limits allow less', warning)
