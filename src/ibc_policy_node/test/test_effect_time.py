"""A policy whose actions come late sees what it would see if they did not."""

import numpy as np
import pytest

from ibc_contract.contract import load_contract
from ibc_contract.observation import observation_window
from ibc_policy_node.effect_time import EffectTimeWindow
from planar_arm.interpolation import SetpointRamp

CONTRACT = load_contract('planar_state')
PERIOD, TICK = CONTRACT.period_s, 0.01
OBJECTS = np.array([[0.4, 0.1, 0.02, 0, 0, 0, 1.0]] * 4)
TARGETS = ((0.4, 0.1), (0.3, -0.15))
"""The policy goes to one, then to the other."""
TICKS = 40


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def decide(observation: np.ndarray, tick: int) -> np.ndarray:
    """Half of the way to a target, and a little of the last move: uses both time steps."""
    here, before = observation[1, :2].astype(float), observation[0, :2].astype(float)
    return np.clip(0.5 * (TARGETS[tick // 20] - here) + 0.1 * (here - before), -0.04, 0.04)


def run(window, delay: float, refused: range = range(0)) -> tuple[np.ndarray, np.ndarray]:
    """Act for TICKS on an arm that begins each action `delay` [s] after its tick.

    Actions of the `refused` ticks never arrive. Returns what was seen (TICKS, history, D) and the
    setpoint of every servo tick (n, 2) [m].
    """
    ramp = SetpointRamp.holding((0.24, 0.0), 0.0)
    queue, seen, setpoints = [], [], []
    for step in range(round((TICKS * PERIOD + 0.5) / TICK)):
        t = step * TICK
        while queue and queue[0][0] <= t + 1e-9:
            ramp = ramp.toward(ramp.goal + queue.pop(0)[1], t, PERIOD)
        setpoints.append(ramp.at(t))
        window.add_setpoint(ns(t), ramp.at(t))
        window.add_objects(ns(t), OBJECTS)
        tick = round(t / PERIOD)
        if abs(t - tick * PERIOD) > 1e-9 or tick >= TICKS:
            continue
        seen.append(window.at(ns(t)))
        action = decide(seen[-1], tick)
        if isinstance(window, EffectTimeWindow):
            window.act(ns(t), action)
        if tick not in refused:
            queue.append((t + delay, action))
            if not delay:
                ramp = ramp.toward(ramp.goal + queue.pop(0)[1], t, PERIOD)
    return np.array(seen), np.array(setpoints)


@pytest.mark.parametrize('delay', [0.04, 0.1, 0.2, 0.23])
def test_a_delay_that_is_compensated_is_not_seen(delay):
    ideal, path = run(observation_window(CONTRACT), 0.0)
    seen, late_path = run(EffectTimeWindow(CONTRACT, ns(delay)), delay)
    np.testing.assert_allclose(seen, ideal, atol=1e-6)
    shift = round(delay / TICK)
    np.testing.assert_allclose(late_path[shift:], path[:-shift], atol=1e-6)

    plain, plain_path = run(observation_window(CONTRACT), delay)
    assert np.abs(plain - ideal).max() > 0.04 * delay / PERIOD
    # And without it the arm goes too far, which is what it is for.
    assert plain_path[:, 0].max() > late_path[:, 0].max() + 1e-4


def test_what_the_driver_refuses_is_noticed():
    seen, path = run(EffectTimeWindow(CONTRACT, ns(0.1)), 0.1, refused=range(5, 10))
    np.testing.assert_allclose(path[-1], TARGETS[-1], atol=1e-3)
    # Until the setpoint stays behind, the one action that was under way was believed.
    for tick in range(6, 10):
        believed = path[round(tick * PERIOD / TICK)] + 0.5 * decide(seen[tick - 1], tick - 1)
        np.testing.assert_allclose(seen[tick, 1, :2], believed, atol=1e-6)


def test_actions_of_long_ago_are_forgotten():
    window = EffectTimeWindow(CONTRACT, ns(0.1))
    for tick in range(100):
        window.act(ns(tick * PERIOD), np.array([0.01, 0.0]))
    window.add_setpoint(ns(30.0), np.array([0.3, 0.0]))
    window.add_objects(ns(30.0), OBJECTS)
    np.testing.assert_allclose(window.at(ns(30.0))[1, :2], (0.3, 0.0), atol=1e-6)
    assert len(window._actions) < 20
