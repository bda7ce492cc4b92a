"""Moves that the emulated controller plans in mode 0, step by step on simulated time."""

import math

import numpy as np
import pytest

from controller_rig import Rig, joints, kept, pose
from planar_arm import xarm6
from xarm_twin.controller import firmware
from xarm_twin.controller.firmware import Fault, Mode, State
from xarm_twin.controller.flange import tcp_pose_mm
from xarm_twin.controller.goals import CircleGoal, Frame, Pace, PauseGoal


def test_a_line_is_straight_and_keeps_its_pace():
    rig = Rig()
    rig.state.plan(pose(*kept(y=120.0, z=260.0)))
    rig.finish()
    path = rig.path_mm()
    way = path[-1] - path[0]
    np.testing.assert_allclose(path[-1], (240.0, 120.0, 260.0), atol=0.1)
    off = np.linalg.norm(np.cross(path - path[0], way), axis=1) / np.linalg.norm(way)
    assert off.max() < 0.05
    assert rig.speeds_mm().max() == pytest.approx(100.0, rel=0.02)


def test_a_turn_on_the_spot_goes_by_degrees():
    rig = Rig()
    rig.state.plan(pose(*kept(yaw=math.radians(30)), pace=Pace(20.0, 1000.0)))
    took = rig.finish()
    assert math.degrees(rig.shot.pose_mm[5]) == pytest.approx(30.0, abs=0.01)
    assert np.ptp(rig.path_mm(), axis=0).max() < 0.01
    assert took == pytest.approx(
        30 / 20 + math.radians(20) / firmware.MAX_ROTATION_ACCELERATION, 0.1
    )


def test_poses_may_be_relative_to_the_tool_or_to_where_it_is():
    rig = Rig()
    start = rig.tcp
    rig.state.plan(pose(0, 0, 20.0, 0, 0, 0, frame=Frame.TOOL))  # the tool points down
    rig.finish()
    assert rig.tcp[2, 3] == pytest.approx(start[2, 3] - 20.0, abs=1e-2)
    rig.state.plan(pose(10.0, 0, 20.0, 0, 0, 0.3, frame=Frame.RELATIVE))
    rig.finish()
    np.testing.assert_allclose(rig.tcp[:3, 3], start[:3, 3] + (10, 0, 0), atol=1e-2)
    rig.state.plan(pose(0, 0, 0, 0, 0, -0.3, frame=Frame.RELATIVE, aa=True))
    rig.finish()
    np.testing.assert_allclose(rig.tcp[:3, :3], start[:3, :3], atol=1e-4)


@pytest.mark.parametrize('percent', [25, 100, 150])
def test_a_circle_is_round_and_as_long_as_asked(percent):
    rig = Rig()
    x, y, z = rig.tcp[:3, 3]
    through, to = pose(x + 30, y + 30, z, math.pi, 0, 0), pose(x, y + 60, z, math.pi, 0, 0)
    rig.state.plan(CircleGoal(through, to, percent / 100))
    rig.finish()
    path = rig.path_mm()
    radii = np.linalg.norm(path - (x, y + 30, z), axis=1)
    np.testing.assert_allclose(radii, 30.0, atol=0.02)
    length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
    assert length == pytest.approx(2 * math.pi * 30 * percent / 100, rel=1e-2)
    angle = 2 * math.pi * percent / 100
    end = (x + 30 * math.sin(angle), y + 30 - 30 * math.cos(angle), z)
    np.testing.assert_allclose(path[-1], end, atol=0.02)


def test_three_points_on_a_line_make_no_circle():
    rig = Rig()
    x, y, z = rig.tcp[:3, 3]
    rig.state.plan(CircleGoal(pose(x, y + 10, z, 0, 0, 0), pose(x, y + 20, z, 0, 0, 0), 1.0))
    rig.run(0.1)
    assert rig.shot.error == Fault.CIRCLE


def test_moves_queue_and_pauses_take_their_time():
    rig = Rig()
    rig.state.plan(joints(0.2, *[math.inf] * 5))
    rig.state.plan(PauseGoal(0.5))
    rig.state.plan(joints(0, 0.1, 0, 0, 0, 0, relative=True))
    assert rig.shot.commands == 3
    took = rig.finish()
    np.testing.assert_allclose(rig.shot.q_command[:2], (0.2, xarm6.HOME_Q[1] + 0.1), atol=1e-9)
    assert took == pytest.approx(0.2 / 0.5 + 0.5 + 0.1 / 0.5 + 0.2, abs=0.05)


def test_pause_stops_on_the_way_and_ready_goes_on():
    rig = Rig()
    rig.state.plan(joints(0.4, *[math.inf] * 5))
    rig.run(0.3)
    rig.state.set_state(3)
    here = rig.shot.q_command
    rig.run(0.5)
    np.testing.assert_array_equal(rig.shot.q_command, here)
    assert rig.shot.state == State.PAUSED
    rig.state.set_state(0)
    rig.finish()
    assert rig.shot.q_command[0] == pytest.approx(0.4)


def test_reduced_mode_narrows_the_joints():
    rig = Rig(reduced_mode=1, reduced_joint_range=(-0.5, 0.5, *(-7.0, 7.0) * 6))
    rig.state.plan(joints(0.4, *[math.inf] * 5))
    assert rig.shot.error == 0
    rig.state.plan(joints(0.6, *[math.inf] * 5))
    assert rig.shot.error == Fault.JOINT_LIMIT


@pytest.mark.parametrize(
    ('goal', 'faults'),
    [
        (pose(*kept(x=1500.0)), (Fault.KINEMATICS, Fault.SPEED)),
        (pose(*kept(x=1500.0), pace=Pace(1000.0, 50_000.0)), (Fault.KINEMATICS, Fault.SPEED)),
        (joints(9.0, *[math.inf] * 5), (Fault.JOINT_LIMIT,)),
        (joints(math.nan, *[0.0] * 5), (Fault.JOINT_LIMIT,)),
        (joints(0, 0, 0, 0, 0, 9.0, relative=True), (Fault.JOINT_LIMIT,)),
        (pose(*kept(y=300.0)), (Fault.FENCE,)),
        (pose(*kept(x=80.0, z=300.0)), (Fault.SELF_COLLISION,)),
    ],
)
def test_what_cannot_be_done_ends_in_an_error_where_the_arm_is(goal, faults):
    rig = Rig(fence=1, tcp_boundary=(9999, -9999, 200, -200, 9999, -9999))
    rig.state.plan(goal)
    rig.finish()
    assert rig.shot.error in faults
    assert (rig.shot.state, rig.shot.mode, rig.shot.commands) == (State.STOPPED, 0, 0)
    stopped = rig.shot.q_command
    rig.run(0.5)
    np.testing.assert_array_equal(rig.shot.q_command, stopped)


def test_self_collision_can_be_switched_off():
    folded = joints(0, 0, 0, 0, 3.0, 0, pace=Pace(1.0, 10.0))
    for check, error in ((1, Fault.SELF_COLLISION), (0, 0)):
        rig = Rig(self_collision_check=check)
        rig.state.plan(folded)
        rig.finish()
        assert rig.shot.error == error


def test_the_tool_offset_counts_in_every_motion():
    rig = Rig()
    rig.state.reconfigure(tcp_offset=(0, 0, 100.0, 0, 0, 0))
    rig.switch(Mode.POSITION)
    rig.state.plan(pose(*kept(x=260.0, z=100.0)))
    rig.finish()
    flange = tcp_pose_mm(rig.shot.q_command)
    np.testing.assert_allclose(flange[:3], (260.0, 0.0, 200.0), atol=0.05)
