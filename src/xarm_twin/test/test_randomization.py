from dataclasses import replace

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibc_contract import topics
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.episode_writer import DISCARDED
from planar_arm import xarm6
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_twin.camera import TwinCamera
from xarm_twin.cell import SimulatedCell
from xarm_twin.config import PaintConfig, load_scene
from xarm_twin.delays import Delays
from xarm_twin.envs import PlanarTaskEnv
from xarm_twin.generate import Studio
from xarm_twin.randomization import CameraSpans, load_randomization
from xarm_twin.recipe import Recipe
from xarm_twin.tasks import get_task, registry
from xarm_twin.tasks.objects import BLUE, GREEN, RED, YELLOW

SEEDS = st.integers(0, 2**32)
TASK = get_task('push_red_then_green')
POSES = TASK.sample_layout(np.random.default_rng(0))
OBJECTS = len(TASK.objects)
SPANS = load_randomization()
SHIPPED = load_scene()


@pytest.fixture(scope='module')
def camera():
    camera = TwinCamera(TASK, 'tiny', 160, 90)
    yield camera
    camera.close()


def picture(camera, scene):
    camera.set_scene(scene)
    return camera.render(xarm6.HOME_Q, POSES).astype(float)


def is_in(value, span):
    return np.all((np.array(value) >= span[0] - 1e-9) & (np.array(value) <= span[1] + 1e-9))


def factors(drawn, shipped, names):
    return [getattr(drawn, name) / getattr(shipped, name) for name in names]


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_every_number_is_inside_its_range(seed):
    scene = SPANS.scene(seed, OBJECTS)
    light, shipped = scene.light, SHIPPED.light
    for name in ('ambient', 'diffuse', 'shadow'):
        assert is_in(getattr(light, name), getattr(SPANS.light, name))
    assert light.specular == shipped.specular
    for drawn, before in (
        (light.direction, shipped.direction),
        (light.shadow_reach, shipped.shadow_reach),
    ):
        angle = np.angle(complex(*drawn[:2]) / complex(*before[:2]), deg=True)
        assert is_in(angle, SPANS.light.turn_deg)
        assert np.hypot(*drawn[:2]) == pytest.approx(np.hypot(*before[:2]))
    red, green, blue = light.gain
    assert is_in(green, SPANS.light.exposure)
    assert is_in(red / green - 1, SPANS.light.warmth)
    assert is_in(1 - blue / green, SPANS.light.warmth)

    camera = scene.camera
    assert is_in(np.subtract(camera.position, SHIPPED.camera.position), SPANS.camera.shift)
    assert is_in(np.subtract(camera.look_at, SHIPPED.camera.look_at), SPANS.camera.aim)
    assert is_in(factors(camera, SHIPPED.camera, ('fx', 'fy')), SPANS.camera.zoom)

    surfaces = [f'{name}_friction' for name in ('block', 'board', 'tool', 'fixture')]
    assert is_in(factors(scene.physics, SHIPPED.physics, surfaces), SPANS.physics.friction)
    assert is_in(factors(scene.physics, SHIPPED.physics, ['block_density']), SPANS.physics.density)
    assert scene.physics.rate_hz == SHIPPED.physics.rate_hz

    assert len(scene.paints) == OBJECTS
    for paint in scene.paints:
        assert is_in(paint.turn * 360, SPANS.paint.hue_deg)
        assert is_in(paint.saturation, SPANS.paint.saturation)
        assert is_in(paint.value, SPANS.paint.value)
    assert is_in(SPANS.delays.draw(seed)[0], SPANS.delays.frame_age_s)
    assert is_in(SPANS.delays.draw(seed)[1], SPANS.delays.command_s)


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_a_seed_is_a_scene(seed):
    assert SPANS.scene(seed, OBJECTS) == SPANS.scene(seed, OBJECTS)
    assert SPANS.scene(seed, OBJECTS) != SPANS.scene(seed + 1, OBJECTS)


@settings(max_examples=100, deadline=None)
@given(SEEDS)
def test_the_workspace_stays_in_the_picture(seed):
    x_min, y_min, x_max, y_max = DEFAULT_WORKSPACE.bounds
    corners = [(x, y, 0.02) for x in (x_min, x_max) for y in (y_min, y_max)]
    seen = SPANS.scene(seed, OBJECTS).camera.model().project(corners)
    assert (seen > -20).all()  # the tool's centre at an outermost corner may be cut by 20 pixels
    assert (seen < (660, 380)).all()


@settings(max_examples=50, deadline=None)
@given(SEEDS)
def test_no_colour_becomes_another(seed):
    colours = (RED, GREEN, BLUE, YELLOW)
    for colour, paint in zip(colours, SPANS.scene(seed, 4).paints, strict=True):
        painted = np.array(paint.on(colour))
        distance = [np.linalg.norm(painted - other) for other in colours]
        assert colours[int(np.argmin(distance))] == colour


