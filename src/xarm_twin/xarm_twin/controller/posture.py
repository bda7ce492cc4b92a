"""Joints and what follows from them: link frames and the pose of the tool."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from xarm_twin.controller.flange import joint_frames_mm
from xarm_twin.controller.poses import Matrix, to_pose_mm


@dataclass(frozen=True, eq=False)
class Posture:
    """One configuration of the arm with one tool."""

    q: npt.NDArray[np.float64]
    """Joint positions (6,) [rad]."""
    frames: list[Matrix]
    """Frames of the joints, 4x4 [mm]; the last one is the flange."""
    tcp: Matrix
    """Pose of the tool, 4x4 [mm]."""

    @classmethod
    def of(cls, q: npt.NDArray[np.float64], tool: Matrix) -> Self:
        """Work it out for joints `q` (6,) [rad] and the tool in the flange frame, 4x4 [mm]."""
        frames = joint_frames_mm(q)
        return cls(q, frames, frames[-1] @ tool)

    @property
    def tcp_mm(self) -> npt.NDArray[np.float64]:
        """Position of the tool, (3,) [mm]."""
        return self.tcp[:3, 3]

    @property
    def pose_mm(self) -> npt.NDArray[np.float64]:
        """Pose of the tool: x, y, z [mm], roll, pitch, yaw [rad], shape (6,)."""
        return to_pose_mm(self.tcp)
