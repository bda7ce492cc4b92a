"""The twin's camera: the same bodies as in the physics, drawn in a PyBullet client of its own."""

import itertools
import logging
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from ibc_contract.errors import IbcError
from planar_arm import xarm6
from planar_arm.bullet import pybullet
from planar_arm.bullet_camera import BulletCamera, Light
from planar_arm.camera_model import CameraModel
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.urdf import TCP_LINK, xarm6_with_tool_urdf
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_twin.backdrop import Backdrop
from xarm_twin.config import SceneConfig, load_scene
from xarm_twin.egl import RendererChoice, choose_renderer, load_egl, quiet_stdout
from xarm_twin.tasks import ObjectSpec, Task, get_task
from xarm_twin.tasks.layout import box_corners

__all__ = ['RendererChoice', 'TwinCamera', 'choose_renderer']

_LOG = logging.getLogger(__name__)
_ARM = (0.88, 0.89, 0.90, 1.0)
_TOOL = (0.96, 0.94, 0.88, 1.0)
_AT_WORK = 0.005
"""Distance from tool plane and workspace that still counts as working [m]."""
_TRIAL_WIDTH = 160


class TwinCamera:
    """Draws the scene for given joint positions and object poses. For one thread."""

    def __init__(
        self,
        task: str | Task,
        renderer: RendererChoice = 'auto',
        width: int = 0,
        height: int = 0,
        scene: SceneConfig | None = None,
    ) -> None:
        """Load the bodies of `task` and choose the renderer.

        Args:
            task: The task, or its name.
            renderer: `egl` (OpenGL without a display, in software if there is no GPU), `tiny`
                (PyBullet's own, works everywhere), or `auto`: EGL where there is a GPU.
            width: Image width, 0 for the scene's [px].
            height: Image height, 0 for the scene's [px].
            scene: Board and camera; by default the scene that ships.

        Raises:
            IbcError: The renderer is unknown or does not work here.
        """
        self._size = width, height
        self.renderer = choose_renderer(renderer)
        self._client = pybullet.connect(pybullet.DIRECT)
        self._specs = (get_task(task) if isinstance(task, str) else task).objects
        self._bodies: list[int] = []
        with quiet_stdout():
            if self.renderer == 'egl' and not load_egl(self._client):
                raise IbcError('EGL worked in a trial but not now: use renderer tiny')
            self._arm, self._joints, self._tcp = self._load_arm()
        self._unseen: list[int] = []
        self._shows_all = True
        self.set_scene(scene or load_scene())
        _LOG.info(
            'camera %dx%d px, renderer %s', self.model.width, self.model.height, self.renderer
        )

    def set_scene(self, scene: SceneConfig) -> None:
        """Look at the task through another camera, in other light and colours."""
        self.model: CameraModel = scene.camera.model(*self._size)
        light = scene.light
        lamp = Light(light.direction, light.ambient, light.diffuse, light.specular)
        self._camera = BulletCamera(self._client, self.model, self.renderer == 'egl', lamp)
        self._gain = light.gain
        self._backdrop = Backdrop(self.model, scene.board, light)
        with quiet_stdout():
            for body in self._bodies:
                pybullet.removeBody(body, physicsClientId=self._client)
            self._show_all_links(True)
            self._unseen = self._unseen_links() if self.renderer == 'tiny' else []
            specs = self._specs
            if scene.paints:
                specs = [
                    replace(spec, colour=paint.on(spec.colour))
                    for spec, paint in zip(specs, scene.paints, strict=True)
                ]
            self._bodies = [self._load_object(spec) for spec in specs]
            self._settle()

    def close(self) -> None:
        """Free the PyBullet client; a second call does nothing."""
        if self._client >= 0:
            with quiet_stdout():
                pybullet.disconnect(physicsClientId=self._client)
            self._client = -1

    def render(self, q: npt.ArrayLike, object_poses: npt.ArrayLike) -> np.ndarray:
        """Return the picture (H, W, 3) uint8 RGB.

        Args:
            q: Joint positions (6,) [rad].
            object_poses: Poses (n, 7) of the task's objects, xyz [m] and quaternion xyzw.
        """
        self._pose_arm(np.asarray(q, dtype=float))
        self._show_all_links(not self._is_at_work())
        poses = np.asarray(object_poses, dtype=float)
        shadows = []
        for spec, body, pose in zip(self._specs, self._bodies, poses, strict=True):
            pybullet.resetBasePositionAndOrientation(
                body, pose[:3].tolist(), pose[3:].tolist(), physicsClientId=self._client
            )
            shadows += [(box_corners(box, pose), 2 * box.half_extents[2]) for box in spec.boxes]
        seen, is_body = self._camera.draw()
        bodies = cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB)
        picture = cv2.copyTo(bodies, is_body, self._backdrop.with_shadows(shadows))
        if self._gain == (1.0, 1.0, 1.0):
            return picture
        return np.round(picture * np.array(self._gain)).clip(0, 255).astype(np.uint8)

    def _pose_arm(self, q: npt.NDArray[np.float64]) -> None:
        for joint, value in zip(self._joints, q, strict=True):
            pybullet.resetJointState(self._arm, joint, value, physicsClientId=self._client)

    def _is_at_work(self) -> bool:
        """Whether the tool is on its plane, inside the workspace."""
        x, y, z = pybullet.getLinkState(
            self._arm, self._tcp, computeForwardKinematics=True, physicsClientId=self._client
        )[4]
        workspace = DEFAULT_WORKSPACE
        at_height = abs(z - workspace.tool_height) < _AT_WORK
        return at_height and workspace.contains((x, y), -_AT_WORK)

    def _unseen_links(self) -> list[int]:
        """Links that the camera never sees while the tool works: half the triangles of the arm."""
        x_min, y_min, x_max, y_max = DEFAULT_WORKSPACE.bounds
        small = self.model.scaled(
            _TRIAL_WIDTH, _TRIAL_WIDTH * self.model.height // self.model.width
        )
        camera = BulletCamera(self._client, small)
        kinematics = Xarm6Kinematics()
        seen: set[int] = set()
        for x, y in itertools.product(np.linspace(x_min, x_max, 3), np.linspace(y_min, y_max, 3)):
            self._pose_arm(kinematics.planar((x, y), xarm6.HOME_Q))
            bodies, links = camera.bodies().T
            seen.update(links[bodies == self._arm].tolist())
        kinematics.close()
        count = pybullet.getNumJoints(self._arm, physicsClientId=self._client)
        return sorted(set(range(count)) - seen)

    def _show_all_links(self, show: bool) -> None:
        if show == self._shows_all:
            return
        self._shows_all = show
        for link in self._unseen:
            colour = (*_ARM[:3], 1.0 if show else 0.0)
            pybullet.changeVisualShape(
                self._arm, link, rgbaColor=colour, physicsClientId=self._client
            )

    def _settle(self) -> None:
        """Draw twice: EGL's first pictures differ by some pixels from all later ones."""
        if self.renderer == 'egl':
            for scale in (0.5, 1.0):
                poses = np.zeros((len(self._specs), 7))
                poses[:, 0], poses[:, 6] = scale, 1.0
                self.render(xarm6.HOME_Q * scale, poses)

    def _load_arm(self) -> tuple[int, list[int], int]:
        body = pybullet.loadURDF(
            xarm6_with_tool_urdf(),
            useFixedBase=True,
            flags=pybullet.URDF_IGNORE_COLLISION_SHAPES,
            physicsClientId=self._client,
        )
        count = pybullet.getNumJoints(body, physicsClientId=self._client)
        infos = [pybullet.getJointInfo(body, i, physicsClientId=self._client) for i in range(count)]
        tcp = next(info[0] for info in infos if info[12].decode() == TCP_LINK)
        for info in infos:
            colour = _TOOL if info[0] == tcp else _ARM
            pybullet.changeVisualShape(
                body, info[0], rgbaColor=colour, physicsClientId=self._client
            )
        index = {info[1].decode(): info[0] for info in infos}
        return body, [index[name] for name in xarm6.JOINT_NAMES], tcp

    def _load_object(self, spec: ObjectSpec) -> int:
        boxes = spec.boxes
        shape = pybullet.createVisualShapeArray(
            shapeTypes=[pybullet.GEOM_BOX] * len(boxes),
            halfExtents=[box.half_extents for box in boxes],
            visualFramePositions=[box.centre for box in boxes],
            visualFrameOrientations=[box.quaternion for box in boxes],
            rgbaColors=[spec.colour] * len(boxes),
            physicsClientId=self._client,
        )
        return pybullet.createMultiBody(
            baseMass=0.0, baseVisualShapeIndex=shape, physicsClientId=self._client
        )
