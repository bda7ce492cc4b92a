"""Whatever is asked of the emulated controller, its joints stay within their limits."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from controller_rig import DT, Rig, joints, pose
from xarm_twin.controller import firmware
from xarm_twin.controller.commands import CommandTable
from xarm_twin.controller.firmware import Mode
from xarm_twin.controller.goals import Pace
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