def test_no_paint_is_the_task_s_colour_and_white_stays_white():
    plain = PaintConfig(0.0, 1.0, 1.0)
    np.testing.assert_allclose(plain.on(BLUE), BLUE, atol=1e-9)
    assert PaintConfig(0.02, 1.0, 1.5).on((1.0, 1.0, 1.0, 1.0)) == (1.0, 1.0, 1.0, 1.0)


def test_a_scene_is_seen_and_the_shipped_one_comes_back_as_it_was(camera):
    shipped = camera.render(xarm6.HOME_Q, POSES).astype(float)
    one = picture(camera, SPANS.scene(1, OBJECTS))
    assert np.abs(one - shipped).mean() > 4.0
    assert np.abs(one - picture(camera, SPANS.scene(2, OBJECTS))).mean() > 4.0
    np.testing.assert_array_equal(picture(camera, SPANS.scene(1, OBJECTS)), one)
    np.testing.assert_array_equal(picture(camera, SHIPPED), shipped)


@pytest.mark.parametrize(
    ('part', 'changed', 'least'),
    [
        ('light', replace(SHIPPED.light, gain=(0.8, 0.8, 0.8)), 10.0),
        ('light', replace(SHIPPED.light, shadow=0.0), 0.1),
        ('light', replace(SHIPPED.light, direction=(0.5, -0.9, 1.6)), 0.1),
        ('camera', replace(SHIPPED.camera, position=(0.74, 0.0, 0.47)), 1.0),
        ('paints', (PaintConfig(0.03, 0.8, 0.8),) * OBJECTS, 0.1),
    ],
)
def test_everything_that_is_drawn_shows(camera, part, changed, least):
    shipped = picture(camera, SHIPPED)
    assert np.abs(picture(camera, replace(SHIPPED, **{part: changed})) - shipped).mean() > least


def pushed(cell, physics=None):
    """Where blocks end after the tool went ahead through the middle."""
    cell.reset(0, physics)
    poses = cell.world.object_poses()
    poses[0, :2] = 0.30, 0.006
    cell.world.set_layout(poses)
    for _ in range(6):
        cell.command((0.02, 0.0), 0.2)
        for _ in range(20):
            state = cell.tick()
    return state.objects


def test_friction_changes_what_a_push_does_until_it_is_changed_back():
    cell = SimulatedCell('push_red')
    shipped = pushed(cell)
    slippery = pushed(cell, replace(SHIPPED.physics, tool_friction=0.05, board_friction=0.3))
    assert np.linalg.norm(slippery[0, :2] - shipped[0, :2]) > 1e-3
    np.testing.assert_array_equal(pushed(cell, SHIPPED.physics), shipped)
    cell.close()


def test_an_environment_draws_by_the_seed_and_leaves_the_layout_alone():
    plain = PlanarTaskEnv('push_red', 'planar_state')
    env = PlanarTaskEnv('push_red', 'planar_state', randomization=SPANS)
    episodes = []
    for seed in (7, 8, 7):
        _, info = env.reset(seed=seed)
        np.testing.assert_array_equal(info['objects'], plain.reset(seed=seed)[1]['objects'])
        for _ in range(8):
            *_, info = env.step((0.03, 0.0))
        episodes.append((env.scene, info['objects'], info['setpoint']))
    assert episodes[0][0] == episodes[2][0] == SPANS.scene(7, 2) != episodes[1][0]
    for first, again in zip(episodes[0][1:], episodes[2][1:], strict=True):
        np.testing.assert_array_equal(first, again)
    env.close()
    plain.close()


def test_delays_that_are_asked_for_go_before_those_that_are_drawn():
    at_once = PlanarTaskEnv('push_red', 'planar_state', delays=Delays(), randomization=SPANS)
    drawn = PlanarTaskEnv('push_red', 'planar_state', randomization=SPANS)
    ends = []
    for env in (at_once, drawn):
        start = env.reset(seed=0)[1]['setpoint']
        ends.append(env.step((0.02, 0.0))[-1]['setpoint'][0] - start[0])
        env.close()
    assert ends[0] == pytest.approx(0.02, abs=1e-6)
    assert ends[1] < 0.019


def test_a_bag_says_that_it_was_randomized_and_by_which_camera_it_was_seen(tmp_path, monkeypatch):
    short = replace(get_task('push_red'), horizon_s=1.0)
    monkeypatch.setitem(registry.TASKS, 'push_red', short)
    recipe = Recipe('push_red', tmp_path, renderer='tiny', camera_hz=1, randomize=True)
    studio = Studio(recipe)
    assert studio.record(4) is None  # one second is too short
    studio.close()
    reader = EpisodeReader(tmp_path / DISCARDED / recipe.name(4))
    assert reader.info.note == Recipe('push_red', tmp_path).note + ', randomized'
    _, _, message = next(iter(reader.messages(topics.CAMERA_INFO)))
    assert message.k[0] == pytest.approx(SPANS.scene(4, 2).camera.fx)


def test_a_range_begins_with_the_least():
    with pytest.raises(pydantic.ValidationError, match='least first'):
        CameraSpans(shift=(0.01, -0.01), aim=(0.0, 0.0), zoom=(1.0, 1.0))
