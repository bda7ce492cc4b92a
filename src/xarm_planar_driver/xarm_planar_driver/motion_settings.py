"""How the driver moves by itself."""

from dataclasses import dataclass

from planar_arm.setpoint_motion import Interpolation
from planar_arm.tool import DEFAULT_TOOL, Tool


@dataclass(frozen=True)
class MotionSettings:
    """Speeds of what the driver does by itself."""

    period: float
    """Between two ticks [s]."""
    home_speed: float
    """Of the tool in its plane [m/s]."""
    home_joint_speed: float
    """Of the fastest joint on the way to the plane [rad/s]."""
    collision_sensitivity: int = 3
    """Of the controller, 1 to 5."""
    interpolation: Interpolation = Interpolation.LINEAR
    """Between commands."""
    tool: Tool = DEFAULT_TOOL
