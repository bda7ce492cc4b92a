import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planar_arm import xarm6
from planar_arm.errors import BadGeometry, PlanarArmError
from planar_arm.homing import SAG, home_path
from planar_arm.joint_ramp import ACCELERATION, JERK, joint_ramp
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.workspace import DEFAULT_WORKSPACE

joints = st.lists(st.floats(-3.0, 3.0), min_size=6, max_size=6)


@given(joints, joints, st.floats(0.1, 3.0))
def test_ends_exactly_and_never_exceeds_the_speed(q0, q1, speed):
    path = [np.array(q0), *joint_ramp(q0, q1, speed, 0.01)]
    assert (path[-1] == q1).all() or q0 == q1
    steps = np.abs(np.diff(path, axis=0))
    assert steps.max(initial=0.0) <= speed * 0.01 * (1 + 1e-6)


@given(joints, joints, st.floats(0.05, 3.0))
def test_starts_and_stops_gently_however_short_the_way(q0, q1, speed):
    path = [np.array(q0)] * 3 + list(joint_ramp(q0, q1, speed, 0.01)) + [np.array(q1)] * 3
    assert np.abs(np.diff(path, n=2, axis=0)).max() <= ACCELERATION * 0.01**2 * (1 + 1e-6)
    assert np.abs(np.diff(path, n=3, axis=0)).max() <= JERK * 0.01**3 * (1 + 1e-6)


def test_nowhere_to_go_is_no_steps():
    assert list(joint_ramp(np.ones(6), np.ones(6), 1.0)) == []


@pytest.mark.parametrize(
    ('q0', 'q1', 'speed'), [([np.nan] * 6, [0] * 6, 1.0), ([0] * 6, [1] * 6, 0.0)]
)
def test_nonsense_is_refused(q0, q1, speed):
    with pytest.raises(BadGeometry):
        list(joint_ramp(q0, q1, speed))


@pytest.fixture(scope='module')
def kinematics():
    solver = Xarm6Kinematics()
    yield solver
    solver.close()


@pytest.mark.parametrize(
    'start', [(0,) * 6, (0, -0.8, -0.5, 0, 1.3, 0), (1.5, -0.4, -0.1, 0, 0.5, 0.3)]
)
def test_the_way_home_rises_before_it_comes_down(kinematics, start):
    path = list(home_path(kinematics, DEFAULT_WORKSPACE, start, 0.5, 0.25, 0.01))
    np.testing.assert_allclose(path[-1], xarm6.HOME_Q, atol=1e-5)
    heights = [kinematics.forward(q).position[2] for q in path]
    begin = kinematics.forward(start).position[2]
    assert min(heights) >= min(begin, DEFAULT_WORKSPACE.tool_height) - SAG
    assert np.abs(np.diff([start, *path], axis=0)).max() <= 0.5 * 0.01 * (1 + 1e-6)


def test_a_way_home_through_the_board_is_refused(kinematics):
    behind = np.array([-2.11, 1.42, -0.13, 0.13, 0.76, -0.54])
    with pytest.raises(PlanarArmError, match='into the board'):
        list(home_path(kinematics, DEFAULT_WORKSPACE, behind, 0.5, 0.25, 0.01))


anywhere = st.tuples(
    *(st.floats(*limits) for limits in zip(xarm6.JOINT_LOWER, xarm6.JOINT_UPPER, strict=True))
)


@settings(max_examples=15)
@given(start=anywhere, joint_speed=st.floats(0.1, 1.0), tool_speed=st.floats(0.05, 0.3))
def test_the_way_home_is_as_slow_as_joints_and_tool_ask_for(
    kinematics, start, joint_speed, tool_speed
):
    period = 0.2
    try:
        way = home_path(kinematics, DEFAULT_WORKSPACE, start, joint_speed, tool_speed, period)
    except PlanarArmError:
        return
    path = np.array([start, *way])
    tool = np.array([kinematics.forward(q).position for q in path])
    fastest = np.abs(np.diff(path, axis=0)).max() / period
    tool_fastest = np.linalg.norm(np.diff(tool, axis=0), axis=1).max() / period
    assert fastest <= joint_speed * (1 + 1e-6)
    assert tool_fastest <= tool_speed
    assert fastest > 0.6 * joint_speed or tool_fastest > 0.6 * tool_speed
