"""Pushing seen by a camera: pictures, demonstrations of them, and who learns from them."""

import warnings
from dataclasses import replace

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from ibc_studies.preset import load_preset
from ibc_studies.pushing import PushingConfig, PushingOracle
from ibc_studies.pushing.camera import PushingCamera, camera_model
from ibc_studies.pushing.observation import Scene
from ibc_studies.pushing.pixels import pushing_pixels
from ibc_studies.pushing.pixels_env import PushingPixelsEnv
from ibc_studies.pushing_pixels_study import measure_model, study_pushing_pixels
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.training.trainer import train

SMALL = load_contract('pushing_rgb')
SINGLE = PushingConfig()
SCENE = Scene(
    block_xy=np.array((0.4, -0.1)),
    block_yaw=0.3,
    setpoint=np.array((0.35, -0.3)),
    tool=np.array((0.35, -0.3)),
    zones=np.array([(0.45, 0.2, 0.5), (0.35, 0.4, -0.5)]),
)


@pytest.fixture
def camera():
    made = PushingCamera(PushingConfig('multi'), SMALL)
    yield made
    made.close()


def colour_at(picture, point):
    u, v = np.round(camera_model().project(point)[0]).astype(int)
    return picture[v, u].astype(int)


def test_block_tool_and_zones_are_where_the_state_says(camera):
    picture = camera.draw(SCENE)
    red, green, blue = colour_at(picture, (0.4, -0.1, 0.039))
    assert red > 2 * max(green, blue), 'the upper side of the block'
    assert max(colour_at(picture, (0.35, -0.3, 0.1))) < 60, 'the shaft'
    for x, y, yaw in SCENE.zones:
        red, green, blue = colour_at(picture, (x, y, 0.0))
        assert min(red, green, blue) > 200, 'a zone is a frame: inside it is the table'
        edge = 0.057 * np.array((np.cos(yaw), np.sin(yaw)))
        red, green, blue = colour_at(picture, (x + edge[0], y + edge[1], -0.001))
        assert green > 1.3 * max(red, blue)


def test_a_picture_follows_from_its_state_alone(camera):
    moved = replace(SCENE, block_xy=SCENE.block_xy + 0.05, zones=SCENE.zones + 0.03)
    states = np.stack([SCENE.vector(), moved.vector(), SCENE.vector()])
    first, other, again = camera.observe(states)
    assert first.shape == (90, 120, 3)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_picture_is_shrunk_and_nothing_else(camera):
    whole = camera.draw(SCENE).astype(float)
    shrunk = camera.observe(SCENE.vector()[None])[0].astype(float)
    assert np.abs(whole.mean((0, 1)) - shrunk.mean((0, 1))).max() < 0.5


def test_only_contracts_of_images_are_seen():
    with pytest.raises(IbcError, match='planar_state observes no images'):
        PushingCamera(SINGLE, load_contract('planar_state'))


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return pushing_pixels(SINGLE, SMALL, 3, tmp_path_factory.mktemp('pixels') / 'data')


def test_demonstrations_are_what_a_policy_would_see(dataset):
    env, oracle = PushingPixelsEnv(contract=SMALL), PushingOracle()
    rows = np.flatnonzero(dataset.episode == 1)
    seen, info = env.reset(seed=1_000_001)
    ended = False
    for row in rows:
        observation, action = dataset.batch(np.array([row]))
        np.testing.assert_array_equal(observation[0], seen['image'])
        np.testing.assert_array_equal(action[0], oracle.act(info['state']))
        assert not ended
        seen, _, ended, _, info = env.step(action[0])
    assert ended
    assert info['success']
    env.close()
    assert dataset.meta.tasks == ('pushing_single',)
    assert [entry.outcome for entry in dataset.meta.episodes] == ['success'] * 3


