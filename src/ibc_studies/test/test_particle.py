import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from pydantic import ValidationError

import ibc_studies  # noqa: F401
from ibc_contract.errors import IbcError
from ibc_studies.particle import (
    HORIZON,
    ParticleBatch,
    ParticleConfig,
    ParticleEnv,
    ParticleOracle,
    particle_demonstrations,
    roll_out_particles,
)

# Explicit Euler at 200 Hz, ten times: [x - a, v] -> M @ [x - a, v] (paper C.5, released gains).
STEP = np.linalg.matrix_power(np.array([[1.0, 0.005], [-10.0 * 0.005, 1.0 - 5.0 * 0.005]]), 10)


def placed(position, first, second, velocity=(0.0, 0.0)) -> ParticleBatch:
    """One particle in two dimensions, put somewhere."""
    batch = ParticleBatch(ParticleConfig(dims=2))
    batch.reset([0])
    batch.position, batch.velocity = np.array([position], float), np.array([velocity], float)
    batch.first_goal, batch.second_goal = np.array([first], float), np.array([second], float)
    return batch


def test_a_step_is_ten_explicit_euler_steps_of_the_pd_controller():
    batch = placed((0.2, 0.9), (0.0, 0.0), (1.0, 1.0), velocity=(0.3, -0.5))
    batch.step([[0.7, 0.1]])
    for axis, (x, v, a) in enumerate([(0.2, 0.3, 0.7), (0.9, -0.5, 0.1)]):
        offset, speed = STEP @ (x - a, v)
        assert batch.position[0, axis] == pytest.approx(a + offset, abs=1e-12)
        assert batch.velocity[0, axis] == pytest.approx(speed, abs=1e-12)


def test_the_observation_is_position_goals_velocity_in_the_order_of_the_release():
    batch = placed((0.1, 0.2), (0.3, 0.4), (0.5, 0.6), velocity=(0.7, 0.8))
    np.testing.assert_array_equal(
        batch.observe(), np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]], np.float32)
    )


@pytest.mark.parametrize(('hidden', 'size'), [(False, 20), (True, 15)])
def test_the_velocity_comes_last_and_can_be_hidden(hidden, size):
    batch = ParticleBatch(ParticleConfig(dims=5, hide_velocity=hidden))
    seen = batch.reset([3])
    full = ParticleBatch(ParticleConfig(dims=5)).reset([3])
    assert seen.shape == (1, size)
    np.testing.assert_array_equal(seen, full[:, :size])


def test_layouts_fill_the_unit_cube_and_particles_begin_at_rest():
    batch = ParticleBatch(ParticleConfig(dims=3))
    seen = batch.reset(range(2000))
    assert seen[:, :9].min() >= 0.0
    assert seen[:, :9].max() <= 1.0
    np.testing.assert_allclose(seen[:, :9].mean(axis=0), 0.5, atol=0.03)
    assert not seen[:, 9:].any()


def test_an_episode_depends_on_its_seed_alone():
    config = ParticleConfig(dims=4)

    def run(seeds):
        oracle = ParticleOracle(config)
        oracle.reset(len(seeds))
        return roll_out_particles(oracle.act, config, seeds).observations

    np.testing.assert_array_equal(run([7, 8, 9])[1], run([8])[0])
    assert (run([7])[0, 0] != run([8])[0, 0]).any()


def test_setpoints_beyond_the_cube_are_clipped():
    one, other = placed((0.5, 0.5), (0, 0), (1, 1)), placed((0.5, 0.5), (0, 0), (1, 1))
    np.testing.assert_array_equal(one.step([[7.0, -3.0]]), other.step([[1.0, 0.0]]))


def test_success_is_having_been_at_the_first_goal_and_being_at_the_second():
    batch = placed((0.2, 0.2), (0.2, 0.2), (0.8, 0.8))
    assert not batch.reached_first, 'where it begins does not count'
    batch.step([[0.2, 0.2]])
    assert batch.reached_first
    assert not batch.success
    batch.position = np.array([[0.8, 0.8 + 0.049]])
    assert batch.success
    batch.position = np.array([[0.8, 0.8 + 0.051]])
    assert not batch.success, 'it has left the second goal again'


def test_the_second_goal_alone_is_no_success():
    batch = placed((0.8, 0.8), (0.2, 0.2), (0.8, 0.8))
    batch.step([[0.8, 0.8]])
    assert batch.at_second
    assert not batch.success


@pytest.mark.parametrize('dims', [1, 2, 4, 8, 16, 32])
def test_the_oracle_always_succeeds(dims):
    made = particle_demonstrations(ParticleConfig(dims=dims), 200, seed=0)
    assert made.success.all()


