"""The loop without ROS: what it sees, when it acts, what it counts."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from ibc_contract.errors import StaleObservation
from ibc_policy_node.config import PolicyConfig
from ibc_policy_node.policy_loop import PolicyLoop
from waiting import wait_for

PERIOD = 0.02


class Window:
    """Shows the newest number that was added; stale while there is none."""

    topics = ('numbers',)

    def __init__(self):
        self.number = None
        self.asked = []

    def add(self, topic, message):
        self.number = message

    def at(self, tick_ns):
        self.asked.append(tick_ns)
        if self.number is None:
            raise StaleObservation('numbers: nothing has arrived yet')
        return self.number


class Policy:
    """Acts with what it sees."""

    def __init__(self):
        self.resets = 0
        self.failure = None
        self.delay = 0.0
        self.budgets = []

    def reset(self, rng):
        self.resets += 1

    def infer(self, observation, rng, time_budget):
        self.budgets.append(time_budget)
        if self.failure:
            raise self.failure
        time.sleep(self.delay)
        action = np.full(2, observation['state'])
        return SimpleNamespace(action=action, seconds=0.004, is_cut_short=len(self.budgets) > 1)


class Rig:
    def __init__(self, time_budget=None):
        self.window, self.policy = Window(), Policy()
        self.actions, self.reasons, self.slow = [], [], []
        self.failed = threading.Event()
        self.loop = PolicyLoop(
            self.policy,
            self.window,
            'state',
            PERIOD,
            time.time_ns,
            lambda tick, action: self.actions.append((tick, action)),
            self.reasons.append,
            self.slow.append,
            self.failed.set,
            time_budget=time_budget,
        )


@pytest.fixture
def rig():
    rig = Rig()
    rig.loop.start()
    yield rig
    rig.loop.close()


def test_it_only_watches_until_it_is_enabled(rig):
    rig.loop.add('numbers', 0.5)
    time.sleep(5 * PERIOD)
    assert not rig.actions
    assert rig.loop.status().ticks == 0
    rig.loop.enable(True)
    assert wait_for(lambda: len(rig.actions) >= 3)
    assert rig.actions[0][1].tolist() == [0.5, 0.5]
    rig.loop.enable(False)
    time.sleep(2 * PERIOD)
    count = len(rig.actions)
    time.sleep(5 * PERIOD)
    assert len(rig.actions) == count


def test_ticks_lie_on_a_grid_of_the_stamp_clock(rig):
    rig.loop.add('numbers', 1.0)
    rig.loop.enable(True)
    assert wait_for(lambda: len(rig.actions) >= 10)
    ticks = np.array([tick for tick, _ in rig.actions[:10]])
    periods = np.diff(ticks) / (PERIOD * 1e9)
    # Whatever the load: a tick may be missed, but none lies between two grid points.
    assert np.abs(periods - periods.round()).max() < 0.05
    assert periods.min() > 0.5


def test_stale_ticks_are_skipped_and_counted_then_it_recovers(rig):
    rig.loop.enable(True)
    assert wait_for(lambda: rig.loop.status().skipped >= 3)
    assert rig.reasons[0] == 'numbers: nothing has arrived yet'
    assert rig.loop.status().stale == rig.reasons[0]
    assert not rig.actions
    rig.loop.add('numbers', 2.0)
    assert wait_for(lambda: rig.actions)
    status = rig.loop.status()
    assert status.stale == ''
    assert status.ticks >= status.skipped + 1


def test_the_policy_starts_afresh_each_time_it_is_enabled(rig):
    rig.loop.add('numbers', 1.0)
    for round_number in (1, 2):
        rig.loop.enable(True)
        before = len(rig.actions)
        assert wait_for(lambda before=before: len(rig.actions) > before)
        rig.loop.enable(False)
        assert rig.policy.resets == round_number


def test_inference_times_are_reported(rig):
    rig.loop.add('numbers', 1.0)
    rig.loop.enable(True)
    assert wait_for(lambda: rig.actions)
    values = rig.loop.status().values()
    assert values['inference_p50_ms'] == 4.0
    assert values['inference_p99_ms'] == 4.0


def test_periods_lost_to_a_slow_policy_are_counted_not_caught_up(rig):
    rig.policy.delay = 3.5 * PERIOD
    rig.loop.add('numbers', 1.0)
    rig.loop.enable(True)
    assert wait_for(lambda: len(rig.actions) >= 4)
    status = rig.loop.status()
    assert status.missed >= 6
    assert status.slow == status.values()['slow'] >= 3
    assert min(rig.slow) > PERIOD
    assert np.diff([tick for tick, _ in rig.actions]).min() > 2.5 * PERIOD * 1e9


@pytest.mark.parametrize(
    ('asked', 'given'), [(None, PERIOD), (PERIOD / 4, PERIOD / 4), (9 * PERIOD, PERIOD)]
)
def test_decisions_get_a_time_budget_within_the_period(asked, given):
    rig = Rig(asked)
    rig.loop.add('numbers', 1.0)
    rig.loop.enable(True)
    rig.loop.start()
    assert wait_for(lambda: len(rig.actions) >= 3)
    rig.loop.close()
    # Less what the tick took before; on a busy machine all of it may be gone.
    assert max(rig.policy.budgets) <= given
    assert max(rig.policy.budgets) > 0.5 * given
    assert rig.loop.status().values()['cut_short'] == len(rig.policy.budgets) - 1


def test_an_unexpected_error_ends_the_loop_and_is_told(rig):
    rig.policy.failure = ZeroDivisionError('boom')
    rig.loop.add('numbers', 1.0)
    rig.loop.enable(True)
    assert rig.failed.wait(10)
    assert not rig.loop.status().enabled


def test_closing_ends_the_thread(rig):
    rig.loop.close()
    assert not any(thread.name == 'policy' for thread in threading.enumerate())


def test_steadiness_is_the_models_unless_said_otherwise():
    assert PolicyConfig('m').steadiness == {}
    assert PolicyConfig('m', warm_start=0).steadiness == {'warm_start': 0}
    assert PolicyConfig('m', mode_margin=0.5).steadiness == {'mode_margin': 0.5}
