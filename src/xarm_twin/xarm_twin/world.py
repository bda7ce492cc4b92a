"""The physics of the twin: arm, board, blocks and fixtures in a PyBullet client of its own."""

import numpy as np
import numpy.typing as npt

from planar_arm import xarm6
from planar_arm.bullet import pybullet
from planar_arm.urdf import TCP_LINK, xarm6_with_tool_urdf
from xarm_twin.config import PhysicsConfig, SceneConfig, load_scene
from xarm_twin.tasks import ObjectSpec, Task, get_task

Vector = npt.NDArray[np.float64]

GRAVITY = 9.81
# Rated joint torques of the vendor's URDF [N m].
MAX_TORQUE = (50.0, 50.0, 32.0, 32.0, 32.0, 20.0)
_SOLVER_ITERATIONS = 50
_TABLE = 1.0
"""Half the edge of the table under the board [m]."""


class World:
    """One arm at one task, advanced step by step; nothing here knows about wall-clock time.

    Of the arm only the tool touches anything: a real arm that works in the tool plane keeps its
    links off the board too, and the physics is the faster for it.
    """

    def __init__(self, task: str | Task, seed: int = 0, scene: SceneConfig | None = None) -> None:
        """Build the scene and lay `task` out for `seed`."""
        self.task = get_task(task) if isinstance(task, str) else task
        self._scene = scene or load_scene()
        self._physics = self._scene.physics
        self._client = pybullet.connect(pybullet.DIRECT)
        self._dt = 1.0 / self._physics.rate_hz
        pybullet.setGravity(0, 0, -GRAVITY, physicsClientId=self._client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=self._dt,
            numSolverIterations=_SOLVER_ITERATIONS,
            deterministicOverlappingPairs=1,
            enableConeFriction=1,
            physicsClientId=self._client,
        )
        self._arm, self._joints, self._tcp = self._load_arm()
        self._boards: list[int] = []
        self._load_board()
        self._bodies: list[int] = []
        self._steps = 0
        self.reset(seed)

    @property
    def dt(self) -> float:
        """Length of a physics step [s]."""
        return self._dt

    @property
    def time(self) -> float:
        """Simulated time since the last reset [s]."""
        return self._steps * self._dt

    def close(self) -> None:
        """Free the PyBullet client; a second call does nothing."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = -1

    def reset(self, seed: int, q: npt.ArrayLike = xarm6.HOME_Q) -> None:
        """Lay the task out anew for `seed` and put the arm at rest at joint positions `q` (6,)."""
        self.set_layout(self.task.sample_layout(np.random.default_rng(seed)))
        self.set_joint_positions(q)
        self._steps = 0

    def set_physics(self, physics: PhysicsConfig) -> None:
        """Change friction, density and motors from the next layout on; the step rate stays."""
        self._physics = physics
        self._set_friction(self._arm, physics.tool_friction, self._tcp)
        for board in self._boards:
            self._set_friction(board, physics.board_friction)

    def set_layout(self, poses: Vector) -> None:
        """Place all objects at rest at `poses` (n, 7)."""
        # Fresh bodies carry no contacts over from the last episode: same seed, same motion.
        for body in self._bodies:
            pybullet.removeBody(body, physicsClientId=self._client)
        self._bodies = [
            self._load_object(spec, pose)
            for spec, pose in zip(self.task.objects, poses, strict=True)
        ]

    def set_joint_positions(self, q: npt.ArrayLike) -> None:
        """Put the arm at rest at `q` (6,) [rad] at once, and hold it there."""
        values = np.asarray(q, dtype=float)
        for joint, value in zip(self._joints, values, strict=True):
            pybullet.resetJointState(self._arm, joint, value, physicsClientId=self._client)
        self.set_joint_targets(values)

    def set_joint_targets(self, q: npt.ArrayLike) -> None:
        """Let the motors pull to `q` (6,) [rad] from the next step on."""
        targets = np.asarray(q, dtype=float).tolist()
        for joint, target, torque in zip(self._joints, targets, MAX_TORQUE, strict=True):
            pybullet.setJointMotorControl2(
                self._arm,
                joint,
                pybullet.POSITION_CONTROL,
                targetPosition=target,
                positionGain=self._physics.motor_gain,
                velocityGain=1.0,
                force=torque,
                maxVelocity=xarm6.MAX_JOINT_SPEED,
                physicsClientId=self._client,
            )

    def step(self) -> None:
        """Advance by one physics step."""
        pybullet.stepSimulation(physicsClientId=self._client)
        self._steps += 1

    def joint_states(self) -> tuple[Vector, Vector]:
        """Measured joint positions (6,) [rad] and velocities (6,) [rad/s]."""
        states = pybullet.getJointStates(self._arm, self._joints, physicsClientId=self._client)
        return np.array([state[0] for state in states]), np.array([state[1] for state in states])

    def object_poses(self) -> Vector:
        """Poses (n, 7) = xyz + quaternion xyzw of the task's objects in `link_base`."""
        poses = np.empty((len(self._bodies), 7))
        for row, body in zip(poses, self._bodies, strict=True):
            position, quaternion = pybullet.getBasePositionAndOrientation(
                body, physicsClientId=self._client
            )
            row[:3], row[3:] = position, quaternion
        return poses

    def tool_is_clear(self, gap: float) -> bool:
        """Whether the tool is farther than `gap` [m] from every object."""
        return not any(
            pybullet.getClosestPoints(
                self._arm, body, gap, linkIndexA=self._tcp, physicsClientId=self._client
            )
            for body in self._bodies
        )

    def _load_arm(self) -> tuple[int, list[int], int]:
        """Load the arm; return its body and the indices of its six joints and of its tool."""
        body = pybullet.loadURDF(
            xarm6_with_tool_urdf(),
            useFixedBase=True,
            flags=pybullet.URDF_IGNORE_VISUAL_SHAPES | pybullet.URDF_USE_IMPLICIT_CYLINDER,
            physicsClientId=self._client,
        )
        count = pybullet.getNumJoints(body, physicsClientId=self._client)
        infos = [pybullet.getJointInfo(body, i, physicsClientId=self._client) for i in range(count)]
        index = {info[1].decode(): info[0] for info in infos}
        tcp = next(info[0] for info in infos if info[12].decode() == TCP_LINK)
        for link in range(-1, count):
            if link != tcp:
                pybullet.setCollisionFilterGroupMask(body, link, 0, 0, physicsClientId=self._client)
        self._set_friction(body, self._physics.tool_friction, tcp)
        return body, [index[name] for name in xarm6.JOINT_NAMES], tcp

    def _load_board(self) -> None:
        board = self._scene.board
        boards = (
            ((board.size[0] / 2, board.size[1] / 2, board.thickness / 2), board.thickness / 2),
            ((_TABLE, _TABLE, 0.05), -0.05),  # what is pushed off the board stays in reach
        )
        for half, z in boards:
            shape = pybullet.createCollisionShape(
                pybullet.GEOM_BOX, halfExtents=half, physicsClientId=self._client
            )
            body = pybullet.createMultiBody(
                baseMass=0.0,
                baseCollisionShapeIndex=shape,
                basePosition=(*board.centre, z),
                physicsClientId=self._client,
            )
            self._set_friction(body, self._physics.board_friction)
            self._boards.append(body)

    def _load_object(self, spec: ObjectSpec, pose: Vector) -> int:
        physics = self._physics
        boxes = spec.boxes
        shape = pybullet.createCollisionShapeArray(
            shapeTypes=[pybullet.GEOM_BOX] * len(boxes),
            halfExtents=[box.half_extents for box in boxes],
            collisionFramePositions=[box.centre for box in boxes],
            collisionFrameOrientations=[box.quaternion for box in boxes],
            physicsClientId=self._client,
        )
        body = pybullet.createMultiBody(
            baseMass=_mass(spec, physics) if spec.is_block else 0.0,
            baseCollisionShapeIndex=shape,
            basePosition=pose[:3].tolist(),
            baseOrientation=pose[3:].tolist(),
            physicsClientId=self._client,
        )
        friction = physics.block_friction if spec.is_block else physics.fixture_friction
        self._set_friction(body, friction)
        return body

    def _set_friction(self, body: int, coefficient: float, link: int = -1) -> None:
        pybullet.changeDynamics(
            body,
            link,
            lateralFriction=coefficient,
            spinningFriction=0.0,
            rollingFriction=0.0,
            restitution=0.0,
            physicsClientId=self._client,
        )


def _mass(spec: ObjectSpec, physics: PhysicsConfig) -> float:
    """Mass [kg] of a body of the density of wood."""
    volume = sum(8.0 * float(np.prod(box.half_extents)) for box in spec.boxes)
    return volume * physics.block_density