def test_the_oracle_turns_within_a_hundredth_of_the_first_goal_and_never_back():
    oracle = ParticleOracle(ParticleConfig(dims=1))
    oracle.reset(2)
    first, second = [[0.5], [0.5]], [[0.9], [0.9]]

    def act(a, b):
        return oracle.act(np.array([[a, 0.5, 0.9, 0], [b, 0.5, 0.9, 0]], np.float32))

    np.testing.assert_allclose(act(0.4, 0.511), first)
    np.testing.assert_allclose(act(0.4, 0.509), [[0.5], [0.9]])
    np.testing.assert_allclose(act(0.495, 0.2), second)
    np.testing.assert_allclose(act(0.0, 0.0), second)


def test_demonstrations_are_the_oracle_s_rows():
    config = ParticleConfig(dims=2)
    made = particle_demonstrations(config, 3, seed=5)
    assert made.observations.shape == (3 * HORIZON, 8)
    assert made.actions.shape == (3 * HORIZON, 2)
    np.testing.assert_array_equal(made.lengths, [HORIZON] * 3)
    np.testing.assert_array_equal(made.episode, np.repeat([0, 1, 2], HORIZON))
    at = made.episode == 1
    np.testing.assert_array_equal(
        made.observations[at][0, :6], ParticleBatch(config).reset([6])[0, :6]
    )
    to_first = (made.actions == made.observations[:, 2:4]).all(axis=1)
    to_second = (made.actions == made.observations[:, 4:6]).all(axis=1)
    assert (to_first ^ to_second).all()
    assert (np.diff(to_second[at].astype(int)) >= 0).all()
    assert 5 < to_first[at].sum() < 45


def test_no_setpoints_drive_a_particle_out_of_the_observation_space():
    env = ParticleEnv(dims=1)
    batch = ParticleBatch(env.config)
    seen = batch.reset(range(500))
    rng = np.random.default_rng(0)
    held = rng.integers(1, 20, 500)
    setpoints = rng.integers(2, size=(500, 1)).astype(float)
    for step in range(HORIZON):
        # The second half swings with its own velocity, which is the worst there is.
        setpoints[250:] = batch.velocity[250:] >= 0
        flip = step % held[:250] == 0
        setpoints[:250][flip] = 1.0 - setpoints[:250][flip]
        seen = batch.step(setpoints)
        assert all(env.observation_space.contains(row) for row in seen)


@pytest.mark.parametrize('options', [{}, {'dims': 1}, {'dims': 32, 'hide_velocity': True}])
def test_gymnasium_finds_nothing_wrong(options):
    env = gymnasium.make('ibc_studies/Particle-v0', **options)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check_env(env.unwrapped, skip_render_check=True)


def test_the_environment_is_a_batch_of_one():
    env = ParticleEnv(dims=3)
    config = env.config
    made = particle_demonstrations(config, 1, seed=11)
    observation, _ = env.reset(seed=11)
    rewards, ends = [], []
    for row, action in zip(made.observations, made.actions, strict=True):
        np.testing.assert_array_equal(observation, row)
        observation, reward, terminated, truncated, info = env.step(action)
        rewards.append(reward)
        ends.append((terminated, truncated))
    assert ends == [(False, False)] * 49 + [(False, True)]
    assert rewards == [0.0] * 49 + [1.0]
    assert info == {'success': True, 'score': 1.0}


def test_doing_nothing_is_no_success_and_half_the_way_is_half_a_score():
    env = ParticleEnv(dims=2)
    observation, info = env.reset(seed=0)
    assert info == {'success': False, 'score': 0.0}
    for _ in range(HORIZON):
        _, reward, _, truncated, info = env.step(observation[2:4])
    assert truncated
    assert reward == 0.0
    assert info == {'success': False, 'score': 0.5}


@pytest.mark.parametrize('dims', [0, 33, 'two'])
def test_dimensions_that_the_paper_does_not_have_are_refused(dims):
    with pytest.raises(ValidationError, match='dims'):
        ParticleConfig(dims=dims)


def test_bad_input_is_named():
    batch = ParticleBatch(ParticleConfig(dims=2))
    with pytest.raises(IbcError, match='no seeds'):
        batch.reset([])
    batch.reset([0, 1])
    with pytest.raises(IbcError, match=r'actions are \(2, 3\), particles need \(2, 2\)'):
        batch.step(np.zeros((2, 3)))
    with pytest.raises(IbcError, match='step 0 hold numbers that are not finite'):
        batch.step([[0.0, np.nan], [0.0, 0.0]])
    with pytest.raises(IbcError, match='0 particle demonstrations'):
        particle_demonstrations(ParticleConfig(), 0)
