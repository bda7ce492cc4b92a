"""An emulated controller whose time passes when told to, and goals for it."""

import math

import numpy as np

from planar_arm import xarm6
from xarm_twin.controller import ControllerState, LagPlant
from xarm_twin.controller.firmware import Mode
from xarm_twin.controller.flange import flange_transform_mm
from xarm_twin.controller.goals import Frame, JointGoal, Pace, PoseGoal

DT = 0.01
PACE = Pace(100.0, 1000.0)


class Rig:
    """A controller whose time passes when told to, and what it commanded."""

    def __init__(self, mode: int = Mode.POSITION, q=xarm6.HOME_Q, **options) -> None:
        self.now = 0.0
        self.arm = LagPlant(q, clock=lambda: self.now)
        self.state = ControllerState(self.arm, lambda: self.now)
        self.state.configure(**options)
        self.switch(mode)
        self.joints = [np.array(q, float)]

    def switch(self, mode: int) -> None:
        self.state.enable(8, True)
        self.state.set_mode(mode)
        self.state.set_state(0)

    @property
    def shot(self):
        return self.state.snapshot()

    @property
    def tcp(self) -> np.ndarray:
        return self.shot.command.tcp

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / DT)):
            self.now += DT
            self.state.advance(DT)
            if not self.shot.error:  # else it holds where the arm is, which lags
                self.joints.append(self.shot.q_command)

    def finish(self, longest: float = 60.0) -> float:
        """Run until nothing is pending; return how long that took [s]."""
        begin = self.now
        while self.shot.commands and self.now < begin + longest:
            self.run(DT)
        return self.now - begin

    def path_mm(self) -> np.ndarray:
        return np.array([flange_transform_mm(q)[:3, 3] for q in self.joints])

    def speeds_mm(self) -> np.ndarray:
        return np.linalg.norm(np.diff(self.path_mm(), axis=0), axis=1) / DT


def pose(*values: float, pace: Pace = PACE, frame: Frame = Frame.BASE, aa: bool = False):
    return PoseGoal(np.array(values), pace, frame, aa)


def joints(*values: float, pace: Pace | None = None, relative: bool = False):
    return JointGoal(np.array(values), pace or Pace(0.5, 5.0), relative)


def kept(**changes: float):
    """A pose whose other numbers stay as they are."""
    names = ('x', 'y', 'z', 'roll', 'pitch', 'yaw')
    return [changes.get(name, math.inf) for name in names]
