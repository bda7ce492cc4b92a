"""Requests that change or read what clients configure."""

import struct
from collections.abc import Callable
from functools import partial

from xarm_twin.controller.protocol import Register, pack_floats, unpack_floats
from xarm_twin.controller.reports import reduced_state
from xarm_twin.controller.state import ControllerState

Handler = Callable[[bytes], bytes | None]
"""Takes the parameters of a request; returns those of the reply, or None for an empty one."""

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
    Register.SET_SELF_COLLISION_CHECK: 'self_collision_check',
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
    Register.SET_COLLISION_TOOL,
    Register.SET_SIMULATION,
    Register.SET_CARTESIAN_CONTINUOUS,
    Register.CHECK_FEEDBACK,
    Register.SET_FEEDBACK_TYPE,
}
"""Acknowledged without any effect on the emulated arm."""


def settings_handlers(state: ControllerState) -> dict[int, Handler]:
    """Return the handlers of settings on behalf of `state`, by register."""
    handlers: dict[int, Handler] = dict.fromkeys(ACCEPTED, lambda params: None)
    for register, (name, count) in FLOAT_SETTINGS.items():
        handlers[register] = partial(_set_floats, state, register, name, count)
    for register, name in BYTE_SETTINGS.items():
        handlers[register] = partial(_set_byte, state, register, name)
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
        Register.SET_COMMON_PARAM: partial(_set_common_param, state),
        Register.GET_COMMON_PARAM: partial(_get_common_param, state),
        Register.GET_REDUCED_MODE: lambda p: bytes((state.settings.reduced_mode,)),
        Register.GET_REDUCED_STATE: lambda p: reduced_state(state.snapshot()),
        Register.GET_SAFE_LEVEL: lambda p: bytes((state.settings.safe_level,)),
        Register.GET_REPORT_TAU_OR_I: lambda p: bytes((state.settings.tau_or_current,)),
        Register.GET_ALLOW_APPROX_MOTION: lambda p: bytes((state.settings.approximate_motion,)),
    }


def _set_floats(
    state: ControllerState, register: Register, name: str, count: int, params: bytes
) -> None:
    _store(state, register, name, unpack_floats(params, count))


def _set_byte(state: ControllerState, register: Register, name: str, params: bytes) -> None:
    _store(state, register, name, params[0])


def _store(state: ControllerState, register: Register, name: str, value: object) -> None:
    if register in RESETTING:
        state.reconfigure(**{name: value})
    else:
        state.configure(**{name: value})


def _set_common_param(state: ControllerState, params: bytes) -> None:
    number, value = params[0], params[1:]
    state.configure(common={**state.settings.common, number: value})
    if number == LINEAR_SPEED_PARAM:
        state.configure(linear_speed_factor=unpack_floats(value, 1)[0])


def _get_common_param(state: ControllerState, params: bytes) -> bytes:
    if params[0] == LINEAR_SPEED_PARAM:
        return pack_floats((state.settings.linear_speed_factor,))
    return state.settings.common.get(params[0], DEFAULT_COMMON_PARAM)
