"""What a camera sees of pushing: pictures of states."""

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from ibc_contract.images import to_observation
from ibc_studies.pushing.config import PushingConfig
from ibc_studies.pushing.observation import Scene
from ibc_studies.pushing.world import BLOCK_SIZE, TABLE_Z, TOOL_LENGTH, TOOL_RADIUS, TOOL_Z
from planar_arm.bullet import pybullet
from planar_arm.bullet_camera import BulletCamera, Window
from planar_arm.camera_model import CameraModel, look_at

WIDTH, HEIGHT = 320, 240
"""Of the picture that is drawn, before it is shrunk to the contract's [px]."""
FOCAL_LENGTH = 256.96
"""[px]"""
CAMERA_AT, CAMERA_TO = (1.0, 0.0, 0.75), (0.25, 0.0, 0.0)
"""Where it stands, in front of the robot, and the point of the table it looks at [m]."""
ZONE_SIZE, ZONE_BORDER = 0.12, 0.006
"""Edge of a zone's frame, and the width of its line [m]."""

_TABLE = (228, 226, 220)
_BLOCK = (0.78, 0.13, 0.12, 1.0)
_ZONE = (0.15, 0.65, 0.25, 1.0)
_TOOL = (0.05, 0.05, 0.05, 1.0)
_SHAFT_RADIUS, _SHAFT_LENGTH = 0.0127, 0.10
_HALF_BLOCK = BLOCK_SIZE / 2
_FLAT = 0.0005
"""Half the thickness of a zone's line [m]."""
_OUT_OF_SIGHT = (0.0, 0.0, 10.0)


@dataclass(frozen=True)
class _Part:
    """A box or, with a radius, a standing cylinder."""

    place: tuple[float, float, float]
    """Its middle in the body [m]."""
    half_edges: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """[m]"""
    radius: float = 0.0
    length: float = 0.0


def _box_corners(half_edge: float, low: float, high: float) -> npt.NDArray[np.float64]:
    sides = (-half_edge, half_edge)
    return np.array(list(itertools.product(sides, sides, (low, high))))


_BLOCK_CORNERS = _box_corners(BLOCK_SIZE / math.sqrt(2), TABLE_Z, TABLE_Z + BLOCK_SIZE)
_TOOL_LOW, _TOOL_HIGH = TOOL_Z - TOOL_LENGTH / 2, TOOL_Z + TOOL_LENGTH / 2 + _SHAFT_LENGTH
_TOOL_CORNERS = _box_corners(_SHAFT_RADIUS, _TOOL_LOW, _TOOL_HIGH)
"""Of boxes around them, whatever way they are turned, in height above `link_base` [m]."""


