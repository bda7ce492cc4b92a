"""A tool that is held up: the setpoint does not run away from it, and people hear of it."""

import math
import time

import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.safety import load_safety_limits
from waiting import wait_for
from xarm_planar_driver.driver_status import Level
from xarm_planar_driver.phases import Request
from xarm_planar_driver.way_home import LARGEST_LAG
from xarm_twin.controller import EmulatedController, LagPlant


class HeldArm(LagPlant):
    """An arm that something can hold where it is."""

    def __init__(self, q=xarm6.HOME_Q) -> None:
        super().__init__(q)
        self.held = False

    def set_joint_targets(self, q) -> None:
        super().set_joint_targets(self.joint_positions() if self.held else q)


@pytest.fixture
def arm():
    return HeldArm()


@pytest.fixture
def active(arm, connect):
    with EmulatedController(arm) as emulator:
        under_test = connect(emulator)
        assert under_test.ask(Request.ENABLE).success
        assert under_test.settles_at(0.0, 0.0)
        yield under_test


def leads(under_test):
    """Distances of commanded and measured tool in all ticks so far [m]."""
    return [
        math.dist(report.setpoint_xy, report.tcp.position[:2])
        for report in under_test.reports
        if report.setpoint_xy is not None
    ]


def push_on(under_test, seconds: float) -> None:
    """Lead on, whatever holds the tool."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        under_test.move(0.04, 0.01)
        time.sleep(0.05)


def goal_of(under_test):
    """Where the setpoint is going, relative to home [m]."""
    return np.subtract(under_test.driver._motion._course._servo.goal, xarm6.HOME_XY)


def test_the_setpoint_waits_and_goes_on_when_the_tool_is_free(active, arm):
    arm.held = True
    push_on(active, 0.5)
    assert wait_for(lambda: active.interventions.get('setpoint_waits_for_tool', 0) > 20)
    limit = load_safety_limits().max_following_error
    assert 0.8 * limit < max(leads(active)) <= limit + 1e-3
    active.driver.status()
    push_on(active, 0.3)
    judged = active.driver.status().judge()
    assert judged == (Level.WARN, 'the tool does not follow: is something in its way?')
    arm.held = False
    assert active.settles_at(*goal_of(active))
    assert active.reports[-1].tcp.position[0] - xarm6.HOME_XY[0] > 0.04
    active.driver.status()
    time.sleep(0.1)
    assert active.driver.status().waited == 0


def test_a_tool_that_comes_free_once_nobody_leads_goes_no_farther_than_the_setpoint(active, arm):
    arm.held = True
    push_on(active, 0.5)
    assert np.linalg.norm(goal_of(active)) > 0.05
    assert wait_for(lambda: np.linalg.norm(goal_of(active)) < 0.035)
    arm.held = False
    assert active.settles_at(*goal_of(active))


def test_an_arm_that_follows_does_not_make_the_setpoint_wait(active):
    for _ in range(5):
        active.move(0.05, 0.0)
        time.sleep(0.2)
    assert active.settles_at(0.25, 0.0)
    assert not active.interventions


def test_on_the_way_home_too_commands_wait_for_the_arm(connect):
    arm = HeldArm(np.array([0.4, -0.6, -0.5, 0.1, 1.0, 0.2]))
    with EmulatedController(arm) as emulator:
        under_test = connect(emulator)
        at_home = under_test.driver.enable(10.0)
        arm.held = True
        assert wait_for(lambda: under_test.interventions.get('setpoint_waits_for_tool', 0) > 20)
        lag = np.abs(emulator.state.snapshot().q_command - arm.joint_positions()).max()
        assert 0.8 * LARGEST_LAG < lag < LARGEST_LAG + 0.02
        assert not at_home.done()
        arm.held = False
        assert at_home.result(30.0).success
        assert under_test.settles_at(0.0, 0.0)
