"""One consistent look at the controller, for reports and for people."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from xarm_twin.controller.firmware import Identity, Settings
from xarm_twin.controller.posture import Posture


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What the control box knows at one moment."""

    identity: Identity
    mode: int
    state: int
    error: int
    warning: int
    commands: int
    """Moves waiting or running."""
    enabled: int
    """Bit mask of enabled joints; brakes are released with them."""
    emergency_stop: bool
    """Whether the button is pushed in."""
    command: Posture
    """What is commanded: reports carry this, not what is measured."""
    command_velocities: np.ndarray
    """How fast the commanded joints change, shape (6,) [rad/s]."""
    q: np.ndarray
    """Measured joint positions, shape (6,) [rad]."""
    velocities: np.ndarray
    """Measured joint velocities, shape (6,) [rad/s]."""
    settings: Settings

    @property
    def q_command(self) -> np.ndarray:
        """Commanded joints, shape (6,) [rad]."""
        return self.command.q

    @property
    def pose_mm(self) -> np.ndarray:
        """Commanded tool pose: x, y, z [mm], roll, pitch, yaw [rad]."""
        return self.command.pose_mm

    def to_dict(self) -> dict[str, Any]:
        """Return what a person wants to know, in the units of the vendor's software."""
        return {
            'mode': self.mode,
            'state': int(self.state),
            'error': int(self.error),
            'warning': int(self.warning),
            'emergency_stop': self.emergency_stop,
            'enabled': bool(self.enabled),
            'pending_commands': self.commands,
            'joints_deg': [round(float(v), 3) for v in np.degrees(self.q)],
            'joint_speeds_deg_s': [round(float(v), 3) for v in np.degrees(self.velocities)],
            'commanded_joints_deg': [round(float(v), 3) for v in np.degrees(self.command.q)],
            'commanded_pose_mm_deg': [
                round(float(v), 3)
                for v in (*self.command.tcp_mm, *np.degrees(self.command.pose_mm[3:]))
            ],
        }
