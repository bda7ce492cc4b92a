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

VERSION = '6,6,XI1302,AC1302,v2.5.5'
"""Axes, type, arm and control box models, firmware. The SDK parses digits 2 to 6 of the models."""

SERIAL_NUMBERS = ('XI130200000000', 'AC130200000000')
"""Arm and control box."""

JOINT_LOWER = np.array([-2 * math.pi, -2.059488, -3.92699, -2 * math.pi, -1.692969, -2 * math.pi])
JOINT_UPPER = np.array([2 * math.pi, 2.094395, 0.191986, 2 * math.pi, math.pi, 2 * math.pi])
"""Joint limits of an xArm6 before model 1305, shape (6,) [rad] (vendor's SDK table)."""

JOINT_SLACK = math.radians(0.1)
"""What the SDK lets through beyond the limits [rad]."""

MAX_SERVO_SPEED_MM = 1000.0
"""Nominal top speed of the tool [mm/s]; servo mode faults above `linear_speed_factor` times it."""

SHORTEST_STEP = 0.01
LONGEST_STEP = 0.05
"""Assumed: a servo command's speed is its distance over the time since the previous one, and that
time counts as no less than SHORTEST_STEP and no more than LONGEST_STEP [s]. So a burst after a
stall looks fast, and a first point must lie near the arm."""


class Fault(IntEnum):
    """Controller error codes that the emulator raises by itself."""

    JOINT_LIMIT = 23
    SPEED = 24
    FENCE = 35
    SERVO_LINEAR_SPEED = 60


class Warn(IntEnum):
    """Controller warning codes that the emulator raises by itself."""

    BAD_PARAMETER = 12


class Mode(IntEnum):
    """Motion modes in which the emulated arm moves."""

    POSITION = 0
    SERVO = 1


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
    reduced_tcp_speed: float = 250.0
    reduced_joint_speed: float = 1.0
    reduced_joint_range: tuple[float, ...] = (-2 * math.pi, 2 * math.pi) * 7
    fence: int = 0
    """Non-zero: error 35 when a command leaves `tcp_boundary`."""
    tcp_boundary: tuple[int, ...] = (9999, -9999, 9999, -9999, 9999, -9999)
    """Fence: x max, x min, y max, y min, z max, z min [mm]."""
    linear_speed_factor: float = 1.2
    """Error 60 above this many times `MAX_SERVO_SPEED_MM`."""
    safe_level: int = 4
    tau_or_current: int = 0
    approximate_motion: int = 0
    counter: int = 0
    common: Mapping[int, bytes] = field(default_factory=dict)
    """Raw values of SET_COMMON_PARAM by parameter number."""
