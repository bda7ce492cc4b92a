"""The scene as data: board, camera, light, physics. `scene.yaml` holds the values that ship."""

import colorsys
from functools import cache
from importlib import resources
from typing import Annotated

import pydantic
from pydantic import Field

from planar_arm.camera_model import CameraModel, look_at
from planar_arm.strict_yaml import load_yaml

Positive = Annotated[float, Field(gt=0)]
Friction = Annotated[float, Field(ge=0, le=2)]
Share = Annotated[float, Field(ge=0, le=1)]
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
class LightConfig:
    """Light, shadows and how the camera takes them."""

    direction: tuple[float, float, float]
    """Towards the light."""
    ambient: Share
    diffuse: Share
    specular: Share
    """How much of it is everywhere, on faces towards it, and mirrored."""
    shadow: Share
    """Share of the light that a shadow on the board takes away."""
    shadow_reach: tuple[float, float]
    """How far a shadow reaches over the board per height of what casts it, along x and y."""
    gain: tuple[Positive, Positive, Positive]
    """Of the camera, for red, green and blue."""


@pydantic.dataclasses.dataclass(frozen=True)
class PaintConfig:
    """How an object's colour differs from its task's, in hue, saturation and value."""

    turn: float
    """Of the hue, in whole turns."""
    saturation: Positive
    """Factor."""
    value: Positive
    """Factor."""

    def on(self, colour: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Return `colour` (red, green, blue, alpha), painted over."""
        hue, saturation, value = colorsys.rgb_to_hsv(*colour[:3])
        saturation, value = min(1.0, saturation * self.saturation), min(1.0, value * self.value)
        return (*colorsys.hsv_to_rgb((hue + self.turn) % 1.0, saturation, value), colour[3])


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
    light: LightConfig
    physics: PhysicsConfig
    paints: tuple[PaintConfig, ...] = ()
    """One for each of the task's objects; none: in the task's colours."""


@cache
def load_scene() -> SceneConfig:
    """Read the scene that ships with this package."""
    return load_yaml(resources.files('xarm_twin') / 'scene.yaml', SceneConfig)
