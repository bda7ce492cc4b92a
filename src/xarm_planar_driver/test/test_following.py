"""An arm that is not where it was sent is stopped; one that only lags, or jitters, is not."""

import itertools
import math
import re
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import load_safety_limits
from planar_arm.workspace import DEFAULT_WORKSPACE
from waiting import wait_for
from xarm_planar_driver.errors import ArmFault
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.following_watch import FEWEST, LASTING, FollowingWatch
from xarm_planar_driver.phases import Phase, Request
from xarm_planar_driver.way_home import LARGEST_LAG
from xarm_twin.controller import EmulatedController, LagPlant
from xarm_twin.controller.firmware import State

LIMITS = load_safety_limits()
PERIOD = 0.01
joints = st.integers(0, xarm6.JOINTS - 1)


def beside(joint: int, error: float) -> np.ndarray:
    q = xarm6.HOME_Q.copy()
    q[joint] += error
    return q


def watch(watcher, errors, period=PERIOD):
    """Check one measurement per error (joint, [rad], height [m]); return when it was too much."""
    t = 100.0
    for joint, error, height in errors:
        t += period
        try:
            watcher.check(t, xarm6.HOME_Q, beside(joint, error), height)
        except ArmFault:
            return t - 100.0
    return None


within = st.tuples(
    joints,
    st.floats(-0.999, 0.999).map(lambda share: share * LIMITS.max_joint_error),
    st.floats(-0.999, 0.999).map(lambda share: share * LIMITS.max_height_error),
)
far = st.floats(1.001, 20.0)
beyond = st.one_of(
    st.tuples(joints, far.map(lambda share: -share * LIMITS.max_joint_error), st.just(0.0)),
    st.tuples(joints, st.just(0.0), far.map(lambda share: share * LIMITS.max_height_error)),
)
moments = st.lists(beyond, max_size=round(LASTING / PERIOD) - 1)


@given(st.lists(st.tuples(moments, within), max_size=8))
def test_what_is_within_the_limits_or_over_in_a_moment_is_no_fault(history):
    errors = [error for spell, between in history for error in (*spell, between)]
    assert watch(FollowingWatch(LIMITS), errors) is None


@given(st.lists(beyond, min_size=100, max_size=100), st.sampled_from([0.005, 0.01, 0.05, 0.4]))
def test_what_lasts_is_a_fault_however_seldom_it_is_measured(errors, period):
    found = watch(FollowingWatch(LIMITS), errors, period)
    assert found is not None
    assert found <= max(LASTING + 2 * period, FEWEST * period) + 1e-9


def test_the_worst_is_told_once():
    watcher = FollowingWatch(LIMITS)
    watch(watcher, [(1, 0.02, 0.001), (2, -0.03, -0.002), (0, 0.0, 0.0)])
    assert watcher.take_worst() == pytest.approx((0.03, 0.002))
    assert watcher.take_worst() == (0.0, 0.0)


# The real SDK and an emulated arm.


class SlippingArm(LagPlant):
    """An arm whose joints are beside where its motors think that they are."""

    slip = np.zeros(xarm6.JOINTS)

    def joint_positions(self) -> np.ndarray:
        return super().joint_positions() + self.slip


@pytest.fixture
def arm():
    return SlippingArm(xarm6.HOME_Q)


@pytest.fixture
def active(arm, connect):
    with EmulatedController(arm) as emulator:
        under_test = connect(emulator)
        under_test.emulator = emulator
        assert under_test.ask(Request.ENABLE).success
        assert under_test.settles_at(0.0, 0.0)
        yield under_test


def lower(under_test, millimetres):
    """Joint positions (6,) [rad] that put the tool so far below where it is, minus where it is."""
    kinematics = under_test.driver._kinematics
    q, place = under_test.newest.q, under_test.newest.tcp.position
    return kinematics.inverse(place - (0.0, 0.0, millimetres * 1e-3), q) - q


