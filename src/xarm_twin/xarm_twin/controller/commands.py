"""From one request of the control port to its reply."""

import struct
from collections.abc import Callable
from functools import partial

from xarm_twin.controller import firmware
from xarm_twin.controller.checks import outside_limits
from xarm_twin.controller.firmware import Warn
from xarm_twin.controller.flange import tcp_pose_mm
from xarm_twin.controller.protocol import (
    Register,
    Request,
    Status,
    pack_floats,
    pack_joints,
    pack_reply,
    unpack_floats,
)
from xarm_twin.controller.reports import reduced_state
from xarm_twin.controller.state import ControllerState

Handler = Callable[[bytes], bytes | None]
"""Takes the parameters of a request; returns those of the reply, or None for an empty one."""

INVALID_REPLY = bytes(84)
"""The SDK decodes a reply before it looks at the status: an unknown getter needs bytes as well."""

DEFAULT_COMMON_PARAM = bytes(4)
LINEAR_SPEED_PARAM = 1

FLOAT_SETTINGS = {
    Register.SET_TCP_LOAD: ('tcp_load', 4),
    Register.SET_TCP_OFFSET: ('tcp_offset', 6),
    Register.SET_WORLD_OFFSET: ('world_offset', 6),
    Register.SET_GRAVITY: ('gravity', 3),
    Register.SET_REDUCED_JOINT_RANGE: ('reduced_joint_range', 14),
}
BYTE_SETTINGS = {
    Register.SET_COLLISION_SENSITIVITY: 'collision_sensitivity',
    Register.SET_TEACH_SENSITIVITY: 'teach_sensitivity',
    Register.SET_COLLISION_REBOUND: 'collision_rebound',
    Register.SET_REDUCED_MODE: 'reduced_mode',
    Register.SET_FENCE: 'fence',
    Register.SET_SAFE_LEVEL: 'safe_level',
    Register.SET_REPORT_TAU_OR_I: 'tau_or_current',
    Register.SET_ALLOW_APPROX_MOTION: 'approximate_motion',
}
RESETTING = {
    Register.SET_TCP_LOAD,
    Register.SET_TCP_OFFSET,
    Register.SET_COLLISION_SENSITIVITY,
}
"""Settings that reset motion, so that mode and state have to be set again."""

ACCEPTED = {
    Register.SYSTEM_CONTROL,
    Register.SET_BRAKE,
    Register.SET_TCP_JERK,
    Register.SET_TCP_MAX_ACC,
    Register.SET_JOINT_JERK,
    Register.SET_JOINT_MAX_ACC,
    Register.CLEAN_CONF,
    Register.SAVE_CONF,
    Register.SET_SELF_COLLISION_CHECK,
    Register.SET_COLLISION_TOOL,
    Register.CHECK_FEEDBACK,
    Register.SET_FEEDBACK_TYPE,
}
"""Acknowledged without any effect on the emulated arm."""


