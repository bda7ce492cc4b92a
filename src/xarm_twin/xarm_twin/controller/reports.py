"""Frames that the controller pushes on its report ports; offsets are the vendor's.

As users of the real arm found, reports carry the *commanded* joints and pose; what the joints
really do is read with `get_servo_angle(is_real=True)` or `get_joint_states`.
"""

import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from xarm_twin.controller import firmware
from xarm_twin.controller.flange import flange_transform_mm
from xarm_twin.controller.poses import Matrix, rotation_vector, to_axis_angle_mm
from xarm_twin.controller.protocol import pack_floats, pack_joints
from xarm_twin.controller.state import Snapshot

REAL_BYTES = 87
NORMAL_BYTES = 145
RICH_BYTES = 574
DEVELOPER_BYTES = 784


@dataclass(frozen=True)
class ReportKind:
    """One report port: how often it pushes, and what."""

    period: float
    """Time between frames [s]."""
    pack: Callable[[Snapshot], bytes]


def ports_from(base: int) -> dict[str, int]:
    """Return report ports by kind, ordered as the vendor's, `base` in the place of 30000."""
    return {kind: base + port - min(VENDOR_PORTS.values()) for kind, port in VENDOR_PORTS.items()}


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
    identity = snapshot.identity
    frame[145:147] = bytes((identity.device_type, identity.axes))
    frame[151:181] = identity.version.encode()[:30].ljust(30, b'\0')
    # Jerk, then least and greatest acceleration and speed: of the tool [mm], of the joints [rad].
    frame[181:201] = pack_floats((1000.0, 1.0, 50000.0, 0.1, firmware.MAX_TCP_SPEED_MM))
    frame[201:221] = pack_floats((20.0, 0.01, 20.0, 0.0001, firmware.MAX_JOINT_SPEED))
    frame[221:229] = pack_floats((2.3, firmware.MAX_ROTATION_ACCELERATION))
    twist = _twist_mm(snapshot.q, snapshot.velocities, _tool(snapshot))
    frame[252:256] = pack_floats((float(np.linalg.norm(twist[:3])),))
    frame[256:284] = pack_joints(tuple(snapshot.velocities))
    frame[284:288] = struct.pack('>I', settings.counter)
    frame[288:312] = pack_floats(settings.world_offset)
    frame[315] = settings.self_collision_check
    frame[482:494] = pack_floats(tuple(to_axis_angle_mm(snapshot.command.tcp)[3:]))
    frame[494] = settings.reduced_mode | settings.fence << 1
    frame[495:574] = reduced_state(snapshot)
    return bytes(frame)


def developer_frame(snapshot: Snapshot) -> bytes:
    """Time, then commanded and measured joints, speeds and tool poses, side by side.

    Not emulated, and zero: accelerations, currents, torques, forces, inputs and outputs.
    """
    frame = bytearray(DEVELOPER_BYTES)
    head = struct.pack('>BH', snapshot.state | snapshot.mode << 4, snapshot.commands)
    frame[:15] = struct.pack('>IQ', DEVELOPER_BYTES, time.monotonic_ns() // 1000) + head
    tool = _tool(snapshot)
    measured = flange_transform_mm(snapshot.q) @ tool
    joints = ((snapshot.q_command, snapshot.command_velocities), (snapshot.q, snapshot.velocities))
    poses = (snapshot.command.tcp, measured)
    for kind, ((q, velocities), tcp) in enumerate(zip(joints, poses, strict=True)):
        at = 32 + kind * 84
        frame[at : at + 56] = pack_joints(tuple(q)) + pack_joints(tuple(velocities))
        at = 424 + kind * 48
        twist = _twist_mm(q, velocities, tool)
        frame[at : at + 48] = pack_floats((*to_axis_angle_mm(tcp), *twist))
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
    'developer': ReportKind(0.005, developer_frame),
}
"""Report ports by the name that the vendor's SDK gives them; it has no name for the last one."""

VENDOR_PORTS: Mapping[str, int] = {
    'normal': 30001,
    'rich': 30002,
    'real': 30003,
    'developer': 30000,
}
"""Where the SDK looks for them. It decodes reports by these numbers."""


def _tool(snapshot: Snapshot) -> Matrix:
    """Tool in the flange frame, 4x4 [mm]."""
    return np.linalg.inv(snapshot.command.frames[-1]) @ snapshot.command.tcp


def _twist_mm(q: np.ndarray, velocities: np.ndarray, tool: Matrix) -> np.ndarray:
    """Velocity of the tool, linear [mm/s] and angular [rad/s], shape (6,)."""
    dt = 1e-4
    before, after = (flange_transform_mm(q + s * velocities * dt) @ tool for s in (-0.5, 0.5))
    turn = rotation_vector(after[:3, :3] @ before[:3, :3].T)
    return np.concatenate([after[:3, 3] - before[:3, 3], turn]) / dt


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