@pytest.mark.parametrize('is_led', [False, True], ids=['at rest', 'led'])
@pytest.mark.parametrize(
    ('slip', 'said'),
    [
        ((3, 0.5), 'joint4 is at'),
        ((5, 1.05), 'joint6 is at'),
        ((0, -0.4), 'joint1 is at'),
        (10.0, r'the tool is -1\d.\d mm from its plane: limit 5 mm'),
        (20.0, r'the tool is -2\d.\d mm from its plane'),
        (26.0, r'the tool is -[23]\d.\d mm from its plane'),
    ],
)
def test_joints_and_tool_that_are_not_where_they_were_sent_stop_the_arm(
    active, arm, slip, said, is_led
):
    if is_led:
        active.move(0.02, 0.01)
    if isinstance(slip, tuple):
        arm.slip = beside(*slip) - xarm6.HOME_Q
    else:
        arm.slip = lower(active, slip)
    if is_led:
        active.move(0.01, 0.0)
    assert wait_for(lambda: active.driver.phase is Phase.STOPPED)
    status = active.driver.status()
    assert status.fault is Fault.NOT_FOLLOWING
    assert status.reason.startswith('the arm is not where it was sent: ')
    assert re.search(said, status.reason)
    assert wait_for(lambda: active.emulator.state.snapshot().state == State.STOPPED)


@pytest.mark.parametrize('lag', [0.02, 0.1])
def test_an_arm_that_lags_is_not_stopped(connect, lag):
    """At the gate's top speed, and to the joints' near the far corners."""
    with EmulatedController(LagPlant(xarm6.HOME_Q, lag)) as emulator:
        under_test = connect(emulator)
        assert under_test.ask(Request.ENABLE).success
        for x, y in ((0.05, 0.04), (0.05, -0.05), (-0.05, 0.0)):
            for _ in range(10):
                under_test.move(x, y)
                time.sleep(0.1)
        assert under_test.driver.phase is Phase.ACTIVE
        status = under_test.driver.status()
        assert 0.002 < status.worst_joint_error < LIMITS.max_joint_error
        assert status.worst_height_error < LIMITS.max_height_error


def test_a_measurement_that_jumps_for_a_moment_is_no_fault(active, arm):
    arm.slip = beside(5, 1.0) - xarm6.HOME_Q
    time.sleep(0.1)
    arm.slip = np.zeros(xarm6.JOINTS)
    time.sleep(2 * LASTING)
    assert active.driver.phase is Phase.ACTIVE
    assert float(str(active.driver.status().values()['worst_joint_error_rad'])) > 0.9


def test_joints_are_compared_on_the_way_home_and_off_the_plane_too(connect):
    start = np.array([0.4, -0.6, -0.5, 0.1, 1.0, 0.2])
    arm = SlippingArm(start)
    with EmulatedController(arm) as emulator:
        under_test = connect(emulator)
        under_test.driver.enable(10.0)
        assert under_test.driver.phase is Phase.HOMING
        arm.slip = beside(5, 0.5) - xarm6.HOME_Q
        assert wait_for(lambda: under_test.driver.status().fault is Fault.NOT_FOLLOWING)
        arm.slip = np.zeros(xarm6.JOINTS)
        time.sleep(0.2)
        assert under_test.ask(Request.RESET).success
        assert under_test.driver.phase is Phase.HOLDING
        time.sleep(2 * LASTING)
        assert under_test.driver.phase is Phase.HOLDING  # high above its plane, where it was reset
        arm.slip = beside(3, -0.5) - xarm6.HOME_Q
        assert wait_for(lambda: under_test.driver.status().fault is Fault.NOT_FOLLOWING)


def test_a_tool_that_is_held_up_in_its_plane_is_waited_for_and_not_stopped():
    """The largest difference that the setpoint makes while it waits is within the limit."""
    kinematics = Xarm6Kinematics()
    reach, worst = LIMITS.max_following_error, 0.0
    for x, y in itertools.product(np.linspace(0.2, 0.6, 5), np.linspace(-0.28, 0.28, 5)):
        here = kinematics.planar((x, y), xarm6.HOME_Q)
        for angle in np.linspace(0.0, 2 * math.pi, 8, endpoint=False):
            there = np.array((x + reach * math.cos(angle), y + reach * math.sin(angle)))
            if DEFAULT_WORKSPACE.contains(there):
                worst = max(worst, np.abs(kinematics.planar(there, here) - here).max())
    kinematics.close()
    assert 0.1 < worst < LIMITS.max_joint_error
    assert LIMITS.max_joint_error > LARGEST_LAG


def test_a_tighter_limit_of_a_site_counts():
    tight = replace(LIMITS, max_joint_error=0.02, max_height_error=0.002)
    assert watch(FollowingWatch(tight), [(4, 0.021, 0.0)] * 50) is not None
    assert watch(FollowingWatch(tight), [(4, 0.0, 0.0021)] * 50) is not None
    assert watch(FollowingWatch(tight), [(4, 0.019, 0.0019)] * 50) is None
