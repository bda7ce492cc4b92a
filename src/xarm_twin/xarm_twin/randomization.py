"""Scenes that differ from episode to episode in more than their layout (domain randomization).

Off unless asked for: the tables of results are measured in the scene that ships.
"""

from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Annotated

import numpy as np
import pydantic
from pydantic import AfterValidator

from planar_arm.strict_yaml import load_yaml
from xarm_twin.config import (
    CameraConfig,
    LightConfig,
    PaintConfig,
    PhysicsConfig,
    SceneConfig,
    load_scene,
)
from xarm_twin.delays import Delays

_STREAM = 4
"""Of an episode's random numbers: not the layout's, a demonstrator's, a lead-in's or a delay's."""


def _least_first(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError('least first, then most')
    return span


Span = Annotated[tuple[float, float], AfterValidator(_least_first)]
"""Least and most."""


@pydantic.dataclasses.dataclass(frozen=True)
class LightSpans:
    """Of the light; without a unit: as in `LightConfig`."""

    turn_deg: Span
    """About the vertical [deg]."""
    ambient: Span
    diffuse: Span
    shadow: Span
    exposure: Span
    """Factor of all colours."""
    warmth: Span
    """What red gains and blue loses, as a share."""

    def draw(self, light: LightConfig, rng: np.random.Generator) -> LightConfig:
        """Return a light like `light`."""
        turn = np.deg2rad(rng.uniform(*self.turn_deg))
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        x, y = (float(v) for v in rotation @ light.direction[:2])
        reach_x, reach_y = (float(v) for v in rotation @ light.shadow_reach)
        exposure, warmth = rng.uniform(*self.exposure), rng.uniform(*self.warmth)
        red, green, blue = light.gain
        return replace(
            light,
            direction=(x, y, light.direction[2]),
            ambient=rng.uniform(*self.ambient),
            diffuse=rng.uniform(*self.diffuse),
            shadow=rng.uniform(*self.shadow),
            shadow_reach=(reach_x, reach_y),
            gain=(red * exposure * (1 + warmth), green * exposure, blue * exposure * (1 - warmth)),
        )


@pydantic.dataclasses.dataclass(frozen=True)
class PaintSpans:
    """Of an object's colour."""

    hue_deg: Span
    """Turn of the hue [deg]."""
    saturation: Span
    value: Span
    """Factors."""

    def draw(self, rng: np.random.Generator) -> PaintConfig:
        """Return a paint."""
        turn = rng.uniform(*self.hue_deg) / 360.0
        return PaintConfig(turn, rng.uniform(*self.saturation), rng.uniform(*self.value))


@pydantic.dataclasses.dataclass(frozen=True)
class CameraSpans:
    """Of where the camera is mounted, and of its lens."""

    shift: Span
    """Of its centre, along each axis [m]."""
    aim: Span
    """Of the point that it looks at, along each axis [m]."""
    zoom: Span
    """Factor of the focal length."""

    def draw(self, camera: CameraConfig, rng: np.random.Generator) -> CameraConfig:
        """Return a camera near `camera`."""
        zoom = rng.uniform(*self.zoom)
        return replace(
            camera,
            position=_shifted(camera.position, self.shift, rng),
            look_at=_shifted(camera.look_at, self.aim, rng),
            fx=camera.fx * zoom,
            fy=camera.fy * zoom,
        )


@pydantic.dataclasses.dataclass(frozen=True)
class PhysicsSpans:
    """Of what the blocks are like to push, as factors."""

    friction: Span
    """Of each of the four surfaces for itself."""
    density: Span

    def draw(self, physics: PhysicsConfig, rng: np.random.Generator) -> PhysicsConfig:
        """Return physics like `physics`."""
        return replace(
            physics,
            block_density=physics.block_density * rng.uniform(*self.density),
            block_friction=physics.block_friction * rng.uniform(*self.friction),
            board_friction=physics.board_friction * rng.uniform(*self.friction),
            tool_friction=physics.tool_friction * rng.uniform(*self.friction),
            fixture_friction=physics.fixture_friction * rng.uniform(*self.friction),
        )


@pydantic.dataclasses.dataclass(frozen=True)
class Randomization:
    """What every episode draws, by the seed of its layout; `randomization.yaml` has the ranges."""

    light: LightSpans
    paint: PaintSpans
    camera: CameraSpans
    physics: PhysicsSpans
    delays: Delays
    """These draw by themselves."""

    def scene(self, seed: int, objects: int) -> SceneConfig:
        """Draw the scene of the episode with this seed, for a task of so many objects."""
        scene = load_scene()
        rng = np.random.default_rng((seed, _STREAM))
        return replace(
            scene,
            light=self.light.draw(scene.light, rng),
            camera=self.camera.draw(scene.camera, rng),
            physics=self.physics.draw(scene.physics, rng),
            paints=tuple(self.paint.draw(rng) for _ in range(objects)),
        )


def _shifted(
    point: tuple[float, float, float], span: tuple[float, float], rng: np.random.Generator
) -> tuple[float, float, float]:
    x, y, z = (float(v) for v in point + rng.uniform(*span, 3))
    return x, y, z


@cache
def load_randomization() -> Randomization:
    """Read the ranges that ship with this package."""
    return load_yaml(resources.files('xarm_twin') / 'randomization.yaml', Randomization)
