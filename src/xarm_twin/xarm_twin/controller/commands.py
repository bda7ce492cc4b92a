"""From one request of the control port to its reply."""

import struct
from collections.abc import Callable

import numpy as np

from xarm_twin.controller.checks import outside_limits
from xarm_twin.controller.firmware import Warn
from xarm_twin.controller.flange import tcp_pose_mm
from xarm_twin.controller.goals import Pace, PoseGoal
from xarm_twin.controller.motion_commands import MotionCommands, modes_of
from xarm_twin.controller.poses import (
    from_axis_angle_mm,
    from_pose_mm,
    to_axis_angle_mm,
    to_pose_mm,
)
from xarm_twin.controller.protocol import (
    Register,
    Request,
    Status,
    pack_floats,
    pack_joints,
    pack_reply,
    split_floats,
    unpack_floats,
)
from xarm_twin.controller.settings_commands import RESETTING, settings_handlers
from xarm_twin.controller.state import ControllerState

Handler = Callable[[bytes], bytes | None]
"""Takes the parameters of a request; returns those of the reply, or None for an empty one."""

INVALID_REPLY = bytes(128)
"""The SDK decodes a reply before it looks at the status: an unknown getter needs bytes as well."""

ANY_PACE = Pace(1.0, 1.0)
"""For poses that are only asked about."""


class Unanswerable(Exception):
    """The question has no answer."""


class CommandTable:
    """Answers requests on behalf of one controller."""

    def __init__(self, state: ControllerState) -> None:
        """Requests act on `state`."""
        self._state = state
        self._handlers: dict[int, Handler] = {
            **settings_handlers(state),
            **self._readers(),
            **MotionCommands(state).handlers(),
            Register.MOTION_ENABLE: lambda p: state.enable(p[0], bool(p[1])),
            Register.SET_MODE: lambda p: state.set_mode(p[0]),
            Register.SET_STATE: lambda p: state.set_state(p[0]),
            Register.CLEAN_ERROR: lambda p: state.clean_error(),
            Register.CLEAN_WARN: lambda p: state.clean_warn(),
        }

    def answer(self, request: Request) -> bytes:
        """Carry out `request` and return the reply frame."""
        handler = self._handlers.get(request.register)
        if handler is None:
            return pack_reply(request, self._state.status() | Status.INVALID, INVALID_REPLY)
        modes = modes_of(request)
        if modes is not None and not self._state.takes(*modes):
            # In the wrong mode an otherwise ready arm does not move either.
            return pack_reply(request, self._state.status() | Status.NOT_READY, bytes(3))
        was_ready = Status.NOT_READY not in self._state.status()
        try:
            params = handler(request.params)
        except (struct.error, IndexError, ValueError):  # parameters too short
            self._state.warn(Warn.BAD_PARAMETER)
            return pack_reply(request, self._state.status() | Status.INVALID, INVALID_REPLY)
        except Unanswerable:
            return pack_reply(request, self._state.status() | Status.INVALID, INVALID_REPLY)
        status = self._state.status()
        if was_ready and request.register in RESETTING:
            # Assumed: the SDK reports success, so the reply tells the state before the reset.
            status &= ~Status.NOT_READY
        return pack_reply(request, status, params or b'')

    def _readers(self) -> dict[int, Handler]:
        state = self._state
        identity = state.identity
        serials = b'\0'.join(text.encode() for text in identity.serial_numbers)
        return {
            Register.GET_VERSION: lambda p: identity.version.encode().ljust(40, b'\0'),
            Register.GET_ROBOT_SN: lambda p: serials.ljust(40, b'\0'),
            Register.CHECK_VERIFY: lambda p: b'\0',
            Register.GET_STATE: lambda p: bytes((state.snapshot().state,)),
            Register.GET_CMDNUM: lambda p: struct.pack('>H', state.snapshot().commands),
            Register.GET_ERROR: self._get_error,
            Register.GET_TCP_POSE: lambda p: pack_floats(tuple(state.snapshot().pose_mm)),
            Register.GET_TCP_POSE_AXIS_ANGLE: lambda p: pack_floats(
                tuple(to_axis_angle_mm(state.snapshot().command.tcp))
            ),
            Register.GET_JOINTS: self._get_joints,
            Register.GET_FK: self._get_fk,
            Register.GET_IK: lambda p: pack_joints(tuple(self._joints_at(p))),
            Register.IS_JOINT_LIMIT: lambda p: bytes((outside_limits(unpack_floats(p, 6)),)),
            Register.IS_TCP_LIMIT: self._is_tcp_limit,
            Register.GET_POSE_OFFSET: _pose_offset,
            Register.GET_JOINT_TORQUE: lambda p: pack_floats((0.0,) * 7),
        }

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

    def _joints_at(self, params: bytes) -> np.ndarray:
        pose = np.array(unpack_floats(params, 6))
        found = self._state.joints_at(PoseGoal(pose, ANY_PACE)) if np.isfinite(pose).all() else None
        if found is None:
            raise Unanswerable
        return found

    def _is_tcp_limit(self, params: bytes) -> bytes:
        try:
            return bytes((outside_limits(self._joints_at(params)),))
        except Unanswerable:
            return b'\1'


def _pose_offset(params: bytes) -> bytes:
    """Pose of the second in the frame of the first; a flag each: rotation vectors in, out."""
    values, (axis_angle_in, axis_angle_out, *_) = split_floats(params, 12)
    build = from_axis_angle_mm if axis_angle_in else from_pose_mm
    offset = np.linalg.inv(build(values[:6])) @ build(values[6:])
    return pack_floats(tuple((to_axis_angle_mm if axis_angle_out else to_pose_mm)(offset)))
