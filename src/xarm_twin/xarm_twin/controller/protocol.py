"""Framing and register numbers of the xArm controller's private TCP protocol.

Source: the vendor's private TCP protocol description and what xarm-python-sdk 1.18 sends. The
header and 16 bit numbers are big-endian; floats and 32 bit integers in parameters little-endian.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

HEADER = struct.Struct('>HHH')
"""Transaction id, protocol id, number of bytes that follow."""

MAX_BODY = 1024
"""Longest request body that the vendor's SDK can send [bytes]."""

PROTOCOLS = (2, 3)
"""Protocol ids that are answered; 0 is standard Modbus and 1 a heartbeat."""


class Register(IntEnum):
    """Commands that the emulated controller knows; anything else is answered as invalid."""

    GET_VERSION = 1
    GET_ROBOT_SN = 2
    CHECK_VERIFY = 3
    GET_REPORT_TAU_OR_I = 5
    GET_ALLOW_APPROX_MOTION = 7
    SYSTEM_CONTROL = 10
    MOTION_ENABLE = 11
    SET_STATE = 12
    GET_STATE = 13
    GET_CMDNUM = 14
    GET_ERROR = 15
    CLEAN_ERROR = 16
    CLEAN_WARN = 17
    SET_BRAKE = 18
    SET_MODE = 19
    MOVE_LINE = 21
    MOVE_LINE_BLEND = 22
    MOVE_JOINT = 23
    MOVE_JOINT_BLEND = 24
    MOVE_HOME = 25
    PAUSE = 26
    MOVE_CIRCLE = 27
    MOVE_LINE_TOOL = 28
    SERVO_JOINT = 29
    SERVO_POSE = 30
    SET_TCP_JERK = 31
    SET_TCP_MAX_ACC = 32
    SET_JOINT_JERK = 33
    SET_JOINT_MAX_ACC = 34
    SET_TCP_OFFSET = 35
    SET_TCP_LOAD = 36
    SET_COLLISION_SENSITIVITY = 37
    SET_TEACH_SENSITIVITY = 38
    CLEAN_CONF = 39
    SAVE_CONF = 40
    GET_TCP_POSE = 41
    GET_JOINTS = 42
    GET_IK = 43
    GET_FK = 44
    IS_JOINT_LIMIT = 45
    IS_TCP_LIMIT = 46
    SET_REDUCED_TCP_SPEED = 47
    SET_REDUCED_JOINT_SPEED = 48
    GET_REDUCED_MODE = 49
    SET_REDUCED_MODE = 50
    SET_GRAVITY = 51
    SET_TCP_BOUNDARY = 52
    GET_REDUCED_STATE = 53
    GET_JOINT_TORQUE = 55
    SET_SAFE_LEVEL = 56
    GET_SAFE_LEVEL = 57
    SET_REDUCED_JOINT_RANGE = 58
    SET_FENCE = 59
    SET_COLLISION_REBOUND = 60
    SET_ALLOW_APPROX_MOTION = 66
    SET_REPORT_TAU_OR_I = 70
    SET_WORLD_OFFSET = 73
    RESET_COUNTER = 74
    ADD_TO_COUNTER = 75
    GET_POSE_OFFSET = 76
    SET_SELF_COLLISION_CHECK = 77
    SET_COLLISION_TOOL = 78
    SET_SIMULATION = 79
    SET_CARTESIAN_CONTINUOUS = 80
    JOINT_VELOCITY = 81
    TCP_VELOCITY = 82
    MOVE_RELATIVE = 83
    GET_TCP_POSE_AXIS_ANGLE = 91
    MOVE_LINE_AXIS_ANGLE = 92
    SERVO_POSE_AXIS_ANGLE = 93
    SET_COMMON_PARAM = 232
    GET_COMMON_PARAM = 233
    CHECK_FEEDBACK = 253
    SET_FEEDBACK_TYPE = 254


class Status(IntFlag):
    """Bits of the status byte that starts every reply."""

    INVALID = 0x08
    NOT_READY = 0x10
    WARNING = 0x20
    ERROR = 0x40


@dataclass(frozen=True)
class Request:
    """One frame from a client of the control port."""

    transaction: int
    protocol: int
    register: int
    params: bytes


def parse_request(header: bytes, body: bytes) -> Request:
    """Build a request from its 6 header bytes and its non-empty body."""
    transaction, protocol, _ = HEADER.unpack(header)
    return Request(transaction, protocol, body[0], body[1:])


def pack_reply(request: Request, status: int, params: bytes = b'') -> bytes:
    """Return the reply frame: ids and register echoed, then status and parameters."""
    header = HEADER.pack(request.transaction, request.protocol, 2 + len(params))
    return header + bytes((request.register, status)) + params


def pack_floats(values: Sequence[float]) -> bytes:
    """Pack 32 bit floats, little-endian."""
    return struct.pack(f'<{len(values)}f', *values)


def split_floats(data: bytes, count: int) -> tuple[tuple[float, ...], bytes]:
    """Read the first `count` 32 bit floats and return them with the bytes that follow."""
    return unpack_floats(data, count), data[4 * count :]


def unpack_floats(data: bytes, count: int) -> tuple[float, ...]:
    """Read the first `count` 32 bit floats of `data`; struct.error when it is too short."""
    return struct.unpack_from(f'<{count}f', data)


def pack_joints(q: Sequence[float]) -> bytes:
    """Pack six joint values as the seven that the protocol always carries."""
    return pack_floats([*q, 0.0])
