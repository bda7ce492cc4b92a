"""What the emulated controller claims to be, its limits, and which of them are assumptions.

The vendor documents that errors 23, 24, 35 and 60 exist and what they mean, but not the windows in
which the firmware estimates speeds. The thresholds marked *assumed* were chosen so that a driver
that keeps half of the arm's limits never meets them, and one that jumps always does.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from planar_arm.table import TWIN_SERIAL


@dataclass(frozen=True)
class Identity:
    """What the controller says it is. Whatever it says, six joints move as an xArm6's do."""

    axes: int = 6
    device_type: int = 6
    """6 is the xArm6, 9 the Lite 6, 12 the 850."""
    arm: str = 'XI1302'
    box: str = 'AC1302'
    """Models of arm and control box; the SDK parses digits 2 to 6."""
    firmware: str = 'v2.5.5'
    serial: str = TWIN_SERIAL
    """What follows the models in the serial numbers."""

    @property
    def version(self) -> str:
        """The version as the protocol tells it."""
        return f'{self.axes},{self.device_type},{self.arm},{self.box},{self.firmware}'

    @property
    def serial_numbers(self) -> tuple[str, str]:
        """Of arm and control box."""
        return f'{self.arm}{self.serial}', f'{self.box}{self.serial}'


JOINT_LOWER = np.array([-2 * math.pi, -2.059488, -3.92699, -2 * math.pi, -1.692969, -2 * math.pi])
JOINT_UPPER = np.array([2 * math.pi, 2.094395, 0.191986, 2 * math.pi, math.pi, 2 * math.pi])
"""Joint limits of an xArm6 before model 1305, shape (6,) [rad] (vendor's SDK table)."""

JOINT_SLACK = math.radians(0.1)
"""What the SDK lets through beyond the limits [rad]."""

MAX_JOINT_SPEED = math.pi
MAX_JOINT_ACCELERATION = 20.0
"""Of every joint, vendor's specification: 180 deg/s, 1145 deg/s^2 [rad/s], [rad/s^2]."""

MAX_TCP_SPEED_MM = 1000.0
MAX_TCP_ACCELERATION_MM = 50_000.0
"""Of the tool, vendor's specification [mm/s], [mm/s^2]. Servo mode faults above
`linear_speed_factor` times the speed; planned motion keeps both."""

MAX_ROTATION_SPEED = math.pi / 2
MAX_ROTATION_ACCELERATION = 2.7
"""Of the tool's orientation; the acceleration as arms report it, the speed assumed [rad/s]."""

VELOCITY_MODE_JOINT_ACCELERATION = 10.0
VELOCITY_MODE_TCP_ACCELERATION_MM = 2000.0
"""Assumed: what modes 4 and 5 accelerate with, since their commands carry none."""

LONGEST_QUEUE = 2048
"""Motion commands that wait, vendor's figure; more raise warning 11."""

FEWEST_SECONDS = 1e-3
"""Assumed: shorter pauses do not happen."""

SHORTEST_STEP = 0.01
LONGEST_STEP = 0.05
"""Assumed: a servo command's speed is its distance over the time since the previous one, and that
time counts as no less than SHORTEST_STEP and no more than LONGEST_STEP [s]. So a burst after a
stall looks fast, and a first point must lie near the arm."""


class Fault(IntEnum):
    """Controller error codes that the emulator raises, by itself or when told to."""

    EMERGENCY_STOP = 1
    KINEMATICS = 21
    SELF_COLLISION = 22
    JOINT_LIMIT = 23
    SPEED = 24
    COLLISION = 31
    CIRCLE = 32
    FENCE = 35
    SERVO_LINEAR_SPEED = 60


class Warn(IntEnum):
    """Controller warning codes that the emulator raises by itself."""

    QUEUE_FULL = 11
    BAD_PARAMETER = 12


class Mode(IntEnum):
    """Motion modes in which the emulated arm moves."""

    POSITION = 0
    SERVO = 1
    MANUAL = 2
    JOINT_VELOCITY = 4
    TCP_VELOCITY = 5
    JOINT_ONLINE = 6
    TCP_ONLINE = 7


class State(IntEnum):
    """Values of the state register as read back."""

    MOVING = 1
    READY = 2
    PAUSED = 3
    STOPPED = 4
    NEEDS_READY = 5


@dataclass(frozen=True)
class Settings:
    """What clients configure. Stored and read back; only marked fields change the behaviour."""

    tcp_offset: tuple[float, ...] = (0.0,) * 6
    """Tool in the flange frame: x, y, z [mm], roll, pitch, yaw [rad]. Moves the reported pose."""
    tcp_load: tuple[float, ...] = (0.0,) * 4
    """Mass [kg] and its centre x, y, z [mm]."""
    world_offset: tuple[float, ...] = (0.0,) * 6
    gravity: tuple[float, ...] = (0.0, 0.0, -1.0)
    collision_sensitivity: int = 3
    teach_sensitivity: int = 3
    collision_rebound: int = 0
    reduced_mode: int = 0
    """Non-zero: planned motion keeps the next two, every motion the third, or error 23. Assumed:
    servo commands are not slowed down."""
    reduced_tcp_speed: float = 250.0
    """[mm/s]."""
    reduced_joint_speed: float = 1.0
    """[rad/s]."""
    reduced_joint_range: tuple[float, ...] = (-2 * math.pi, 2 * math.pi) * 7
    """Lowest and highest position of each of seven joints [rad]."""
    fence: int = 0
    """Non-zero: error 35 when a command leaves `tcp_boundary`."""
    tcp_boundary: tuple[int, ...] = (9999, -9999, 9999, -9999, 9999, -9999)
    """Fence: x max, x min, y max, y min, z max, z min [mm]."""
    linear_speed_factor: float = 1.2
    """Error 60 above this many times `MAX_TCP_SPEED_MM`."""
    self_collision_check: int = 1
    """Non-zero: error 22 when a command would let two links touch. Assumed to be on at first."""
    safe_level: int = 4
    tau_or_current: int = 0
    approximate_motion: int = 0
    counter: int = 0
    common: Mapping[int, bytes] = field(default_factory=dict)
    """Raw values of SET_COMMON_PARAM by parameter number."""
