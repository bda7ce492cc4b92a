"""Forward and inverse kinematics of the xArm6 with its tool, by PyBullet."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.bullet import pybullet
from planar_arm.errors import UnreachablePose
from planar_arm.tool import DEFAULT_TOOL, Tool
from planar_arm.urdf import TCP_LINK, xarm6_skeleton_urdf
from planar_arm.workspace import DEFAULT_WORKSPACE, Workspace

Vector = npt.NDArray[np.float64]

POSITION_TOLERANCE = 1e-4
"""Largest distance between the wanted and the solved tool position [m]."""
ANGLE_TOLERANCE = 1e-3
"""Largest angle between the wanted and the solved tool orientation [rad]."""

# PyBullet's own solver takes damped steps that shrink near the goal and stops on position alone, so
# it only brings the arm near; Newton steps on PyBullet's Jacobian then converge quadratically.
_NEAR_POSITION = 0.01
_NEAR_ANGLE = 0.1
_AIM_POSITION = 1e-7
_AIM_ANGLE = 1e-7
_DAMPED_STEPS = 20
_ROUNDS = 40
_ZEROS = [0.0] * xarm6.JOINTS
# A bend of the wrist or elbow beyond this between seed and solution is another branch.
_BRANCH_JOINTS = (3, 4)


@dataclass(frozen=True)
class Pose:
    """Position (3,) [m] and quaternion xyzw (4,) of a frame in `link_base`."""

    position: Vector
    quaternion: Vector


class Xarm6Kinematics:
    """FK and IK of `link_tcp` in `link_base`, in a PyBullet client of its own.

    Not for use from two threads at once: solving moves the client's model of the arm.
    """

    def __init__(self, workspace: Workspace = DEFAULT_WORKSPACE, tool: Tool = DEFAULT_TOOL) -> None:
        self._tool_height = workspace.tool_height
        # PyBullet asks for the Jacobian's point relative to the link's centre of mass.
        self._tcp_from_mass_centre = (0.0, 0.0, tool.length / 2)
        self._client = pybullet.connect(pybullet.DIRECT)
        self._body = pybullet.loadURDF(
            xarm6_skeleton_urdf(tool.length), useFixedBase=True, physicsClientId=self._client
        )
        joints = {}
        for index in range(pybullet.getNumJoints(self._body, physicsClientId=self._client)):
            info = pybullet.getJointInfo(self._body, index, physicsClientId=self._client)
            joints[info[1].decode()] = index
            if info[12].decode() == TCP_LINK:
                self._tcp = index
        self._joints = [joints[name] for name in xarm6.JOINT_NAMES]

    def close(self) -> None:
        """Free the PyBullet client; a second call does nothing."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = -1

    def forward(self, q: npt.ArrayLike) -> Pose:
        """Return the pose of `link_tcp` in `link_base` at joint positions `q` (6,) [rad]."""
        position, quaternion = self._forward(np.asarray(q, dtype=float))
        return Pose(np.array(position), np.array(quaternion))

    def inverse(self, position: npt.ArrayLike, q_seed: npt.ArrayLike) -> Vector:
        """Return joint positions (6,) [rad] with the tool pointing down at `position` (3,) [m].

        The solution continues the branch of `q_seed` (6,) [rad]. Same arguments, same result.

        Raises:
            UnreachablePose: Residual above 0.1 mm or 1 mrad, beyond a joint limit, or only
                reachable by folding the arm the other way.
        """
        target = tuple(float(value) for value in np.asarray(position, dtype=float))
        seed = np.asarray(q_seed, dtype=float)
        if not all(map(math.isfinite, target)) or not np.isfinite(seed).all():
            raise UnreachablePose(f'tool position {target} or seed {seed} is not finite')
        q, distance, angle = self._solve(target, seed)
        if distance > POSITION_TOLERANCE or angle > ANGLE_TOLERANCE:
            raise UnreachablePose(
                f'no joint position puts the tool at {_metres(target)}: nearest is '
                f'{distance * 1e3:.2f} mm and {angle * 1e3:.2f} mrad away'
            )
        self._require_limits(q, target)
        self._require_branch(q, seed, target)
        return q

    def planar(self, p_xy: npt.ArrayLike, q_seed: npt.ArrayLike) -> Vector:
        """Solve `inverse` for a point (2,) [m] of the tool plane."""
        x, y = np.asarray(p_xy, dtype=float)
        return self.inverse((x, y, self._tool_height), q_seed)

    def _forward(self, q: Vector) -> tuple[tuple[float, ...], tuple[float, ...]]:
        for joint, value in zip(self._joints, q, strict=True):
            pybullet.resetJointState(self._body, joint, value, physicsClientId=self._client)
        state = pybullet.getLinkState(
            self._body, self._tcp, computeForwardKinematics=True, physicsClientId=self._client
        )
        return state[4], state[5]

    def _solve(self, target: tuple[float, ...], seed: Vector) -> tuple[Vector, float, float]:
        """Iterate from `seed`; return joints and residuals [m], [rad]."""
        q = seed
        found, quaternion = self._forward(q)  # leaves the model at the seed, where IK starts
        distance, angle = _residual(found, quaternion, target)
        for _ in range(_ROUNDS):
            if distance <= _AIM_POSITION and angle <= _AIM_ANGLE:
                break
            if distance <= _NEAR_POSITION and angle <= _NEAR_ANGLE:
                q = self._newton_step(q, found, quaternion, target)
            else:
                q = self._damped_steps(target)
            found, quaternion = self._forward(q)
            distance, angle = _residual(found, quaternion, target)
        return q, distance, angle

    def _damped_steps(self, target: tuple[float, ...]) -> Vector:
        solved = pybullet.calculateInverseKinematics(
            self._body,
            self._tcp,
            target,
            xarm6.TOOL_DOWN_XYZW,
            maxNumIterations=_DAMPED_STEPS,
            residualThreshold=1e-10,
            physicsClientId=self._client,
        )
        return np.array(solved)

    def _newton_step(
        self,
        q: Vector,
        found: tuple[float, ...],
        quaternion: tuple[float, ...],
        target: tuple[float, ...],
    ) -> Vector:
        linear, angular = pybullet.calculateJacobian(
            self._body,
            self._tcp,
            self._tcp_from_mass_centre,
            q.tolist(),
            _ZEROS,
            _ZEROS,
            physicsClientId=self._client,
        )
        # Rotation from found to wanted, as a vector in link_base: for the wanted (1, 0, 0, 0) and
        # small angles it is twice the vector part of wanted * conjugate(found).
        x, y, z, w = quaternion
        sign = math.copysign(2.0, x)
        twist = (
            target[0] - found[0],
            target[1] - found[1],
            target[2] - found[2],
            sign * w,
            sign * z,
            sign * -y,
        )
        try:
            return q + np.linalg.solve(np.array(linear + angular), twist)
        except np.linalg.LinAlgError:  # exactly singular: the damped solver moves off it
            return self._damped_steps(target)

    def _require_limits(self, q: Vector, target: tuple[float, ...]) -> None:
        outside = (q < xarm6.JOINT_LOWER) | (q > xarm6.JOINT_UPPER)
        if outside.any():
            joint = int(np.argmax(outside))
            raise UnreachablePose(
                f'tool at {_metres(target)} needs joint{joint + 1} at {q[joint]:.3f} rad, allowed '
                f'{xarm6.JOINT_LOWER[joint]:.3f} to {xarm6.JOINT_UPPER[joint]:.3f}'
            )

    def _require_branch(self, q: Vector, seed: Vector, target: tuple[float, ...]) -> None:
        for joint in _BRANCH_JOINTS:
            if abs(q[joint] - seed[joint]) > math.pi / 2:
                raise UnreachablePose(
                    f'tool at {_metres(target)} is only reached by folding joint{joint + 1} from '
                    f'{seed[joint]:.3f} to {q[joint]:.3f} rad'
                )


def _residual(
    position: tuple[float, ...], quaternion: tuple[float, ...], target: tuple[float, ...]
) -> tuple[float, float]:
    """Distance [m] and angle [rad] between a found pose and the tool pointing down at `target`."""
    distance = math.dist(position, target)
    # The sine of half the angle: the three components across the wanted quaternion (1, 0, 0, 0).
    across = math.hypot(quaternion[1], quaternion[2], quaternion[3])
    return distance, 2.0 * math.asin(min(1.0, across))


def _metres(position: tuple[float, ...]) -> str:
    return '({:.4f}, {:.4f}, {:.4f}) m'.format(*position)
