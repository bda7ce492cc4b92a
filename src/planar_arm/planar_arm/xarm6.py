"""Numbers of the UFACTORY xArm6 and of the tool, in SI units."""

import numpy as np
import numpy.typing as npt


def _constant(*values: float) -> npt.NDArray[np.float64]:
    array = np.array(values, dtype=float)
    array.setflags(write=False)
    return array


JOINT_NAMES = ('joint1', 'joint2', 'joint3', 'joint4', 'joint5', 'joint6')
JOINTS = len(JOINT_NAMES)

# Vendor SDK table (x_config.py) for the xArm6. Joints 2 and 3 differ between hardware models; these
# are the narrower ones (serial numbers 1305 and later), which every xArm6 can reach.
_TURN = 2 * np.pi
JOINT_LOWER = _constant(-_TURN, -2.042035, -3.822271, -_TURN, -1.692969, -_TURN)
"""Lowest joint positions [rad]."""
JOINT_UPPER = _constant(_TURN, 2.024581, 0.174532, _TURN, np.pi, _TURN)
"""Highest joint positions [rad]."""

DEVICE_TYPE = 6
"""How its controller calls it; 9 is the Lite 6, 12 the 850."""

MAX_JOINT_SPEED = float(np.deg2rad(180.0))
"""Vendor specification, every joint [rad/s]; the controller faults above it (C24)."""
MAX_TCP_SPEED = 1.0
"""Vendor specification [m/s]; in servo mode the controller faults at 1.2 times this (C60)."""

TOOL_LENGTH = 0.1524
"""Six inches from the flange to the tool's lower end [m]."""
TOOL_RADIUS = 0.0127
"""Half of one inch [m]."""
TOOL_MASS = 0.1
"""A hollow plastic cylinder with its flange adapter [kg]."""

TOOL_DOWN_XYZW = (1.0, 0.0, 0.0, 0.0)
"""Orientation of `link_tcp` in `link_base` while working: roll pi, tool axis straight down."""

HOME_XY = (0.24, 0.0)
"""Where the tool waits, on the tool plane in `link_base` [m]."""
HOME_Q = _constant(0.0, -0.3925747, -0.0744709, 0.0, 0.4670456, 0.0)
"""Joint positions [rad] with the tool pointing down at HOME_XY on the default tool plane."""
