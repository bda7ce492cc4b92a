"""Whatever is commanded and asked for, and whenever: what reaches the arm keeps the limits."""

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from watched_arm import NOW_NS, SETTINGS, WatchedArm, make_motion

from planar_arm import xarm6
from planar_arm.setpoint_motion import Interpolation
from xarm_planar_driver.arbitration import LET_GO, Command, Source
from xarm_planar_driver.errors import ArmSilent
from xarm_planar_driver.phases import Phase, Request
from xarm_planar_driver.report_watch import LONGEST_WITHOUT_REPORT
from xarm_planar_driver.status_reports import StatusReport

STARTS = (xarm6.HOME_Q, np.array([0.4, -0.6, -0.5, 0.1, 1.0, 0.2]), np.zeros(6))
EVER = st.integers(-(2**63), 2**63 - 1)


anything = st.floats(allow_nan=True, allow_infinity=True)
ordinary = st.floats(-0.06, 0.06)
commands = st.tuples(
    st.just('command'),
    st.sampled_from(Source),
    st.one_of(st.tuples(ordinary, ordinary), st.tuples(anything, anything)),
    st.one_of(st.integers(-(10**8), 10**7), EVER),  # stamp after now [ns]
)
events = st.one_of(
    commands,
    commands,
    st.tuples(st.just('request'), st.sampled_from(Request)),
    st.tuples(st.just('clock'), EVER),
    st.tuples(st.sampled_from(['refuse', 'mute', 'lose', 'deaf']), st.booleans()),
    st.tuples(st.just('lead by hand'), st.sampled_from(STARTS)),
)
# How late the first tick after an event is [s].
histories = st.lists(
    st.tuples(events, st.sampled_from([0.0, 0.0, 0.03, 2.0, 4.0]), st.integers(0, 30)), max_size=25
)


def rearms(event):
    return event[0] == 'lead by hand' or event == ('request', Request.RESET)


def play(motion, arm, history):
    """Let everything of `history` happen."""
    t, now_ns = 100.0, NOW_NS
    is_deaf, heard, enabled = False, t, t
    for (name, *arguments), late, ticks in history:
        match name:
            case 'command':
                source, delta, ahead_ns = arguments
                motion.command(Command(source, np.array(delta), now_ns + ahead_ns), t, now_ns)
            case 'request':
                motion.handle(arguments[0], t, lambda _: None)
            case 'clock':
                now_ns = arguments[0]
            case 'refuse':
                arm.refuses = arguments[0]
            case 'mute':
                arm.is_mute = arguments[0]
            case 'lose':
                arm.loses = arguments[0]
            case 'deaf':
                is_deaf = arguments[0]
            case 'lead by hand':
                motion.handle(Request.STOP, t, lambda _: None)
                arm.q = arguments[0].copy()
                motion.handle(Request.RESET, t, lambda _: None)
        t += late
        if name in ('request', 'lead by hand'):
            enabled = t + SETTINGS.period  # when the next tick may find it so
        for _ in range(ticks):
            t, now_ns = t + SETTINGS.period, now_ns + int(SETTINGS.period * 1e9)
            heard = heard if is_deaf else t
            try:
                motion.tick(t, StatusReport(heard, state=1, mode=1, error=0, warning=0))
            except ArmSilent:
                assert arm.is_mute or arm.loses
            motion.measured(t, arm.q, arm.place)
            if t - max(heard, enabled) > LONGEST_WITHOUT_REPORT + SETTINGS.period:
                assert motion.phase in (Phase.IDLE, Phase.STOPPED)
        if motion.phase not in (Phase.IDLE, Phase.STOPPED):
            assert not arm.stopped
        elif not arm.loses and (ticks or motion.is_reached):  # each tick tells it again
            assert arm.stopped


