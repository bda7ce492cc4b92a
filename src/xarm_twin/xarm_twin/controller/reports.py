"""Frames that the controller pushes on its report ports; offsets are the vendor's.

As users of the real arm found, reports carry the *commanded* joints and pose; what the joints
really do is read with `get_servo_angle(is_real=True)` or `get_joint_states`.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from xarm_twin.controller import firmware
from xarm_twin.controller.plant import MAX_JOINT_SPEED
from xarm_twin.controller.protocol import pack_floats, pack_joints
from xarm_twin.controller.state import Snapshot

REAL_BYTES = 87
NORMAL_BYTES = 145
RICH_BYTES = 574


@dataclass(frozen=True)
class ReportKind:
    """One report port: how often it pushes, and what."""

    period: float
    """Time between frames [s]."""
    pack: Callable[[Snapshot], bytes]


def real_frame(snapshot: Snapshot) -> bytes:
    """State, mode, queue length, joints [rad], pose [mm, rad], torques: no error code."""
    return _frame(_motion(snapshot), REAL_BYTES)


def normal_frame(snapshot: Snapshot) -> bytes:
    """The real-time frame, then masks, error, warning and payload."""
    return _frame(_motion(snapshot) + _condition(snapshot), NORMAL_BYTES)


def rich_frame(snapshot: Snapshot) -> bytes:
    """The normal frame, then model, limits, speeds and safety settings."""
    frame = bytearray(_frame(_motion(snapshot) + _condition(snapshot), RICH_BYTES))
    settings = snapshot.settings
    frame[145:147] = bytes((6, 6))
    frame[151:181] = firmware.VERSION.encode().ljust(30, b'\0')
    # Jerk, then least and greatest acceleration and speed: of the tool [mm], of the joints [rad].
    frame[181:201] = pack_floats((1000.0, 1.0, 50000.0, 0.1, firmware.MAX_SERVO_SPEED_MM))
    frame[201:221] = pack_floats((20.0, 0.01, 20.0, 0.0001, MAX_JOINT_SPEED))
    frame[221:229] = pack_floats((2.3, 2.7))
    frame[256:284] = pack_joints(tuple(snapshot.velocities))
    frame[284:288] = struct.pack('>I', settings.counter)
    frame[288:312] = pack_floats(settings.world_offset)
    frame[494] = settings.reduced_mode | settings.fence << 1
    frame[495:574] = reduced_state(snapshot)
    return bytes(frame)


def reduced_state(snapshot: Snapshot) -> bytes:
    """The 79 bytes that tell reduced mode, fence and their limits."""
    settings = snapshot.settings
    boundary = np.clip(settings.tcp_boundary, -32768, 32767).astype('>i2').tobytes()
    limits = (settings.reduced_tcp_speed, settings.reduced_joint_speed)
    return (
        bytes((settings.reduced_mode,))
        + boundary
        + pack_floats((*limits, *settings.reduced_joint_range))
        + bytes((settings.fence, settings.collision_rebound))
    )


KINDS: Mapping[str, ReportKind] = {
    'normal': ReportKind(0.2, normal_frame),
    'rich': ReportKind(0.2, rich_frame),
    'real': ReportKind(0.01, real_frame),
}
"""Report ports by the name that the vendor's SDK gives them."""


def _frame(content: bytes, size: int) -> bytes:
    return struct.pack('>I', size) + content.ljust(size - 4, b'\0')


def _motion(snapshot: Snapshot) -> bytes:
    head = struct.pack('>BH', snapshot.state | snapshot.mode << 4, snapshot.commands)
    torques = pack_floats((0.0,) * 7)
    return (
        head
        + pack_joints(tuple(snapshot.q_command))
        + pack_floats(tuple(snapshot.pose_mm))
        + torques
    )


def _condition(snapshot: Snapshot) -> bytes:
    settings = snapshot.settings
    return (
        # The brakes open with the motors.
        bytes((snapshot.enabled, snapshot.enabled, snapshot.error, snapshot.warning))
        + pack_floats((*settings.tcp_offset, *settings.tcp_load))
        + bytes((settings.collision_sensitivity, settings.teach_sensitivity))
        + pack_floats(settings.gravity)
    )
