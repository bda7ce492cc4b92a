import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planar_arm import xarm6
from planar_arm.errors import UnreachablePose
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.workspace import DEFAULT_WORKSPACE

FLANGE_Q0 = np.array([0.207, 0.0, 0.112])
"""Vendor's wire example: flange at joint zero, tool down [m]."""


@pytest.fixture(scope='module')
def kinematics():
    solver = Xarm6Kinematics()
    yield solver
    solver.close()


def tilt(quaternion):
    return 2 * math.asin(min(1.0, float(np.linalg.norm(quaternion[1:]))))


def test_forward_at_zero_is_the_vendors_flange_plus_the_tool(kinematics):
    pose = kinematics.forward(np.zeros(6))
    expected = FLANGE_Q0 - (0.0, 0.0, xarm6.TOOL_LENGTH)
    np.testing.assert_allclose(pose.position, expected, atol=1e-6)
    assert tilt(pose.quaternion) < 1e-6


def test_forward_follows_the_vendors_example_of_joint1(kinematics):
    q = np.array([math.radians(60.0), 0, 0, 0, 0, 0])
    expected = (0.1035, 0.17927, 0.112 - xarm6.TOOL_LENGTH)
    np.testing.assert_allclose(kinematics.forward(q).position, expected, atol=1e-5)


def test_home_joints_put_the_tool_at_home(kinematics):
    pose = kinematics.forward(xarm6.HOME_Q)
    expected = (*xarm6.HOME_XY, DEFAULT_WORKSPACE.tool_height)
    np.testing.assert_allclose(pose.position, expected, atol=1e-6)
    assert tilt(pose.quaternion) < 1e-6


@settings(max_examples=200, deadline=None)
@given(st.floats(0.20, 0.60), st.floats(-0.28, 0.28), st.floats(0.20, 0.60), st.floats(-0.28, 0.28))
def test_inverse_round_trips_from_any_point_to_any_other(kinematics, x0, y0, x1, y1):
    seed = kinematics.planar((x0, y0), xarm6.HOME_Q)
    q = kinematics.planar((x1, y1), seed)
    pose = kinematics.forward(q)
    assert math.dist(pose.position, (x1, y1, DEFAULT_WORKSPACE.tool_height)) < 1e-5
    assert tilt(pose.quaternion) < 1e-4
    assert (q >= xarm6.JOINT_LOWER).all()
    assert (q <= xarm6.JOINT_UPPER).all()
    # On one branch the solution belongs to the point, whatever the way that led there.
    np.testing.assert_allclose(q, kinematics.planar((x1, y1), xarm6.HOME_Q), atol=1e-4)


def test_a_short_move_moves_the_joints_a_little(kinematics):
    q = xarm6.HOME_Q
    for y in np.arange(0.0, 0.25, 0.0025):
        following = kinematics.planar((0.3, y), q) if y else kinematics.planar((0.3, 0.0), q)
        if y:
            assert np.abs(following - q).max() < 0.015
        q = following


def test_same_question_same_answer(kinematics):
    first = kinematics.planar((0.5, -0.2), xarm6.HOME_Q)
    kinematics.planar((0.3, 0.1), xarm6.HOME_Q)
    assert (kinematics.planar((0.5, -0.2), xarm6.HOME_Q) == first).all()


@pytest.mark.parametrize('position', [(0.9, 0.0, 0.03), (0.05, 0.0, 0.03), (0.4, 0.0, -1.0)])
def test_out_of_reach_is_an_error_that_names_the_place(kinematics, position):
    with pytest.raises(UnreachablePose, match='tool at'):
        kinematics.inverse(position, xarm6.HOME_Q)


def test_the_other_branch_is_refused(kinematics):
    flipped = np.array([0.0, -0.39, -0.07, math.pi, -0.46, -math.pi])
    q = kinematics.inverse((0.24, 0.0, 0.03), flipped)
    assert abs(q[3] - math.pi) < 0.1, 'a flipped wrist stays flipped: no jump to the usual branch'


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(kinematics, bad):
    with pytest.raises(UnreachablePose, match='not finite'):
        kinematics.inverse((bad, 0.0, 0.03), xarm6.HOME_Q)
    with pytest.raises(UnreachablePose, match='not finite'):
        kinematics.inverse((0.3, 0.0, 0.03), np.full(6, bad))


def test_two_solvers_do_not_disturb_each_other(kinematics):
    other = Xarm6Kinematics()
    other.forward(np.full(6, 0.1))
    pose = kinematics.forward(xarm6.HOME_Q)
    other.close()
    other.close()
    assert (kinematics.forward(xarm6.HOME_Q).position == pose.position).all()
