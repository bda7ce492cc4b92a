"""The robot cell in one process: the twin's world under the driver's own servo, tick by tick."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import Admission, SafetyGate, load_safety_limits
from planar_arm.servo import PlanarServo
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_twin.config import PhysicsConfig, SceneConfig
from xarm_twin.tasks import Task
from xarm_twin.world import World

Vector = npt.NDArray[np.float64]

TICKS_PER_SECOND = 100
TICK = 1.0 / TICKS_PER_SECOND
"""Period of the driver's loop [s]."""
TICK_NS = 10**9 // TICKS_PER_SECOND


@dataclass(frozen=True, eq=False)
class CellState:
    """What is measured and commanded at one tick."""

    stamp_ns: int
    """Simulated time since the reset [ns]."""
    q: Vector
    """Measured joint positions (6,) [rad]."""
    velocities: Vector
    """Measured joint velocities (6,) [rad/s]."""
    objects: Vector
    """Poses (n, 7) of the task's objects."""
    setpoint_xy: Vector
    """Commanded point of the tool plane (2,) [m]."""


class SimulatedCell:
    """World, servo and safety gate, on simulated time; as fast as the machine allows."""

    def __init__(self, task: str | Task, scene: SceneConfig | None = None) -> None:
        self.world = World(task, scene=scene)
        self.kinematics = Xarm6Kinematics()
        self._limits = load_safety_limits()
        self._steps_per_tick = round(TICK / self.world.dt)
        self.reset(0)

    def close(self) -> None:
        """Free both PyBullet clients."""
        self.world.close()
        self.kinematics.close()

    def reset(self, seed: int, physics: PhysicsConfig | None = None) -> CellState:
        """Lay the task out for `seed`, with the tool at rest at home; from now on on `physics`."""
        if physics is not None:
            self.world.set_physics(physics)
        self.world.reset(seed)
        self.gate = SafetyGate(self._limits, DEFAULT_WORKSPACE)
        self.servo = PlanarServo(self.kinematics, self.gate, DEFAULT_WORKSPACE)
        self.servo.start(xarm6.HOME_Q)
        self._ticks = 0
        self.state = self._measure(self.servo.setpoint)
        return self.state

    def command(self, delta: npt.ArrayLike, duration: float) -> Admission:
        """Move the setpoint by `delta` (2,) [m] over the next `duration` [s]."""
        return self.servo.command(delta, self._ticks * TICK, duration, age=0.0)

    def tick(self) -> CellState:
        """Let one period of the driver's loop pass."""
        for _ in range(self._steps_per_tick):
            self.world.step()
        self._ticks += 1
        tool = self.kinematics.forward(self.state.q).position[:2]
        step = self.servo.step(self._ticks * TICK, TICK, tool)
        self.state = self._measure(step.setpoint_xy)
        self.world.set_joint_targets(step.q_command)
        return self.state

    def _measure(self, setpoint_xy: Vector) -> CellState:
        q, velocities = self.world.joint_states()
        return CellState(
            self._ticks * TICK_NS, q, velocities, self.world.object_poses(), setpoint_xy
        )
