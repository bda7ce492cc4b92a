"""Motion that the emulated controller makes by itself, step by step on simulated time."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planar_arm import xarm6
from xarm_twin.controller import ControllerState, LagPlant, firmware
from xarm_twin.controller.commands import CommandTable
from xarm_twin.controller.firmware import Fault, Mode, State
from xarm_twin.controller.flange import flange_transform_mm, tcp_pose_mm
from xarm_twin.controller.goals import CircleGoal, Frame, JointGoal, Pace, PauseGoal, PoseGoal
from xarm_twin.controller.motion_commands import MODES
from xarm_twin.controller.protocol import Register, Request

FLOATS = {
    Register.MOVE_LINE: 9,
    Register.MOVE_LINE_BLEND: 10,
    Register.MOVE_JOINT: 10,
    Register.MOVE_JOINT_BLEND: 10,
    Register.MOVE_HOME: 3,
    Register.PAUSE: 1,
    Register.MOVE_CIRCLE: 16,
    Register.MOVE_LINE_TOOL: 9,
    Register.SERVO_JOINT: 10,
    Register.SERVO_POSE: 9,
    Register.JOINT_VELOCITY: 7,
    Register.TCP_VELOCITY: 6,
    Register.MOVE_RELATIVE: 11,
    Register.MOVE_LINE_AXIS_ANGLE: 9,
    Register.SERVO_POSE_AXIS_ANGLE: 8,
}
"""Numbers that a request begins with."""
DT = 0.01
PACE = Pace(100.0, 1000.0)


class Rig:
    """A controller whose time passes when told to, and what it commanded."""

    def __init__(self, mode: int = Mode.POSITION, q=xarm6.HOME_Q, **options) -> None:
        self.now = 0.0
        self.arm = LagPlant(q, clock=lambda: self.now)
        self.state = ControllerState(self.arm, lambda: self.now)
        self.state.configure(**options)
        self.switch(mode)
        self.joints = [np.array(q, float)]

    def switch(self, mode: int) -> None:
        self.state.enable(8, True)
        self.state.set_mode(mode)
        self.state.set_state(0)

    @property
    def shot(self):
        return self.state.snapshot()

    @property
    def tcp(self) -> np.ndarray:
        return self.shot.command.tcp

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            self.now += DT
            self.state.advance(DT)
            if not self.shot.error:  # else it holds where the arm is, which lags
                self.joints.append(self.shot.q_command)

    def finish(self, longest: float = 60.0) -> float:
        """Run until nothing is pending; return how long that took [s]."""
        begin = self.now
        while self.shot.commands and self.now < begin + longest:
            self.run(DT)
        return self.now - begin

    def path_mm(self) -> np.ndarray:
        return np.array([flange_transform_mm(q)[:3, 3] for q in self.joints])

    def speeds_mm(self) -> np.ndarray:
        return np.linalg.norm(np.diff(self.path_mm(), axis=0), axis=1) / DT


def pose(*values: float, pace: Pace = PACE, frame: Frame = Frame.BASE, aa: bool = False):
    return PoseGoal(np.array(values), pace, frame, aa)


def joints(*values: float, pace: Pace | None = None, relative: bool = False):
    return JointGoal(np.array(values), pace or Pace(0.5, 5.0), relative)


def kept(**changes: float):
    """A pose whose other numbers stay as they are."""
    names = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
    return [changes.get(name, math.inf) for name in names]


# Mode 0


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


# Velocity modes and online planning


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


commands = st.lists(
    st.tuples(
        st.sampled_from([mode for mode in Mode if mode >= Mode.JOINT_VELOCITY]),
        st.tuples(*[st.floats(-400, 400)] * 6),
        st.floats(0.02, 0.3),
    ),
    max_size=5,
)


@settings(max_examples=15, deadline=None)
@given(commands)
def test_no_commands_make_a_joint_faster_than_it_can(sequence):
    rig = Rig()
    q, steps = np.array(rig.joints), [0.0]
    for mode, values, seconds in sequence:
        if rig.shot.mode != mode or rig.shot.error:
            rig.state.clean_error()
            rig.switch(mode)
            rig.joints = [rig.shot.q_command]
        if mode == Mode.JOINT_VELOCITY:
            rig.state.joint_velocity(np.array(values) / 100, True, seconds)
        elif mode == Mode.TCP_VELOCITY:
            rig.state.tcp_velocity((*values[:3], *np.array(values[3:]) / 100), False, math.inf)
        elif mode == Mode.JOINT_ONLINE:
            rig.state.plan(joints(*np.array(values) / 200, pace=Pace(3.0, 20.0)))
        else:
            rig.state.plan(pose(*values[:3], *np.array(values[3:]) / 100, pace=Pace(900, 9000)))
        rig.run(seconds)
        q = np.array(rig.joints)
        steps.append(np.abs(np.diff(q, axis=0)).max(initial=0.0))
    assert max(steps) <= firmware.MAX_JOINT_SPEED * DT * 1.001
    assert (q >= firmware.JOINT_LOWER - firmware.JOINT_SLACK).all()
    assert (q <= firmware.JOINT_UPPER + firmware.JOINT_SLACK).all()


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


def test_the_tool_offset_counts_in_every_motion():
    rig = Rig()
    rig.state.reconfigure(tcp_offset=(0, 0, 100.0, 0, 0, 0))
    rig.switch(Mode.POSITION)
    rig.state.plan(pose(*kept(x=260.0, z=100.0)))
    rig.finish()
    flange = tcp_pose_mm(rig.shot.q_command)
    np.testing.assert_allclose(flange[:3], (260.0, 0.0, 200.0), atol=0.05)


wild = st.one_of(
    st.floats(width=32),
    st.sampled_from([0.0, 1.0, 100.0, math.inf, math.nan]),
    st.floats(-9, 9, width=32),
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(Mode),
    st.lists(
        st.tuples(
            st.sampled_from(sorted({*MODES, Register.MOVE_RELATIVE})),
            st.lists(wild, min_size=16, max_size=16),
            st.binary(max_size=5),
        ),
        max_size=5,
    ),
)
def test_no_bytes_break_the_motion_or_leave_the_joint_limits(mode, requests):
    rig = Rig(mode)
    table = CommandTable(rig.state)
    for register, values, rest in requests:
        count = FLOATS[register]
        params = np.array(values[:count], '<f4').tobytes() + rest
        reply = table.answer(Request(1, 3, register, params))
        assert reply[6] == register
        rig.run(0.05)
    q = np.array(rig.joints)
    assert np.isfinite(q).all()
    assert (q >= firmware.JOINT_LOWER - firmware.JOINT_SLACK).all()
    assert (q <= firmware.JOINT_UPPER + firmware.JOINT_SLACK).all()
