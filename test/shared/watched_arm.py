"""An arm for tests of the driver's motion: it looks at every point that it is told."""

import numpy as np

from planar_arm import xarm6
from planar_arm.kinematics import POSITION_TOLERANCE
from planar_arm.safety import SafetyGate, load_safety_limits
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_planar_driver.arbitration import Arbiter
from xarm_planar_driver.errors import ArmFault, ArmSilent
from xarm_planar_driver.motion import ArmMotion
from xarm_planar_driver.motion_settings import MotionSettings
from xarm_planar_driver.phases import ENABLED, Phase

SETTINGS = MotionSettings(period=0.01, home_speed=0.25, home_joint_speed=1.0)
LIMITS = load_safety_limits()
NOW_NS = 1_700_000_000_000_000_000


class WatchedArm:
    """An arm that is at once where it is told, and looks at every point it is told."""

    def __init__(self, q, kinematics):
        self.q = q.copy()
        self.refuses = self.is_mute = self.loses = False
        self.stopped = True
        self.points = 0
        self.tolerance = POSITION_TOLERANCE
        """How far from plane and workspace a commanded tool may be while it is active [m]."""
        self.motion: ArmMotion
        self._kinematics = kinematics

    def enable(self, safeguards_at, clear_errors):
        tool = self._kinematics.forward(self.q).position
        assert safeguards_at(self.q).fence.contains(tool)
        if self.refuses:
            raise ArmFault('refuses')
        self.stopped = False
        return self.q.copy()

    def stop(self):
        self.stopped |= not self.loses
        if self.is_mute or self.loses:
            raise ArmSilent('no reply in time: the stop may have come')

    def joint_states(self):
        return self.q.copy(), np.zeros(6)

    @property
    def place(self):
        return self._kinematics.forward(self.q).position

    def send_joints(self, q):
        assert not self.stopped
        assert self.motion.phase in ENABLED
        assert np.isfinite(q).all()
        assert (q >= xarm6.JOINT_LOWER).all()
        assert (q <= xarm6.JOINT_UPPER).all()
        assert np.abs(q - self.q).max() <= LIMITS.max_joint_speed * SETTINGS.period * 1.001
        before, tool = (self._kinematics.forward(each).position for each in (self.q, q))
        most = LIMITS.max_tcp_speed * SETTINGS.period * 1.01 + 2 * POSITION_TOLERANCE
        assert np.linalg.norm(tool - before) <= most
        if self.motion.phase is Phase.ACTIVE:
            assert DEFAULT_WORKSPACE.contains(tool[:2], margin=-self.tolerance)
            assert abs(tool[2] - DEFAULT_WORKSPACE.tool_height) <= self.tolerance
        if self.refuses:
            raise ArmFault('refuses')
        self.points += 1
        if not self.loses:
            self.q = q.copy()
        if self.is_mute or self.loses:
            raise ArmSilent('no reply in time: the point may have come, or may come later')


def make_motion(arm: WatchedArm, kinematics, settings: MotionSettings = SETTINGS) -> ArmMotion:
    gate = SafetyGate(LIMITS, DEFAULT_WORKSPACE)
    motion = ArmMotion(arm, kinematics, gate, DEFAULT_WORKSPACE, Arbiter(0.5), settings)  # type: ignore[arg-type]
    arm.motion = motion
    return motion
