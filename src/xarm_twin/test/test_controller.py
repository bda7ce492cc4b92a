"""The emulated controller inside: kinematics, lag, states, faults, frames."""

import struct
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from xarm_twin.controller import ControllerState, LagPlant
from xarm_twin.controller.commands import CommandTable
from xarm_twin.controller.firmware import Fault, State
from xarm_twin.controller.flange import flange_transform_mm, tcp_pose_mm
from xarm_twin.controller.goals import JointGoal, Pace
from xarm_twin.controller.protocol import Register, Request, Status
from xarm_twin.controller.reports import normal_frame, real_frame, rich_frame


class Clock:
    """Time that moves when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def arm(clock: Clock) -> LagPlant:
    return LagPlant(clock=clock)


@pytest.fixture
def state(arm: LagPlant, clock: Clock) -> ControllerState:
    return ControllerState(arm, clock)


def make_ready(state: ControllerState, mode: int = 1) -> None:
    state.enable(8, True)
    state.set_mode(mode)
    state.set_state(0)


def test_flange_pose_matches_the_vendors_examples() -> None:
    pose = tcp_pose_mm((0.0,) * 6)
    np.testing.assert_allclose(pose[:3], (207.0, 0.0, 112.0), atol=0.02)
    assert abs(pose[3]) == pytest.approx(np.pi)
    np.testing.assert_allclose(pose[4:], 0.0, atol=1e-9)
    turned = tcp_pose_mm((np.deg2rad(60.0), 0.0, 0.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(turned[:3], (103.5, 179.27, 112.0), atol=0.02)


@pytest.fixture(scope='module')
def kinematics() -> Iterator[Xarm6Kinematics]:
    kinematics = Xarm6Kinematics()
    yield kinematics
    kinematics.close()


@settings(deadline=None)
@given(q=st.lists(st.floats(-1.2, 0.1), min_size=6, max_size=6))
def test_flange_pose_agrees_with_the_urdf(kinematics: Xarm6Kinematics, q: list[float]) -> None:
    tool = kinematics.forward(q)
    flange = flange_transform_mm(q)
    tip_mm = flange @ (0.0, 0.0, 1000.0 * xarm6.TOOL_LENGTH, 1.0)
    np.testing.assert_allclose(tip_mm[:3], 1000.0 * tool.position, atol=0.1)


def test_tool_offset_moves_the_reported_pose(state: ControllerState) -> None:
    bare = state.snapshot().pose_mm
    state.reconfigure(tcp_offset=(0.0, 0.0, 152.4, 0.0, 0.0, 0.0))
    np.testing.assert_allclose(
        state.snapshot().pose_mm[:3], bare[:3] - (0.0, 0.0, 152.4), atol=1e-3
    )


def test_lag_plant_never_moves_faster_than_the_joints_can(arm: LagPlant, clock: Clock) -> None:
    arm.set_joint_targets((1.0, 0, 0, 0, 0, 0))
    before = 0.0
    for _ in range(60):
        clock.now += 0.01
        now = arm.joint_positions()[0]
        assert before <= now <= before + np.pi * 0.01 + 1e-9
        before = now
    assert before == pytest.approx(1.0, abs=1e-3)
    assert np.abs(arm.joint_velocities()).max() < 0.1


def test_lag_plant_does_not_depend_on_how_often_it_is_read() -> None:
    clocks = Clock(), Clock()
    often, once = (LagPlant(clock=clock) for clock in clocks)
    for plant in (often, once):
        plant.set_joint_targets((0.3, -0.02, 0, 0, 0, 0))
    for _ in range(130):
        clocks[0].now += 0.001
        often.joint_positions()
    clocks[1].now = clocks[0].now
    np.testing.assert_allclose(often.joint_positions(), once.joint_positions(), atol=1e-9)


def test_servo_command_has_the_documented_bytes(state: ControllerState) -> None:
    make_ready(state)
    q = bytes.fromhex('0ad7233c') + bytes(24)
    params = q + bytes.fromhex('c2b8b23e58a00b4100000000')
    reply = CommandTable(state).answer(Request(10, 3, 29, params))
    assert reply == bytes.fromhex('000a 0003 0002 1d 00')
    assert state.snapshot().q_command[0] == pytest.approx(0.01)


def test_nothing_moves_before_enable_mode_and_state(state: ControllerState) -> None:
    commands = CommandTable(state)
    servo = Request(1, 2, Register.SERVO_JOINT, struct.pack('<10f', 0.01, *(0.0,) * 9))

    def status() -> int:
        return commands.answer(servo)[7]

    assert status() == Status.NOT_READY
    state.enable(8, True)
    assert status() == Status.NOT_READY
    state.set_mode(1)
    assert status() == Status.NOT_READY
    assert state.snapshot().q_command[0] == 0.0
    state.set_state(0)
    assert status() == 0
    state.set_state(4)
    assert status() == Status.NOT_READY


@pytest.mark.parametrize('disturb', ['enable', 'payload', 'clean'])
def test_configuration_resets_the_mode(state: ControllerState, disturb: str) -> None:
    make_ready(state)
    match disturb:
        case 'enable':
            state.enable(8, True)
        case 'payload':
            state.reconfigure(tcp_load=(0.3, 0.0, 0.0, 60.0))
        case 'clean':
            state.clean_error()
    snapshot = state.snapshot()
    assert (snapshot.mode, snapshot.state) == (0, State.NEEDS_READY)


def test_ready_state_needs_motors_and_no_error(state: ControllerState) -> None:
    state.set_state(0)
    assert Status.NOT_READY in state.status()
    state.enable(8, True)
    state.fault(1)
    state.set_state(0)
    assert state.status() == Status.ERROR | Status.NOT_READY
    state.clean_error()
    state.set_state(0)
    assert state.status() == 0


@pytest.mark.parametrize(
    ('target', 'fault'),
    [
        ((0.0, 2.2, 0.0, 0.0, 0.0, 0.0), Fault.JOINT_LIMIT),
        ((np.nan, 0.0, 0.0, 0.0, 0.0, 0.0), Fault.JOINT_LIMIT),
        ((0.0, np.inf, 0.0, 0.0, 0.0, 0.0), Fault.JOINT_LIMIT),
        ((0.0, 0.0, 0.0, 0.0, 0.0, 1.0), Fault.SPEED),
        ((0.0, 0.15, 0.0, 0.0, 0.0, 0.0), Fault.SERVO_LINEAR_SPEED),
    ],
)
def test_impossible_commands_stop_the_arm_where_it_is(
    state: ControllerState,
    arm: LagPlant,
    clock: Clock,
    target: tuple[float, ...],
    fault: Fault,
) -> None:
    # A long tool, so that a step can be too fast for the tool and not for the joints.
    state.reconfigure(tcp_offset=(0.0, 0.0, 500.0, 0.0, 0.0, 0.0))
    make_ready(state)
    clock.now += 1.0
    state.servo_joints(target)
    snapshot = state.snapshot()
    assert (snapshot.error, snapshot.state, snapshot.mode) == (fault, State.STOPPED, 0)
    clock.now += 1.0
    np.testing.assert_array_equal(arm.joint_positions(), np.zeros(6))


def test_a_stream_at_half_speed_never_faults(state: ControllerState, clock: Clock) -> None:
    make_ready(state)
    for step in range(1, 40):
        clock.now += 0.01
        state.servo_joints((0.0, 0.0, 0.0, 0.0, 0.0, step * 0.5 * np.pi * 0.01))
    assert state.snapshot().error == 0


def test_fence_faults_when_a_command_leaves_it(state: ControllerState, clock: Clock) -> None:
    state.configure(fence=1, tcp_boundary=(220, 200, 50, -50, 200, 100))
    make_ready(state)
    for step in range(1, 60):
        clock.now += 0.01
        state.servo_joints((step * 0.01, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert state.snapshot().error == Fault.FENCE


def test_resume_from_pause_jumps_to_the_newest_command(
    state: ControllerState, clock: Clock
) -> None:
    make_ready(state)
    clock.now += 0.01
    state.set_state(3)
    state.servo_joints((0.02, 0.0, 0.0, 0.0, 0.0, 0.0))
    assert state.snapshot().q_command[0] == 0.0
    state.set_state(0)
    assert state.snapshot().q_command[0] == pytest.approx(0.02)


def test_mode_0_moves_are_interpolated(state: ControllerState, arm: LagPlant, clock: Clock) -> None:
    make_ready(state, mode=0)
    state.plan(JointGoal(np.array((0.5, -0.2, 0.0, 0.0, 0.0, 0.0)), Pace(0.5, 5.0)))
    speeds = []
    while state.snapshot().commands:
        before = state.snapshot().q_command
        clock.now += 0.01
        state.advance(0.01)
        speeds.append(np.abs(state.snapshot().q_command - before).max() / 0.01)
        assert state.snapshot().state == State.MOVING
    assert max(speeds) == pytest.approx(0.5, rel=0.02)
    clock.now += 1.0
    np.testing.assert_allclose(arm.joint_positions()[:2], (0.5, -0.2), atol=1e-6)
    assert state.snapshot().state == State.READY


def test_stop_drops_queued_moves(state: ControllerState, clock: Clock) -> None:
    make_ready(state, mode=0)
    state.plan(JointGoal(np.array((0.5,) + (0.0,) * 5), Pace(0.5, 5.0)))
    state.set_state(4)
    state.advance(0.01)
    assert state.snapshot().commands == 0
    assert state.snapshot().q_command[0] == 0.0


@settings(deadline=None)
@given(register=st.integers(0, 255), params=st.binary(max_size=60))
def test_every_request_gets_a_well_formed_reply(register: int, params: bytes) -> None:
    reply = CommandTable(ControllerState(LagPlant())).answer(Request(7, 3, register, params))
    transaction, protocol, length = struct.unpack('>HHH', reply[:6])
    assert (transaction, protocol, length) == (7, 3, len(reply) - 6)
    assert reply[6] == register


def test_unknown_register_is_invalid(state: ControllerState) -> None:
    make_ready(state)
    assert CommandTable(state).answer(Request(1, 3, 222, b''))[7] == Status.INVALID


def test_report_frames_have_the_documented_layout(state: ControllerState) -> None:
    state.configure(collision_sensitivity=2, tcp_boundary=(700, 100, 300, -300, 500, 0), fence=1)
    make_ready(state)
    state.servo_joints((0.01, 0.02, 0.0, 0.0, 0.0, 0.0))
    state.fault(31)
    snapshot = state.snapshot()
    frames = {real_frame: 87, normal_frame: 145, rich_frame: 574}
    for pack, size in frames.items():
        frame = pack(snapshot)
        assert (len(frame), struct.unpack('>I', frame[:4])[0]) == (size, size)
        assert frame[4] == State.STOPPED
        np.testing.assert_allclose(struct.unpack('<7f', frame[7:35])[:6], snapshot.q_command)
        np.testing.assert_allclose(
            struct.unpack('<6f', frame[35:59]), snapshot.pose_mm, rtol=1e-5, atol=1e-5
        )
    rich = rich_frame(snapshot)
    assert tuple(rich[87:91]) == (0xFF, 0xFF, 31, 0)
    assert rich[131] == 2
    assert struct.unpack('>6h', rich[496:508]) == (700, 100, 300, -300, 500, 0)
    assert rich[572] == 1