def test_an_interrupted_dataset_goes_on_where_it_stopped(dataset, tmp_path, monkeypatch):
    observe, calls = PushingCamera.observe, []

    def interrupted(camera, states):
        calls.append(len(states))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return observe(camera, states)

    monkeypatch.setattr(PushingCamera, 'observe', interrupted)
    with pytest.raises(KeyboardInterrupt):
        pushing_pixels(SINGLE, SMALL, 3, tmp_path / 'data')
    assert not (tmp_path / 'data').exists()
    again = pushing_pixels(SINGLE, SMALL, 3, tmp_path / 'data')
    assert len(calls) == 4, 'only the last episode was made again'
    assert again.hash == dataset.hash
    np.testing.assert_array_equal(again.observations, dataset.observations)
    assert [path.name for path in tmp_path.iterdir()] == ['data']
    pushing_pixels(SINGLE, SMALL, 3, tmp_path / 'data')
    assert len(calls) == 4, 'a finished dataset is opened'


def test_workers_make_the_same_dataset(dataset, tmp_path):
    made = pushing_pixels(SINGLE, SMALL, 3, tmp_path / 'data', workers=2)
    assert made.hash == dataset.hash


def test_no_demonstrations_are_refused(tmp_path):
    with pytest.raises(IbcError, match='at least 1'):
        pushing_pixels(SINGLE, SMALL, 0, tmp_path / 'data')


@pytest.mark.parametrize('task', ['Single', 'Multi'])
def test_gymnasium_finds_nothing_wrong(task):
    env = gymnasium.make(f'ibc_studies/Push{task}TargetPixels-v0', render_mode='rgb_array')
    assert env.observation_space['image'].shape == (2, 180, 240, 3)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check_env(env.unwrapped, skip_render_check=True)
    env.reset(seed=0)
    assert env.render().shape == (240, 320, 3)
    env.close()


def tiny_network():
    image = ConvMaxPoolConfig(widths=(4, 8), pools=(True, True), stem_stride=2, keypoints=4)
    return NetworkConfig(history=1, image=image, value=ValueConfig(8, 2))


def tiny_preset():
    preset = load_preset('pixels', 'quick')
    tiny = {
        name: replace(config, steps=2, batch_size=8, threads=1, network=tiny_network())
        for name, config in preset.policies.items()
    }
    return replace(preset, demonstrations=3, policies=tiny)


def test_a_study_counts_every_policy(tmp_path):
    rows = study_pushing_pixels(SINGLE, tiny_preset(), [0], 2, tmp_path)
    assert [row.policy for row in rows] == [
        'derivative_free', 'mean_squared_error', 'mixture_density', 'nearest_neighbor',
    ]  # fmt: skip
    assert all(row.episodes == 2 for row in rows)
    assert [row.paper_rate for row in rows] == [1.0, 0.87, 0.1, 0.04]


def test_policies_that_see_different_pictures_are_not_compared(tmp_path):
    preset = tiny_preset()
    fine = replace(preset.policies['mean_squared_error'], contract='pushing_rgb_240x180')
    preset = replace(preset, policies={**preset.policies, 'mean_squared_error': fine})
    with pytest.raises(IbcError, match='pushing_rgb, pushing_rgb_240x180: they must see the same'):
        study_pushing_pixels(SINGLE, preset, [0], 2, tmp_path)


def test_a_model_trained_elsewhere_is_measured(dataset, tmp_path):
    config = tiny_preset().policies['mean_squared_error']
    bundle = train(config, dataset, tmp_path / 'run', progress=False)
    near = PushingConfig(tolerance=0.1)
    alone = measure_model(bundle, near, 3, seed=5)
    assert (alone.episodes, alone.seed) == (3, 5)
    assert 'Not evaluated yet' in (bundle / 'README.md').read_text()
    shared = measure_model(tmp_path / 'run', near, 3, seed=5, workers=2, save=True)
    assert '| pushing_single |' in (bundle / 'README.md').read_text()
    assert shared.rollouts == alone.rollouts
    with pytest.raises(IbcError, match='was trained for pushing_single, not for pushing_multi'):
        measure_model(bundle, PushingConfig('multi'), 3)
