"""Commands that come regularly, late, early or not at all, as motion of bounded jerk."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planar_arm.jerk_limited_motion import JerkLimitedMotion
from planar_arm.linear_motion import LinearMotion
from planar_arm.safety import SAME_POINT, SafetyGate, SafetyLimits, load_safety_limits
from planar_arm.workspace import Workspace

DT = 0.01
PERIOD = 0.2
LIMITS = load_safety_limits()
TABLE = Workspace(((0.2, -0.28), (0.6, -0.28), (0.6, 0.28), (0.2, 0.28)), 0.03)
TURNED = Workspace(((0.2, 0.0), (0.42, -0.3), (0.6, 0.1), (0.4, 0.25)), 0.03)
START = np.array((0.3, 0.0))


def play(motion_type, commands, seconds, tool=None, limits=LIMITS, start=START, workspace=TABLE):
    """Return the setpoints (N, 2) of every tick; commands are (time, delta)."""
    gate = SafetyGate(limits, workspace)
    motion = motion_type(gate)
    motion.start(start)
    points, waiting = [start], list(commands)
    for tick in range(round(seconds / DT)):
        t = tick * DT
        while waiting and waiting[0][0] <= t + 0.5 * DT:
            goal = gate.limit_goal(motion.at(t), motion.goal + waiting.pop(0)[1])
            motion.toward(goal, t, PERIOD)
        point = motion.propose(t, DT, points[-1] if tool is None else tool)
        motion.confirm(point, t, DT)
        points.append(point)
    return np.array(points)


def lengths(points, order):
    """Lengths of the derivatives of that order."""
    return np.linalg.norm(np.diff(points, n=order, axis=0), axis=1) / DT**order


def every_period(delta, count, late=(0.0,)):
    return [(PERIOD * i + late[i % len(late)], np.array(delta)) for i in range(count)]


def test_regular_commands_flow_and_end_where_they_say():
    points = play(JerkLimitedMotion, every_period((0.02, 0.01), 8), 2.2)
    np.testing.assert_allclose(points[-1], START + 8 * np.array((0.02, 0.01)), atol=1e-9)
    speeds = lengths(points, 1)
    np.testing.assert_allclose(speeds[30:155], math.hypot(0.1, 0.05), rtol=0.04)
    assert lengths(points, 2).max() <= LIMITS.max_tcp_acceleration * 1.001
    assert lengths(points, 3).max() <= LIMITS.max_tcp_jerk * 1.001


def test_late_commands_are_smooth_where_ramps_stop_and_go():
    commands = every_period((0.02, 0.0), 8, late=(0.0, 0.03))
    speeds = {
        motion: lengths(play(motion, commands, 2.0), 1)[40:150]
        for motion in (LinearMotion, JerkLimitedMotion)
    }
    assert speeds[LinearMotion].min() == 0.0
    assert speeds[JerkLimitedMotion].min() > 0.07
    changes = {motion: np.abs(np.diff(each)).max() / DT for motion, each in speeds.items()}
    assert changes[JerkLimitedMotion] < 0.4 * changes[LinearMotion]


def test_it_is_a_tenth_of_a_second_later_than_the_ramp():
    commands = every_period((0.02, 0.0), 8)
    ramp, smooth = (play(motion, commands, 2.0) for motion in (LinearMotion, JerkLimitedMotion))
    assert 0 < (ramp - smooth)[:, 0].max() < 0.1 * 0.1


def test_a_lost_command_is_a_gentle_stop_at_the_goal():
    points = play(JerkLimitedMotion, every_period((0.04, 0.0), 2), 1.0)
    np.testing.assert_allclose(points[-1], START + np.array((0.08, 0.0)), atol=1e-9)
    assert (points[:, 0] <= points[-1, 0] + 1e-9).all()  # never beyond it
    assert lengths(points, 2).max() <= LIMITS.max_tcp_acceleration * 1.001


def test_hold_stops_as_soon_as_the_limits_allow():
    gate = SafetyGate(LIMITS, TABLE)
    motion = JerkLimitedMotion(gate)
    motion.start(START)
    motion.toward(np.array((0.37, 0.0)), 0.0, PERIOD)
    points = [START]
    for tick in range(60):
        if tick == 20:
            motion.hold(tick * DT)
        point = motion.propose(tick * DT, DT, points[-1])
        motion.confirm(point, tick * DT, DT)
        points.append(point)
    speed = lengths(points, 1)[19]
    slowest = LIMITS.max_tcp_acceleration / math.sqrt(2)
    assert speed > 0.15
    assert points[-1][0] - points[20][0] < speed**2 / slowest
    np.testing.assert_allclose(points[-1], motion.goal, atol=1e-9)
    assert lengths(points, 2).max() <= LIMITS.max_tcp_acceleration * 1.001


def test_a_tool_that_is_held_is_waited_for_without_a_jerk():
    points = play(JerkLimitedMotion, every_period((0.05, 0.0), 4), 2.0, tool=START)
    farthest = np.linalg.norm(points - START, axis=1).max()
    assert 0.9 * LIMITS.max_following_error < farthest <= LIMITS.max_following_error + SAME_POINT
    assert lengths(points, 2).max() <= LIMITS.max_tcp_acceleration * 1.001


coordinates = st.floats(0.0, 0.8)
places = st.tuples(coordinates, st.floats(-0.5, 0.5))
histories = st.lists(
    st.tuples(
        st.sampled_from(['toward', 'toward', 'hold']),
        places,
        st.sampled_from([0.0, 0.02, 0.2, 1.0, math.inf]),  # duration
        st.one_of(st.none(), st.none(), places, st.just((math.nan, 0.0))),  # tool
        st.integers(1, 30),  # ticks
    ),
    min_size=1,
    max_size=10,
)
some_limits = st.builds(
    SafetyLimits,
    max_tcp_speed=st.floats(0.01, 1.0),
    max_tcp_acceleration=st.floats(0.1, 50.0),
    max_tcp_jerk=st.floats(1.0, 10_000.0),
    max_joint_speed=st.just(1.0),
    max_delta=st.just(0.2),
    max_lead=st.just(0.5),
    max_following_error=st.floats(0.005, 0.1),
    max_joint_error=st.just(0.5),
    max_height_error=st.just(0.009),
    max_command_age=st.just(1.0),
)


@pytest.mark.parametrize('workspace', [TABLE, TURNED], ids=['table', 'turned'])
@settings(max_examples=40)
@given(limits=some_limits, history=histories)
def test_whatever_the_limits_and_the_table_no_history_leaves_them(workspace, limits, history):
    gate = SafetyGate(limits, workspace)
    motion = JerkLimitedMotion(gate)
    points = [np.array((0.4, 0.0))] * 4
    motion.start(points[-1])
    for name, place, duration, tool, ticks in history:
        if name == 'toward':
            motion.toward(workspace.project(place), 0.0, duration)
        else:
            motion.hold(0.0)
        for _ in range(ticks):
            near = points[-1] if tool is None else np.array(tool)
            point = motion.propose(0.0, DT, near)
            motion.confirm(point, 0.0, DT)
            points = [*points[1:], point]
            assert workspace.contains(point, -1e-9)
            for order, limit in (
                (1, limits.max_tcp_speed),
                (2, limits.max_tcp_acceleration),
                (3, limits.max_tcp_jerk),
            ):
                rounding = 2**order * SAME_POINT / DT**order  # at the edge of the workspace
                assert lengths(points[-1 - order :], order)[0] <= limit * 1.001 + rounding
    assert not gate.interventions['setpoint_slowed']
    assert not gate.interventions['setpoint_outside_workspace']