@pytest.mark.parametrize('start', STARTS[:2], ids=['in the plane', 'on the way to it'])
def test_a_silent_arm_owes_one_point_at_most(kinematics, start):
    """A link that freezes delivers later, and at once, all that was sent meanwhile."""
    arm = WatchedArm(start, kinematics)
    motion = make_motion(arm, kinematics)
    history = [
        (('request', Request.ENABLE), 0.0, 5),
        (('command', Source.TELEOP, (0.05, 0.0), 0), 0.0, 5),
        (('lose', True), 0.0, 20),
        (('lose', False), 0.0, 400),
    ]
    play(motion, arm, history)
    assert motion.phase is Phase.ACTIVE
    goal = 0.05 if start is STARTS[0] else 0.0
    reached = kinematics.forward(arm.q).position[:2]
    np.testing.assert_allclose(reached, (xarm6.HOME_XY[0] + goal, xarm6.HOME_XY[1]), atol=1e-4)


def test_a_link_that_froze_for_longer_delivers_nothing_that_nobody_wants_any_more(kinematics):
    arm = WatchedArm(xarm6.HOME_Q, kinematics)
    motion = make_motion(arm, kinematics)
    play(
        motion,
        arm,
        [
            (('request', Request.ENABLE), 0.0, 5),
            (('command', Source.TELEOP, (0.05, 0.0), 0), 0.0, 5),
        ],
    )
    before = kinematics.forward(arm.q).position[0]
    t = 100.0 + 10 * SETTINGS.period + LET_GO
    arm.loses = True
    for late, arm.loses in ((0.3, True), (0.6, True), (0.61, False), (0.62, False), (1.0, False)):
        with contextlib.suppress(ArmSilent):
            motion.tick(t + late, StatusReport(t + late, state=1, mode=1, error=0, warning=0))
    one_tick = SETTINGS.period * motion._gate.limits.max_tcp_speed
    assert kinematics.forward(arm.q).position[0] <= before + one_tick + 1e-6


def test_who_hears_of_a_refusal_finds_the_arm_stopped(kinematics):
    arm = WatchedArm(xarm6.HOME_Q, kinematics)
    motion = make_motion(arm, kinematics)
    arm.refuses = True
    heard = []
    motion.handle(
        Request.ENABLE, 0.0, lambda outcome: heard.append((outcome.success, motion.phase))
    )
    assert heard == [(False, Phase.STOPPED)]


@settings(max_examples=25, deadline=None)
@given(step_ns=EVER, move=st.tuples(anything, anything), stamp_ns=EVER)
def test_no_policy_moves_what_a_person_leads_whatever_the_clock_says(
    kinematics, step_ns, move, stamp_ns
):
    """Also where the person's commands are of no use: they say that somebody leads."""
    arm = WatchedArm(xarm6.HOME_Q, kinematics)
    motion = make_motion(arm, kinematics)
    play(motion, arm, [(('request', Request.ENABLE), 0.0, 10)])
    assert motion.phase is Phase.ACTIVE

    def policy(t, now_ns):
        return motion.command(Command(Source.POLICY, np.array((0.01, 0.0)), now_ns), t, now_ns)

    assert policy(200.0, NOW_NS)
    motion.command(Command(Source.TELEOP, np.array(move), stamp_ns), 200.1, NOW_NS)
    assert not policy(200.2, step_ns)
    assert not policy(200.55, step_ns)
    assert policy(200.65, step_ns)


@pytest.mark.parametrize('interpolation', Interpolation)
@settings(max_examples=50, deadline=None)
@given(start=st.sampled_from(STARTS), history=histories, moves=st.booleans())
def test_no_history_sends_the_arm_beyond_its_limits(
    kinematics, interpolation, start, history, moves
):
    arm = WatchedArm(start, kinematics)
    motion = make_motion(arm, kinematics, replace(SETTINGS, interpolation=interpolation))
    if moves:  # most histories begin with an arm that is ready
        play(motion, arm, [(('request', Request.ENABLE), 0.0, 400)])
        assert motion.phase in (Phase.ACTIVE, Phase.STOPPED)
    play(motion, arm, history)
    arm.refuses = arm.is_mute = arm.loses = False
    play(motion, arm, [(('request', Request.STOP), 0.0, 0)])
    points = arm.points
    play(motion, arm, [step for step in history if not rearms(step[0])])
    assert (arm.points, motion.phase) == (points, Phase.STOPPED)
