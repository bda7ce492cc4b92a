"""Servo, velocity and online modes of the emulated controller, step by step on simulated time."""

import math

import numpy as np
import pytest

from controller_rig import DT, Rig, joints, kept, pose
from planar_arm import xarm6
from xarm_twin.controller.firmware import Fault, Mode, State
from xarm_twin.controller.goals import Frame, Pace


def test_servo_poses_are_taken_at_once_and_checked():
    rig = Rig(Mode.SERVO)
    start = rig.tcp[:3, 3].copy()
    for _ in range(20):
        rig.now += DT
        rig.state.servo_pose(pose(1.0, 0, 0, 0, 0, 0, frame=Frame.RELATIVE, aa=True))
    np.testing.assert_allclose(rig.tcp[:3, 3] - start, (20, 0, 0), atol=1e-2)
    rig.now += 1.0
    rig.state.servo_pose(pose(200.0, 0, 0, 0, 0, 0, frame=Frame.RELATIVE, aa=True))
    assert rig.shot.error in (Fault.SERVO_LINEAR_SPEED, Fault.SPEED)


def test_joint_velocity_lasts_until_it_is_told_otherwise():
    rig = Rig(Mode.JOINT_VELOCITY)
    rig.state.joint_velocity((0.4, 0, 0, 0, 0, 0.2), True, math.inf)
    rig.run(1.0)
    step = (rig.joints[-1] - rig.joints[-2]) / DT
    np.testing.assert_allclose(step, (0.4, 0, 0, 0, 0, 0.2), atol=1e-9)
    assert rig.shot.state == State.MOVING
    rig.state.joint_velocity((0.0,) * 6, True, math.inf)
    rig.run(0.5)
    np.testing.assert_array_equal(rig.joints[-1], rig.joints[-2])
    rig.run(0.5)
    assert rig.shot.state == State.READY


def test_a_velocity_with_a_duration_ends_by_itself():
    rig = Rig(Mode.JOINT_VELOCITY)
    rig.state.joint_velocity((0.3, 0, 0, 0, 0, 0), True, 0.5)
    rig.run(2.0)
    assert rig.joints[-1][0] == pytest.approx(0.15, abs=0.01)
    assert not rig.shot.commands


@pytest.mark.parametrize(('in_tool', 'expected'), [(False, (0, 0, 50)), (True, (0, 0, -50))])
def test_tcp_velocity_in_the_base_and_in_the_tool(in_tool, expected):
    rig = Rig(Mode.TCP_VELOCITY)
    rig.state.tcp_velocity((0, 0, 50.0, 0, 0, 0), in_tool, 1.0)
    rig.run(2.0)
    np.testing.assert_allclose(rig.path_mm()[-1] - rig.path_mm()[0], expected, atol=1.0)
    assert rig.shot.error == 0


def test_online_joints_change_their_mind_without_a_jerk():
    rig = Rig(Mode.JOINT_ONLINE)
    rig.state.plan(joints(0.5, *[math.inf] * 5, pace=Pace(1.0, 4.0)))
    rig.run(0.3)
    rig.state.plan(joints(-0.2, *[math.inf] * 5, pace=Pace(1.0, 4.0)))
    rig.finish()
    np.testing.assert_allclose(rig.shot.q_command, [-0.2, *xarm6.HOME_Q[1:]], atol=1e-6)
    speeds = np.diff([q[0] for q in rig.joints]) / DT
    assert np.abs(speeds).max() <= 1.0 + 1e-9
    assert np.abs(np.diff(speeds)).max() / DT <= 4.0 * 1.01


def test_online_lines_end_at_the_newest_goal():
    rig = Rig(Mode.TCP_ONLINE)
    x, y, z = rig.tcp[:3, 3]
    rig.state.plan(pose(*kept(x=x + 80)))
    rig.run(0.3)
    rig.state.plan(pose(x, y + 50, z, math.pi, 0, 0.2))
    rig.finish()
    np.testing.assert_allclose(rig.tcp[:3, 3], (x, y + 50, z), atol=1e-2)
    assert rig.shot.pose_mm[5] == pytest.approx(0.2, abs=1e-4)
    assert rig.speeds_mm().max() <= 100.0 * 1.01
    assert np.abs(np.diff(rig.speeds_mm())).max() / DT <= 1000.0 * 1.05
