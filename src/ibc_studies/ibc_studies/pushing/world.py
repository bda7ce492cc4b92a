"""The physics of pushing: a table, a block, and a tool that two rails lead over it."""

import numpy as np
import numpy.typing as npt

from planar_arm.bullet import pybullet

Vector = npt.NDArray[np.float64]

GRAVITY = 9.8
PHYSICS_HZ = 240
STEPS_PER_ACTION = 24
"""Physics steps per action: control at 10 Hz."""
SETTLING_STEPS = 100
BLOCK_SIZE = 0.04
"""Edge of the cube [m]."""
BLOCK_MASS = 0.01
"""[kg]."""
BLOCK_INERTIA = 3.0 * BLOCK_MASS * BLOCK_SIZE**2 / 6.0
"""About each axis [kg m^2]: three times that of a cube, as the released model file asks for."""
TABLE_Z = -0.001
"""Height of the table [m]."""
TOOL_RADIUS = 0.006
"""Of the released suction head: 5 mm, and the margin of 1 mm that PyBullet puts around meshes. The
needle of 1 mm that sticks out below the head is inside of this, and never touches the block [m]."""
TOOL_LENGTH = 0.03
TOOL_Z = 0.0433
"""Height of the tool's middle; its lower end is above the middle of the block [m]."""
MOTOR_GAIN = 0.1
"""Part of the distance to the setpoint that goes in a physics step; PyBullet's default."""
MOTOR_FORCE = 1200.0
"""The most that a motor pulls with; against a block of ten grams no limit [N]."""

_LATERAL_FRICTION = 1.0
_ROLLING_FRICTION = 1e-4
_CARRIAGE_MASS = 1.0
_RAILS = (0, 1)
_UPRIGHT = (0.0, 0.0, 0.0, 1.0)


class PushingWorld:
    """One block and one tool in a PyBullet client of its own."""

    def __init__(self) -> None:
        self._client = pybullet.connect(pybullet.DIRECT)

    def close(self) -> None:
        """Free the PyBullet client; a second call does nothing."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = -1

    def reset(self, block: Vector, tool: npt.ArrayLike) -> None:
        """Build the scene and let it settle.

        Args:
            block: x, y [m] and yaw [rad] of the block, (3,).
            tool: Where the tool rests, (2,) [m].
        """
        # Built anew, nothing of the last episode is left: same seed, same motion.
        pybullet.resetSimulation(physicsClientId=self._client)
        pybullet.setGravity(0, 0, -GRAVITY, physicsClientId=self._client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / PHYSICS_HZ,
            deterministicOverlappingPairs=1,
            physicsClientId=self._client,
        )
        self._add_table()
        self._block = self._add_block(block)
        self._rails = self._add_rails(np.asarray(tool, dtype=float))
        self._advance(SETTLING_STEPS)

    def move_to(self, setpoint: Vector) -> None:
        """Lead the tool towards `setpoint` (2,) [m] for one action."""
        self._lead(setpoint)
        self._advance(STEPS_PER_ACTION)

    @property
    def tool(self) -> Vector:
        """Where the tool is, (2,) [m]."""
        states = pybullet.getJointStates(self._rails, _RAILS, physicsClientId=self._client)
        return np.array([state[0] for state in states])

    @property
    def block(self) -> Vector:
        """x, y [m] and yaw [rad] of the block, (3,)."""
        (x, y, _), quaternion = pybullet.getBasePositionAndOrientation(
            self._block, physicsClientId=self._client
        )
        return np.array((x, y, pybullet.getEulerFromQuaternion(quaternion)[2]))

    def _advance(self, steps: int) -> None:
        for _ in range(steps):
            pybullet.stepSimulation(physicsClientId=self._client)

    def _add_table(self) -> None:
        half = 0.5
        table = pybullet.createMultiBody(
            baseMass=0.0,
            baseCollisionShapeIndex=self._box((2.0, 2.0, half)),
            basePosition=(0.0, 0.0, TABLE_Z - half),
            physicsClientId=self._client,
        )
        self._set_friction(table, rolling=0.0)

    def _add_block(self, pose: Vector) -> int:
        x, y, yaw = pose.tolist()
        block = pybullet.createMultiBody(
            baseMass=BLOCK_MASS,
            baseCollisionShapeIndex=self._box((BLOCK_SIZE / 2,) * 3),
            basePosition=(x, y, TABLE_Z + BLOCK_SIZE / 2),
            baseOrientation=pybullet.getQuaternionFromEuler((0.0, 0.0, yaw)),
            physicsClientId=self._client,
        )
        pybullet.changeDynamics(
            block, -1, localInertiaDiagonal=(BLOCK_INERTIA,) * 3, physicsClientId=self._client
        )
        self._set_friction(block, _ROLLING_FRICTION)
        return block

    def _add_rails(self, tool: Vector) -> int:
        cylinder = pybullet.createCollisionShape(
            pybullet.GEOM_CYLINDER,
            radius=TOOL_RADIUS,
            height=TOOL_LENGTH,
            physicsClientId=self._client,
        )
        rails = pybullet.createMultiBody(
            baseMass=0.0,
            basePosition=(0.0, 0.0, TOOL_Z),
            linkMasses=[_CARRIAGE_MASS] * 2,
            linkCollisionShapeIndices=[-1, cylinder],
            linkVisualShapeIndices=[-1, -1],
            linkPositions=[(0.0, 0.0, 0.0)] * 2,
            linkOrientations=[_UPRIGHT] * 2,
            linkInertialFramePositions=[(0.0, 0.0, 0.0)] * 2,
            linkInertialFrameOrientations=[_UPRIGHT] * 2,
            linkParentIndices=[0, 1],  # counted from 1, 0 being the base
            linkJointTypes=[pybullet.JOINT_PRISMATIC] * 2,
            linkJointAxis=[(1.0, 0.0, 0.0), (0.0, 1.0, 0.0)],
            physicsClientId=self._client,
        )
        self._set_friction(rails, _ROLLING_FRICTION, link=1)
        self._rails = rails
        for rail, place in zip(_RAILS, tool.tolist(), strict=True):
            pybullet.changeDynamics(rails, rail, linearDamping=0.0, physicsClientId=self._client)
            pybullet.resetJointState(rails, rail, place, physicsClientId=self._client)
        self._lead(tool)
        return rails

    def _lead(self, setpoint: Vector) -> None:
        pybullet.setJointMotorControlArray(
            self._rails,
            _RAILS,
            pybullet.POSITION_CONTROL,
            targetPositions=setpoint.tolist(),
            positionGains=[MOTOR_GAIN] * 2,
            velocityGains=[1.0] * 2,
            forces=[MOTOR_FORCE] * 2,
            physicsClientId=self._client,
        )

    def _box(self, half_extents: tuple[float, ...]) -> int:
        return pybullet.createCollisionShape(
            pybullet.GEOM_BOX, halfExtents=half_extents, physicsClientId=self._client
        )

    def _set_friction(self, body: int, rolling: float, link: int = -1) -> None:
        pybullet.changeDynamics(
            body,
            link,
            lateralFriction=_LATERAL_FRICTION,
            rollingFriction=rolling,
            physicsClientId=self._client,
        )
