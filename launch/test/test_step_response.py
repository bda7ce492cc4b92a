"""Delays are found from signals whose delays are known."""

import numpy as np
import pytest

from ibc_bringup.latency import Recording, evaluate
from ibc_bringup.step_response import Signal, fit_lag, picture_progress, ramp, summarize
from ibc_contract.errors import IbcError

DWELL, RAMP, STEP = 1.0, 0.2, 0.02
HEIGHT, WIDTH, TOOL = 30, 120, 24
BACKGROUND = np.random.default_rng(0).integers(60, 110, (HEIGHT, WIDTH)).astype(float)


def picture(way: float) -> np.ndarray:
    """A bright bar in front of a table, `way` [m] to the right; its edges fall between pixels."""
    left = 40.0 + 900.0 * way
    covered = np.clip(np.arange(WIDTH) + 1 - left, 0, 1) - np.clip(
        np.arange(WIDTH) - left - TOOL, 0, 1
    )
    return BACKGROUND + covered * (210.0 - BACKGROUND)


def recording(
    setpoint: float, arm: float, camera: float, arrival: float, steps: int = 20, rate_hz: float = 10
) -> Recording:
    """What a step test records where every delay is known: a dead time each [s]."""
    rng = np.random.default_rng(1)
    commands = np.concatenate([[1.0], 1.0 + np.cumsum(DWELL + rng.uniform(0, 0.2, steps))])
    corners = np.sort(np.concatenate([commands[:-1], commands[:-1] + RAMP]))
    way = Signal(corners, STEP * np.tile([0.0, 1.0, 1.0, 0.0], steps // 2))
    times = np.arange(0.0, commands[-1], 0.01)
    stamps = np.arange(0.0, commands[-1] + 0.5, 1 / rate_hz)
    seen = way.at(stamps - arm - camera)
    noise = rng.normal(0, 2.0, (len(stamps), HEIGHT, WIDTH))
    frames = np.array([picture(each) for each in seen]) + noise
    return Recording(
        commands,
        RAMP,
        Signal(times, way.at(times - setpoint)),
        Signal(times, way.at(times - arm) + rng.normal(0, 5e-5, len(times))),
        np.clip(frames, 0, 255).astype(np.uint8),
        stamps,
        stamps + arrival + rng.uniform(0, 0.004, len(stamps)),
    )


@pytest.mark.parametrize(
    ('setpoint', 'arm', 'camera', 'arrival', 'rate_hz'),
    [
        (0.008, 0.04, 0.0, 0.02, 10),
        (0.015, 0.13, 0.06, 0.05, 10),
        (0.01, 0.05, -0.03, 0.03, 10),
        (0.015, 0.13, 0.06, 0.05, 30),
    ],
)
def test_every_delay_is_found_to_a_millisecond(setpoint, arm, camera, arrival, rate_hz):
    found = evaluate(recording(setpoint, arm, camera, arrival, rate_hz=rate_hz))
    assert found.setpoint.seconds == pytest.approx(setpoint, abs=1e-4)
    assert found.arm.seconds == pytest.approx(arm - setpoint, abs=5e-4)
    assert found.camera.seconds == pytest.approx(camera, abs=1.5e-3)
    assert found.loop.seconds == pytest.approx(arm + camera + arrival + 0.002, abs=1.5e-3)
    assert found.arrival_s == pytest.approx(arrival + 0.002, abs=5e-4)
    stored = found.calibration(STEP)
    assert stored.arm_s == round(found.arm.seconds, 4)
    assert stored.steps == 20


def test_a_first_order_lag_counts_with_its_time_constant():
    times = np.arange(0.0, 2.0, 0.001)
    wanted, lag, way = ramp(0.5, RAMP), 0.03, np.zeros(2000)
    for i in range(1, 2000):
        way[i] = way[i - 1] + (wanted.at(times[i : i + 1])[0] - way[i - 1]) * 0.001 / lag
    assert fit_lag(wanted, Signal(times, way)) == pytest.approx(lag, abs=3e-3)


def test_what_is_not_linear_in_the_way_is_right_on_average():
    def follower(begin: float, forth: bool) -> Signal:
        times = np.arange(begin - 0.2, begin + 1.0, 0.01)
        way = ramp(begin, RAMP).at(times - 0.05)
        return Signal(times, (way if forth else 1 - way) ** 2)

    lags = [fit_lag(ramp(b, RAMP), follower(b, i % 2 == 0)) for i, b in enumerate((1.0, 3.0))]
    assert lags[0] is not None
    assert lags[1] is not None
    assert lags[0] - 0.05 > 0.01  # each by itself is off
    assert summarize(lags, 'it').seconds == pytest.approx(0.05, abs=1e-3)


def test_outliers_do_not_move_it():
    lags = [0.05, 0.051, 0.049, 0.05, 0.3, 0.052, -0.1, 0.05, 0.05, 0.049]
    found = summarize(lags, 'it')
    assert found.seconds == pytest.approx(0.05, abs=1e-3)
    assert found.spread < 0.003


def test_what_does_not_follow_is_said():
    test = recording(0.01, 0.05, 0.0, 0.02, steps=6)
    still = Recording(**{**vars(test), 'tool': Signal(test.tool.times, 0 * test.tool.values)})
    with pytest.raises(IbcError, match='the measured tool followed 0 of 6 steps'):
        evaluate(still)
    noise = np.random.default_rng(2).normal(size=100)
    assert fit_lag(ramp(0.5, RAMP), Signal(np.arange(100) * 0.01, noise)) is None
    frames = np.full((4, 20, 20), 80, np.uint8)
    with pytest.raises(IbcError, match='does not see the tool move'):
        picture_progress(frames, [np.array([0, 1]), np.array([2, 3])])


def test_a_step_that_a_limit_has_slowed_is_a_warning():
    test = recording(0.01, 0.05, 0.0, 0.02, steps=6)
    assert evaluate(test).warnings == []
    (warning,) = evaluate(Recording(**{**vars(test), 'ramp_s': 0.1})).warnings
    assert ', not 0.1 s' in warning
    assert '--step-mm' in warning
