"""After a stop and a reset the arm stays where it is until a person asks it to move."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_arm import NOW_NS, SETTINGS, WatchedArm, make_motion

from planar_arm import xarm6
from planar_arm.servo import TOOL_PLANE_TOLERANCE
from waiting import wait_for
from xarm_planar_driver.arbitration import Acts, Command, Source
from xarm_planar_driver.driver_status import Level
from xarm_planar_driver.phases import ENABLED, Phase, Request
from xarm_planar_driver.status_reports import StatusReport
from xarm_twin.controller import EmulatedController, LagPlant, inject

MOVE = np.array((0.01, 0.0))


class Stage:
    """An arm, who commands it, and a clock."""

    def __init__(self, kinematics):
        self.arm = WatchedArm(xarm6.HOME_Q, kinematics)
        self.arm.tolerance = TOOL_PLANE_TOLERANCE
        self.motion = make_motion(self.arm, kinematics)
        self.acts = Acts()
        self.said = []
        self.t = 100.0

    def ask(self, request):
        self.motion.handle(request, self.t, self.said.append)

    def tick(self, count):
        for _ in range(count):
            self.t += SETTINGS.period
            self.motion.tick(self.t, StatusReport(self.t, state=1, mode=1, error=0, warning=0))
            self.motion.measured(self.t, self.arm.q, self.arm.place)

    def send(self, source, delta=MOVE, ahead_ns=0):
        command = Command(source, np.array(delta), NOW_NS + ahead_ns, self.t)
        return self.motion.command(self.acts.stamp(command), self.t, NOW_NS)

    def lead_on(self, seconds):
        """Hold the button for `seconds` [s], as the mouse does: twenty commands a second."""
        for _ in range(round(seconds / 0.05)):
            self.send(Source.TELEOP)
            self.tick(5)


anything = st.floats(allow_nan=True, allow_infinity=True)
ordinary = st.floats(-0.06, 0.06)
commands = st.tuples(
    st.just('policy'),
    st.one_of(st.tuples(ordinary, ordinary), st.tuples(anything, anything)),
    st.integers(-(10**8), 10**7),
)
events = st.one_of(
    commands,
    commands,
    st.tuples(st.just('lead on'), st.floats(0.05, 1.0)),
    st.tuples(st.just('off')),
    st.tuples(st.just('ask'), st.sampled_from([Request.ENABLE, Request.RESET])),
)
sags = st.lists(st.floats(-0.006, 0.006), min_size=6, max_size=6)


@settings(max_examples=30, deadline=None)
@given(
    sag=sags,
    before=st.lists(events, max_size=5),
    meanwhile=st.lists(events, max_size=5),
    after=st.lists(st.tuples(events, st.integers(1, 40)), max_size=8),
)
def test_nothing_moves_the_arm_after_a_reset_until_a_person_acts(
    kinematics, sag, before, meanwhile, after
):
    stage = Stage(kinematics)
    stage.ask(Request.ENABLE)
    stage.tick(5)
    stage.acts.policy_switched(True, stage.t)
    stage.lead_on(0.3)

    def play(event):
        match event:
            case ('policy', delta, ahead_ns):
                stage.send(Source.POLICY, delta, ahead_ns)
            case ('lead on', seconds):
                stage.lead_on(seconds)
            case ('off',):
                stage.acts.policy_switched(False, stage.t)
            case ('ask', request):
                stage.ask(request)

    for event in before:
        play(event)
    stage.ask(Request.STOP)
    stage.arm.q = stage.arm.q + np.array(sag)
    for event in meanwhile:
        if event[0] != 'ask':
            play(event)
        stage.lead_on(0.2)  # the button stays pressed throughout
    stage.ask(Request.RESET)
    if stage.motion.phase not in ENABLED:  # it sagged too far for any way home
        return
    where = stage.arm.q.copy()
    for event, ticks in after:
        stage.lead_on(0.2)
        play(event)
        stage.tick(ticks)
        stage.lead_on(0.05)
        np.testing.assert_array_equal(stage.arm.q, where)
    if stage.motion.phase is Phase.HOLDING:
        stage.ask(Request.HOME)
        stage.tick(3000)
        assert stage.motion.phase is Phase.ACTIVE
    stage.tick(100)
    here = stage.arm.q.copy()
    assert not stage.send(Source.POLICY)
    stage.acts.policy_switched(True, stage.t)
    assert stage.send(Source.POLICY)
    stage.tick(30)
    assert np.abs(stage.arm.q - here).max() > 1e-3


@pytest.mark.parametrize('pause', [0.3, 0.6])
def test_a_person_leads_again_after_letting_go(kinematics, pause):
    stage = Stage(kinematics)
    stage.ask(Request.ENABLE)
    stage.tick(5)
    stage.lead_on(0.5)
    stage.ask(Request.STOP)
    stage.ask(Request.RESET)
    stage.tick(2)
    stage.lead_on(0.5)
    stage.tick(round(pause / SETTINGS.period))
    assert stage.send(Source.TELEOP) == (pause > 0.5)


# The real SDK and an emulated arm.


def act(under_test, seconds):
    """Send what a policy of 10 mm at 5 Hz sends."""
    for _ in range(round(seconds / 0.2)):
        under_test.move(0.01, 0.0, Source.POLICY)
        time.sleep(0.2)


def test_a_policy_that_goes_on_sending_does_not_move_an_arm_that_was_reset(emulator, connect):
    under_test = connect(emulator)
    assert under_test.ask(Request.ENABLE).success
    under_test.driver.policy_switched(True)
    act(under_test, 0.6)
    inject(emulator, 'collision')
    assert wait_for(lambda: under_test.driver.phase is Phase.STOPPED)
    where = emulator.state.snapshot().q_command
    assert under_test.ask(Request.RESET).message == 'holding where the arm was'
    act(under_test, 1.0)
    np.testing.assert_allclose(emulator.state.snapshot().q_command, where, atol=1e-6)
    level, said = under_test.driver.status().judge()
    assert level is Level.WARN
    assert 'enable it anew (policy/enable, key P)' in said
    assert under_test.driver.status().values()['ignored_policy_from_before_reset'] >= 4
    under_test.driver.policy_switched(True)
    act(under_test, 0.4)
    assert wait_for(
        lambda: np.abs(emulator.state.snapshot().q_command - where).max() > 1e-3, timeout=5.0
    )


class SaggingArm(LagPlant):
    """An arm whose brakes close a moment too late."""

    def sag(self, q) -> None:
        self.set_joint_targets(self.joint_positions() + q)


def press_and_sag(under_test, emulator, arm, joint2):
    """Press the emergency stop, let joint 2 sag by `joint2` [rad], release the button."""
    inject(emulator, 'press-estop')
    assert wait_for(lambda: under_test.driver.phase is Phase.STOPPED)
    assert wait_for(lambda: under_test.driver.status().is_reached)
    arm.sag(np.array((0.0, joint2, 0.0, 0.0, 0.0, 0.0)))
    time.sleep(0.3)
    inject(emulator, 'release-estop')


@pytest.mark.parametrize(
    ('sag', 'off_mm'),
    [(0.0062, -2.2), (-0.0062, 2.2), (0.0014, -0.5)],
    ids=['low', 'high', 'little'],
)
def test_after_an_emergency_stop_with_a_sag_it_stays_until_it_is_sent_home(connect, sag, off_mm):
    arm = SaggingArm(xarm6.HOME_Q)
    with EmulatedController(arm) as emulator:
        under_test = connect(emulator)
        assert under_test.ask(Request.ENABLE).success
        for _ in range(5):
            under_test.move(0.02, 0.02)
            time.sleep(0.2)
        assert under_test.settles_at(0.1, 0.1)
        press_and_sag(under_test, emulator, arm, sag)
        where = under_test.newest.tcp.position
        height_mm = 1e3 * (where[2] - under_test.newest.tool_height)
        assert height_mm == pytest.approx(off_mm, abs=0.2)
        reset = under_test.ask(Request.RESET)
        assert reset.success
        time.sleep(0.5)
        under_test.move(0.02, 0.0, Source.POLICY)
        time.sleep(0.5)
        assert math.dist(under_test.newest.tcp.position, where) < 1e-4
        if abs(off_mm) < 1.0:
            assert under_test.driver.phase is Phase.ACTIVE
            return
        assert under_test.driver.phase is Phase.HOLDING
        assert 'mm from its plane' in reset.message
        assert reset.message.endswith('move the arm home first (arm/home, key H)')
        under_test.move(0.02, 0.0)
        assert wait_for(lambda: under_test.driver.status().ignored.get('teleop_while_holding') == 1)
        level, said = under_test.driver.status().judge()
        assert level is Level.WARN
        assert said.startswith('holding: tool is')
        assert math.dist(under_test.newest.tcp.position, where) < 1e-4
        assert under_test.ask(Request.HOME).message == 'at home'
        assert under_test.settles_at(0.0, 0.0)


def test_a_second_stop_while_it_holds_off_its_plane(connect):
    arm = SaggingArm(xarm6.HOME_Q)
    with EmulatedController(arm) as emulator:
        under_test = connect(emulator)
        assert under_test.ask(Request.ENABLE).success
        press_and_sag(under_test, emulator, arm, 0.008)
        assert under_test.ask(Request.RESET).success
        assert under_test.driver.phase is Phase.HOLDING
        inject(emulator, 'collision')  # noticed within a tick: the point is sent again and again
        assert wait_for(lambda: under_test.driver.phase is Phase.STOPPED)
        assert 'C31' in under_test.driver.status().reason
        assert under_test.ask(Request.RESET).success
        assert under_test.ask(Request.DISABLE).success
        assert under_test.driver.phase is Phase.IDLE
