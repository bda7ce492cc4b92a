"""The state vector that policies and oracles see."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """What a state vector says."""

    block_xy: Vector
    """Centre of the block, (2,) [m]."""
    block_yaw: float
    """[rad], in [-pi, pi]."""
    setpoint: Vector
    """Where the tool is led, (2,) [m]."""
    tool: Vector
    """Where it is, (2,) [m]."""
    zones: Vector
    """x, y [m] and yaw [rad] of each zone, in the order in which to visit them, (zones, 3)."""

    def vector(self) -> npt.NDArray[np.float32]:
        """Return the state vector, (10,) or (13,).

        The order is that of the released code's keys: block yaw and xy, setpoint, tool, then yaw
        and xy of the *second* zone, if there is one, and of the first.
        """
        zones = [np.array((yaw, x, y)) for x, y, yaw in self.zones[::-1]]
        parts = [np.array([self.block_yaw]), self.block_xy, self.setpoint, self.tool, *zones]
        return np.concatenate(parts, dtype=np.float32)

    @classmethod
    def from_vector(cls, vector: npt.NDArray[np.float32]) -> 'Scene':
        """Read a state vector."""
        values = np.asarray(vector, dtype=float)
        yaw_x_y = values[7:].reshape(-1, 3)[::-1]
        return cls(
            block_yaw=float(values[0]),
            block_xy=values[1:3],
            setpoint=values[3:5],
            tool=values[5:7],
            zones=np.roll(yaw_x_y, -1, axis=1),
        )

    def distances(self) -> Vector:
        """Distance of the block's centre to each zone, (zones,) [m]."""
        return np.linalg.norm(self.zones[:, :2] - self.block_xy, axis=1)