class CommandTable:
    """Answers requests on behalf of one controller."""

    def __init__(self, state: ControllerState) -> None:
        """Requests act on `state`."""
        self._state = state
        self._handlers: dict[int, Handler] = {
            **self._settings(),
            **self._readers(),
            **dict.fromkeys(ACCEPTED, lambda params: None),
            Register.MOTION_ENABLE: lambda p: state.enable(p[0], bool(p[1])),
            Register.SET_MODE: lambda p: state.set_mode(p[0]),
            Register.SET_STATE: lambda p: state.set_state(p[0]),
            Register.CLEAN_ERROR: lambda p: state.clean_error(),
            Register.CLEAN_WARN: lambda p: state.clean_warn(),
            Register.SERVO_JOINT: lambda p: state.servo_joints(unpack_floats(p, 6)),
            Register.MOVE_JOINT: self._move_joint,
            Register.MOVE_JOINT_BLEND: self._move_joint,
            Register.MOVE_HOME: lambda p: state.move_joints((0.0,) * 6, *unpack_floats(p, 1)),
        }
        self._motion_guards: dict[int, Callable[[], bool]] = {
            Register.SERVO_JOINT: state.can_servo,
            Register.MOVE_JOINT: state.can_plan,
            Register.MOVE_JOINT_BLEND: state.can_plan,
            Register.MOVE_HOME: state.can_plan,
        }

    def answer(self, request: Request) -> bytes:
        """Carry out `request` and return the reply frame."""
        handler = self._handlers.get(request.register)
        if handler is None:
            return pack_reply(request, self._state.status() | Status.INVALID, INVALID_REPLY)
        guard = self._motion_guards.get(request.register)
        if guard is not None and not guard():
            # In the wrong mode an otherwise ready arm does not move either.
            return pack_reply(request, self._state.status() | Status.NOT_READY)
        was_ready = Status.NOT_READY not in self._state.status()
        try:
            params = handler(request.params)
        except (struct.error, IndexError):  # parameters too short
            self._state.warn(Warn.BAD_PARAMETER)
            return pack_reply(request, self._state.status() | Status.INVALID, INVALID_REPLY)
        status = self._state.status()
        if was_ready and request.register in RESETTING:
            # Assumed: the SDK reports success, so the reply tells the state before the reset.
            status &= ~Status.NOT_READY
        return pack_reply(request, status, params or b'')

    def _settings(self) -> dict[int, Handler]:
        state = self._state
        handlers: dict[int, Handler] = {}
        for register, (name, count) in FLOAT_SETTINGS.items():
            handlers[register] = partial(self._set_floats, register, name, count)
        for register, name in BYTE_SETTINGS.items():
            handlers[register] = partial(self._set_byte, register, name)
        return handlers | {
            Register.SET_REDUCED_TCP_SPEED: lambda p: state.configure(
                reduced_tcp_speed=unpack_floats(p, 1)[0]
            ),
            Register.SET_REDUCED_JOINT_SPEED: lambda p: state.configure(
                reduced_joint_speed=unpack_floats(p, 1)[0]
            ),
            Register.SET_TCP_BOUNDARY: lambda p: state.configure(
                tcp_boundary=struct.unpack_from('<6i', p)
            ),
            Register.RESET_COUNTER: lambda p: state.configure(counter=0),
            Register.ADD_TO_COUNTER: lambda p: state.configure(counter=state.settings.counter + 1),
            Register.SET_COMMON_PARAM: self._set_common_param,
        }

    def _readers(self) -> dict[int, Handler]:
        state = self._state
        serials = b'\0'.join(text.encode() for text in firmware.SERIAL_NUMBERS)
        return {
            Register.GET_VERSION: lambda p: firmware.VERSION.encode().ljust(40, b'\0'),
            Register.GET_ROBOT_SN: lambda p: serials.ljust(40, b'\0'),
            Register.CHECK_VERIFY: lambda p: b'\0',
            Register.GET_STATE: lambda p: bytes((state.snapshot().state,)),
            Register.GET_CMDNUM: lambda p: struct.pack('>H', state.snapshot().commands),
            Register.GET_ERROR: self._get_error,
            Register.GET_TCP_POSE: lambda p: pack_floats(tuple(state.snapshot().pose_mm)),
            Register.GET_JOINTS: self._get_joints,
            Register.GET_FK: self._get_fk,
            Register.IS_JOINT_LIMIT: lambda p: bytes((outside_limits(unpack_floats(p, 6)),)),
            Register.IS_TCP_LIMIT: lambda p: b'\0',
            Register.GET_JOINT_TORQUE: lambda p: pack_floats((0.0,) * 7),
            Register.GET_REDUCED_MODE: lambda p: bytes((state.settings.reduced_mode,)),
            Register.GET_REDUCED_STATE: lambda p: reduced_state(state.snapshot()),
            Register.GET_SAFE_LEVEL: lambda p: bytes((state.settings.safe_level,)),
            Register.GET_REPORT_TAU_OR_I: lambda p: bytes((state.settings.tau_or_current,)),
            Register.GET_ALLOW_APPROX_MOTION: lambda p: bytes((state.settings.approximate_motion,)),
            Register.GET_COMMON_PARAM: self._get_common_param,
        }

    def _set_floats(self, register: Register, name: str, count: int, params: bytes) -> None:
        self._store(register, name, unpack_floats(params, count))

    def _set_byte(self, register: Register, name: str, params: bytes) -> None:
        self._store(register, name, params[0])

    def _store(self, register: Register, name: str, value: object) -> None:
        if register in RESETTING:
            self._state.reconfigure(**{name: value})
        else:
            self._state.configure(**{name: value})

    def _set_common_param(self, params: bytes) -> None:
        number, value = params[0], params[1:]
        common = {**self._state.settings.common, number: value}
        self._state.configure(common=common)
        if number == LINEAR_SPEED_PARAM:
            self._state.configure(linear_speed_factor=unpack_floats(value, 1)[0])

    def _get_common_param(self, params: bytes) -> bytes:
        if params[0] == LINEAR_SPEED_PARAM:
            return pack_floats((self._state.settings.linear_speed_factor,))
        return self._state.settings.common.get(params[0], DEFAULT_COMMON_PARAM)

    def _get_error(self, params: bytes) -> bytes:
        snapshot = self._state.snapshot()
        return bytes((snapshot.error, snapshot.warning))

    def _get_joints(self, params: bytes) -> bytes:
        """Commanded joints; measured ones, speeds and torques when a count is asked for."""
        if not params:
            return pack_joints(tuple(self._state.snapshot().q_command))
        groups = params[0] & 0x0F
        positions, velocities = self._state.measured()
        return b''.join(
            pack_joints(tuple(values)) for values in (positions, velocities, (0.0,) * 6)[:groups]
        )

    def _get_fk(self, params: bytes) -> bytes:
        pose = tcp_pose_mm(unpack_floats(params, 6), self._state.settings.tcp_offset)
        return pack_floats(tuple(pose))

    def _move_joint(self, params: bytes) -> bytes:
        q, speed = unpack_floats(params, 6), unpack_floats(params, 8)[7]
        self._state.move_joints(q, speed)
        # A request that asks for a dry run carries extra bytes and expects three.
        return bytes(3) if len(params) > 40 else b''
