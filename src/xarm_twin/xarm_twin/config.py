"""The scene as data: board, camera, physics. `scene.yaml` holds the values that ship."""

from functools import cache
from importlib import resources
from typing import Annotated

import pydantic
import yaml
from pydantic import Field

from ibc_contract.errors import IbcError
from planar_arm.camera_model import CameraModel, look_at

Positive = Annotated[float, Field(gt=0)]
Friction = Annotated[float, Field(ge=0, le=2)]
Pixels = Annotated[int, Field(ge=16, le=4096)]


@pydantic.dataclasses.dataclass(frozen=True)
class BoardConfig:
    """The wooden board that the blocks slide on."""

    centre: tuple[float, float]
    """Its middle, x and y [m]."""
    size: tuple[Positive, Positive]
    """Extent along x and y [m]."""
    thickness: Positive
    """Height of its upper face [m]."""


@pydantic.dataclasses.dataclass(frozen=True)
class CameraConfig:
    """A pinhole camera without distortion."""

    width: Pixels
    height: Pixels
    fx: Positive
    fy: Positive
    cx: float
    cy: float
    position: tuple[float, float, float]
    """Camera centre [m]."""
    look_at: tuple[float, float, float]
    """A point on the optical axis [m]."""

    def model(self, width: int = 0, height: int = 0) -> CameraModel:
        """Return the camera model, at another resolution [px] if one is given."""
        pose = look_at(self.position, self.look_at)
        model = CameraModel(self.width, self.height, self.fx, self.fy, self.cx, self.cy, pose)
        return model.scaled(width or self.width, height or self.height)


@pydantic.dataclasses.dataclass(frozen=True)
class PhysicsConfig:
    """Step rate, contact and motor constants."""

    rate_hz: Annotated[int, Field(ge=100, le=2000)]
    block_density: Positive
    """[kg/m^3]."""
    block_friction: Friction
    board_friction: Friction
    tool_friction: Friction
    fixture_friction: Friction
    motor_gain: Annotated[float, Field(gt=0, le=1)]
    """Share of a joint's position error that its motor removes per physics step."""


@pydantic.dataclasses.dataclass(frozen=True)
class SceneConfig:
    """Everything of the scene that is not a task's."""

    board: BoardConfig
    camera: CameraConfig
    overview: CameraConfig
    physics: PhysicsConfig


@cache
def load_scene() -> SceneConfig:
    """Read the scene that ships with this package."""
    text = (resources.files('xarm_twin') / 'scene.yaml').read_text()
    try:
        return pydantic.TypeAdapter(SceneConfig).validate_python(yaml.safe_load(text))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        field = '.'.join(str(part) for part in first['loc'])
        raise IbcError(f'scene.yaml, {field}: {first["msg"]}') from None
