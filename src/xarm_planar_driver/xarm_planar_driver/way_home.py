"""The way from anywhere down to home on the tool plane, one tick at a time."""

import numpy as np
import numpy.typing as npt

from planar_arm.homing import home_path
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import SafetyGate
from planar_arm.workspace import Workspace

Vector = npt.NDArray[np.float64]

LARGEST_LAG = 0.15
"""How far commanded joints run ahead of measured ones on the way to the plane [rad]: three
times what a delay of 0.1 s makes at 0.5 rad/s."""


class WayHome:
    """Joint positions to send; they wait for an arm that is held up."""

    def __init__(
        self,
        kinematics: Xarm6Kinematics,
        workspace: Workspace,
        gate: SafetyGate,
        q: Vector,
        speed: float,
        period: float,
    ) -> None:
        """Begin at joints `q` (6,) [rad]; no joint goes faster than `speed` [rad/s].

        Nor does the tool go faster than the gate allows in its plane.

        Raises:
            PlanarArmError: There is no way that keeps the tool above the board.
        """
        self._kinematics = kinematics
        self._gate = gate
        self._period = period
        tool_speed = gate.limits.max_tcp_speed
        self._path = home_path(kinematics, workspace, q, speed, tool_speed, period)
        self.q = q
        """Sent last, (6,) [rad]."""

    def step(self, q_measured: Vector) -> Vector | None:
        """Return what to send next, (6,) [rad]; None at home.

        Raises:
            GateTrip: It must not be sent.
        """
        if np.abs(q_measured - self.q).max() > LARGEST_LAG:  # something is in its way
            self._gate.interventions['setpoint_waits_for_tool'] += 1
            return self.q
        q = next(self._path, None)
        if q is not None:
            self._gate.check_joints(self.q, q, self._period)
            before, after = (self._kinematics.forward(each).position for each in (self.q, q))
            self._gate.check_tool(before, after, self._period)
            self.q = q
        return q
