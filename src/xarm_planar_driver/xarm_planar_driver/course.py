"""What to send next: on the way home, following commands in the plane, or staying."""

import math

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.errors import PlanarArmError
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import SafetyGate
from planar_arm.servo import PlanarServo
from planar_arm.workspace import Workspace
from xarm_planar_driver.arbitration import LET_GO
from xarm_planar_driver.motion_settings import MotionSettings
from xarm_planar_driver.phases import Phase
from xarm_planar_driver.way_home import WayHome

Vector = npt.NDArray[np.float64]


class Course:
    """Joint positions of an enabled arm, one tick at a time. It sends nothing itself."""

    def __init__(
        self,
        kinematics: Xarm6Kinematics,
        gate: SafetyGate,
        workspace: Workspace,
        settings: MotionSettings,
    ) -> None:
        self._kinematics = kinematics
        self._gate = gate
        self._workspace = workspace
        self._settings = settings
        self._servo = PlanarServo(kinematics, gate, workspace, settings.interpolation)
        self._way: WayHome | None = None
        self._q = self._q_measured = np.zeros(xarm6.JOINTS)
        self._tool = np.zeros(2)
        self._crosses_plane = False
        self._commanded = -math.inf
        self.phase = Phase.HOLDING
        """HOLDING, HOMING on the way down to the plane, or ACTIVE in it."""

    @property
    def is_homeward(self) -> bool:
        """Whether the arm is on its way home, down to the plane or in it."""
        return self.phase is Phase.HOMING or self._crosses_plane

    @property
    def setpoint(self) -> Vector | None:
        """Point of the plane commanded last, (2,) [m]; None off the plane."""
        return self._servo.setpoint if self.phase is Phase.ACTIVE else None

    def begin(self, q: Vector) -> str:
        """Stay at measured joints `q` (6,) [rad]; return why commands cannot be followed there."""
        self._q = q
        self._crosses_plane = False
        self.measured(q, self._kinematics.forward(q).position[:2])
        try:
            self._servo.start(q)
        except PlanarArmError as error:
            self.phase = Phase.HOLDING
            return str(error)
        self.phase = Phase.ACTIVE
        return ''

    def go_home(self, t: float) -> None:
        """Set out for home at `t` [s], unless it is on its way.

        Raises:
            PlanarArmError: There is no way that keeps the tool above the board.
        """
        settings = self._settings
        if self.phase is Phase.ACTIVE:
            self._servo.goto(self._workspace.home, t, settings.home_speed)
            self._crosses_plane = True
        elif self.phase is Phase.HOLDING:
            self._way = WayHome(
                self._kinematics,
                self._workspace,
                self._gate,
                self._q,
                settings.home_joint_speed,
                settings.period,
            )
            self.phase = Phase.HOMING

    def command(self, delta: Vector, t: float, duration: float, age: float) -> bool:
        """Move the goal as PlanarServo.command says; return whether it was accepted."""
        is_accepted = self._servo.command(delta, t, duration, age).accepted
        if is_accepted:
            self._commanded = t
        return is_accepted

    def rest(self, t: float) -> None:
        """Let what is left of the last command go."""
        self._servo.hold(t)

    def measured(self, q: Vector, tool: Vector) -> None:
        """Take note of joints (6,) [rad] and tool (2,) [m] in its plane: commands wait for them."""
        self._q_measured, self._tool = q, tool

    def next(self, t: float) -> Vector:
        """Return the joint positions (6,) [rad] of the tick at `t` [s].

        Raises:
            PlanarArmError: There are none that may be sent.
        """
        if self.phase is Phase.ACTIVE:
            if not self._crosses_plane and self._servo.moving and t - self._commanded > LET_GO:
                self._servo.hold(t)  # who wanted what is still owed has let go, or is gone
            self._q = self._servo.step(t, self._settings.period, self._tool).q_command
            self._crosses_plane &= self._servo.moving
        elif self.phase is Phase.HOMING and self._way is not None:
            q = self._way.step(self._q_measured)
            if q is None:
                self._servo.start(self._way.q)
                self.phase = Phase.ACTIVE
            else:
                self._q = q
        return self._q