class PushingCamera:
    """Draws pushing as a state vector says it is. For one thread.

    The block lies flat on the table, so the state is all that there is to see. The tool is drawn
    with a shaft above it instead of the arm, which is not part of the physics either: see the
    package.
    """

    def __init__(self, config: PushingConfig, contract: Contract) -> None:
        """Make the camera for the scenes of `config` and the pictures of `contract`.

        Raises:
            IbcError: The contract observes no images.
        """
        if contract.observation.kind != 'image':
            raise IbcError(f'contract {contract.name} observes no images: there is nothing to draw')
        self._contract = contract
        self._client = pybullet.connect(pybullet.DIRECT)
        self._camera = BulletCamera(self._client, camera_model())
        self._zones = [self._body(_frame(), _ZONE) for _ in range(config.zones)]
        cube = _Part((0.0, 0.0, 0.0), (_HALF_BLOCK, _HALF_BLOCK, _HALF_BLOCK))
        self._block = self._body([cube], _BLOCK)
        self._tool = self._body(_tool(), _TOOL)
        self._with_zones = lru_cache(maxsize=256)(self._draw_zones)

    def close(self) -> None:
        """Free the PyBullet client; a second call does nothing."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
            self._client = -1

    def draw(self, scene: Scene) -> np.ndarray:
        """Return the whole picture (HEIGHT, WIDTH, 3) uint8 RGB."""
        picture = self._with_zones(tuple(scene.zones.ravel().tolist())).copy()
        self._place(self._block, (*scene.block_xy, TABLE_Z + BLOCK_SIZE / 2), scene.block_yaw)
        self._place(self._tool, (*scene.tool, TOOL_Z), 0.0)
        left, top, width, height = window = self._window(scene)
        seen, is_body = self._camera.draw(window)
        part = picture[top : top + height, left : left + width]
        cv2.copyTo(cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB), is_body, part)
        return picture

    def observe(self, states: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Pictures (N, h, w, 3) of state vectors (N, D), as the contract wants them."""
        return np.stack(
            [to_observation(self.draw(Scene.from_vector(s)), self._contract) for s in states]
        )

    def _draw_zones(self, zones: tuple[float, ...]) -> np.ndarray:
        """Draw the picture without block and tool: what it shows lies flat, behind everything."""
        for body in (self._block, self._tool):
            self._place(body, _OUT_OF_SIGHT, 0.0)
        for zone, (x, y, yaw) in zip(self._zones, np.reshape(zones, (-1, 3)).tolist(), strict=True):
            self._place(zone, (x, y, TABLE_Z), yaw)
        seen, is_body = self._camera.draw()
        for zone in self._zones:
            self._place(zone, _OUT_OF_SIGHT, 0.0)
        table = np.full((HEIGHT, WIDTH, 3), _TABLE, np.uint8)
        return cv2.copyTo(cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB), is_body, table)

    def _window(self, scene: Scene) -> Window:
        """Return the part of the picture that holds block and tool."""
        block, tool = ((*scene.block_xy, 0.0), (*scene.tool, 0.0))
        corners = np.concatenate((_BLOCK_CORNERS + block, _TOOL_CORNERS + tool))
        pixels = self._camera.model.project(corners)
        size = WIDTH, HEIGHT
        low = np.clip(np.floor(pixels.min(axis=0)) - 1, 0, np.subtract(size, 2)).astype(int)
        high = np.clip(np.ceil(pixels.max(axis=0)) + 2, low + 2, size).astype(int)
        (left, top), (width, height) = low.tolist(), (high - low).tolist()
        return left, top, width, height

    def _place(self, body: int, position: tuple[float, ...], yaw: float) -> None:
        turned = (0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2))
        pybullet.resetBasePositionAndOrientation(
            body, position, turned, physicsClientId=self._client
        )

    def _body(self, parts: list[_Part], colour: tuple[float, ...]) -> int:
        shape = pybullet.createVisualShapeArray(
            shapeTypes=[pybullet.GEOM_CYLINDER if p.radius else pybullet.GEOM_BOX for p in parts],
            halfExtents=[part.half_edges for part in parts],
            radii=[part.radius for part in parts],
            lengths=[part.length for part in parts],
            visualFramePositions=[part.place for part in parts],
            rgbaColors=[colour] * len(parts),
            physicsClientId=self._client,
        )
        return pybullet.createMultiBody(
            baseMass=0.0,
            baseVisualShapeIndex=shape,
            basePosition=_OUT_OF_SIGHT,
            physicsClientId=self._client,
        )


def camera_model() -> CameraModel:
    """Return the released camera."""
    return CameraModel(
        WIDTH,
        HEIGHT,
        FOCAL_LENGTH,
        FOCAL_LENGTH,
        (WIDTH - 1) / 2,
        (HEIGHT - 1) / 2,
        look_at(CAMERA_AT, CAMERA_TO),
    )


def _frame() -> list[_Part]:
    middle, line = (ZONE_SIZE - ZONE_BORDER) / 2, ZONE_BORDER / 2
    across, along = (ZONE_SIZE / 2, line, _FLAT), (line, ZONE_SIZE / 2, _FLAT)
    return [
        *(_Part((0.0, y, 0.0), across) for y in (-middle, middle)),
        *(_Part((x, 0.0, 0.0), along) for x in (-middle, middle)),
    ]


def _tool() -> list[_Part]:
    above = (TOOL_LENGTH + _SHAFT_LENGTH) / 2
    return [
        _Part((0.0, 0.0, 0.0), radius=TOOL_RADIUS, length=TOOL_LENGTH),
        _Part((0.0, 0.0, above), radius=_SHAFT_RADIUS, length=_SHAFT_LENGTH),
    ]
