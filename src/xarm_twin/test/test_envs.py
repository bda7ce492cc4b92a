import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from ibc_contract.state import state_vector
from xarm_twin.delays import Delays
from xarm_twin.envs import PlanarTaskEnv, env_id
from xarm_twin.tasks import TASK_NAMES, get_task

FORWARD = np.array((0.02, 0.0))


@pytest.fixture
def make():
    made = []

    def build(*args, **kwargs):
        env = PlanarTaskEnv(*args, renderer='tiny', **kwargs)
        made.append(env)
        return env

    yield build
    for env in made:
        env.close()


@pytest.mark.parametrize('contract', ['planar_state', 'planar_rgb'])
def test_gymnasium_finds_nothing_wrong(make, contract):
    env = make('push_red', contract, render_mode='rgb_array')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check_env(env, skip_render_check=True)
    env.reset(seed=0)
    assert env.render().shape == (360, 640, 3)


@pytest.mark.parametrize('task', TASK_NAMES)
def test_gymnasium_makes_the_environments_by_name(task):
    env = gymnasium.make(f'xarm_twin.envs:{env_id(task)}', contract='planar_state_10')
    assert env.unwrapped.task.name == task
    env.close()


def test_a_seed_means_the_layout_it_means_everywhere(make):
    env = make('push_red', 'planar_state')
    _, info = env.reset(seed=9)
    expected = get_task('push_red').sample_layout(np.random.default_rng(9))
    np.testing.assert_allclose(info['objects'], expected, atol=1e-9)
    _, unseeded = env.reset()
    assert not np.allclose(unseeded['objects'], expected)


@pytest.mark.parametrize('contract', ['planar_state', 'planar_rgb'])
def test_the_same_seed_and_actions_give_the_same_episode(make, contract):
    def run(env):
        env.reset(seed=2)
        rng = np.random.default_rng(0)
        return [env.step(rng.uniform(-0.02, 0.04, 2)) for _ in range(5)]

    env = make('push_red', contract)
    first, again, other = run(env), run(env), run(make('push_red', contract))
    for a, b, c in zip(first, again, other, strict=True):
        for key, value in a[0].items():
            np.testing.assert_array_equal(value, b[0][key])
            np.testing.assert_array_equal(value, c[0][key])


def test_a_state_observation_is_the_contract_s_and_draws_nothing(make):
    env = make('push_red', 'planar_state')
    contract = load_contract('planar_state')
    first, before = env.reset(seed=0)
    second, *_, after = env.step(FORWARD)
    for info, row in ((before, second['state'][0]), (after, second['state'][1])):
        expected = state_vector(info['setpoint'], info['objects'], contract)
        np.testing.assert_array_equal(row, expected)
    np.testing.assert_array_equal(first['state'][0], first['state'][1])
    assert env._camera is None


def test_an_action_moves_the_setpoint_by_exactly_that(make):
    env = make('push_red', 'planar_state')
    _, before = env.reset(seed=0)
    *_, after = env.step((0.017, -0.009))
    np.testing.assert_allclose(after['setpoint'] - before['setpoint'], (0.017, -0.009), atol=1e-9)


def test_an_action_beyond_the_space_is_clipped_and_the_gate_has_the_last_word(make):
    env = make('push_red', 'planar_state')
    env.reset(seed=0)
    *_, info = env.step((-1.0, 0.0))
    assert info['setpoint'][0] == pytest.approx(0.24 - 0.04)
    *_, info = env.step((-1.0, 0.0))
    assert info['setpoint'][0] == pytest.approx(0.20, abs=1e-9)
    assert info['interventions']['goal_outside_workspace'] == 1


def test_doing_nothing_scores_nothing_and_is_cut_off_at_the_horizon(make):
    env = make('push_red', 'planar_state')
    env.reset(seed=0)
    ends = [env.step((0.0, 0.0))[1:4] for _ in range(150)]
    assert sum(reward for reward, _, _ in ends) == 0.0
    assert [truncated for _, _, truncated in ends] == [False] * 149 + [True]
    assert not any(terminated for _, terminated, _ in ends)


def test_an_old_frame_shows_an_old_moment(make):
    fresh, late = make('push_red'), make('push_red', frame_age_s=0.2)
    fresh.reset(seed=0)
    late.reset(seed=0)
    for _ in range(3):
        seen = fresh.step(FORWARD)[0]['image']
        old = late.step(FORWARD)[0]['image']
    np.testing.assert_array_equal(old[1], seen[0])
    assert (old[1] != seen[1]).any()


def test_a_late_command_begins_late(make):
    prompt = make('push_red', 'planar_state')
    late = make('push_red', 'planar_state', delays=Delays(command_s=(0.1, 0.1)))
    start = prompt.reset(seed=0)[1]['setpoint']
    late.reset(seed=0)
    ways = []
    for env in (prompt, late):
        setpoints = [env.step(action)[-1]['setpoint'] for action in (FORWARD, 0 * FORWARD)]
        ways.append([setpoint[0] - start[0] for setpoint in setpoints])
    # Half of the ramp of 0.2 s is done when the period ends.
    np.testing.assert_allclose(ways[0], [0.02, 0.02], atol=1e-6)
    np.testing.assert_allclose(ways[1], [0.01, 0.02], atol=1e-3)


def test_each_episode_draws_its_delays_by_its_seed():
    delays = Delays((0.03, 0.11), (0.02, 0.08))
    drawn = np.array([delays.draw(seed) for seed in range(50)])
    assert delays.draw(3) == tuple(drawn[3])
    for column, (least, most) in zip(drawn.T, (delays.frame_age_s, delays.command_s), strict=True):
        assert least <= column.min() < least + 0.02
        assert most - 0.02 < column.max() <= most


def test_delays_are_part_of_the_seed_s_episode(make):
    env = make('push_red', delays=Delays((0.0, 0.2), (0.0, 0.1)))

    def image():
        env.reset(seed=4)
        return [env.step(FORWARD)[0]['image'] for _ in range(3)][-1]

    np.testing.assert_array_equal(image(), image())


@pytest.mark.parametrize(
    ('delays', 'what'),
    [
        ({'frame_age_s': (0.1, 0.05)}, r'frame_age_s is 0\.1 to 0\.05 s: least first'),
        ({'command_s': (-0.01, 0.05)}, r'command_s is -0\.01'),
        ({'command_s': (0.0, 0.2)}, r'allows less than 0\.2'),
    ],
)
def test_delays_that_cannot_be(delays, what):
    with pytest.raises(IbcError, match=what):
        PlanarTaskEnv('push_red', delays=Delays(**delays))


def test_an_episode_whose_time_is_over_says_what_was_not_done(make):
    env = make('push_red', 'planar_state')
    env.reset(seed=0)
    info, truncated = {}, False
    while not truncated:
        assert 'failure' not in info
        *_, truncated, info = env.step(np.zeros(2))
    assert (info['failure'], info['ending']) == ('red not in its tray', 'stalled')
    assert info['seconds'] == pytest.approx(env.task.horizon_s)


def test_a_contract_without_room_for_the_objects_is_refused():
    with pytest.raises(IbcError, match='room for 4 objects, sort_blue_from_yellow has 10'):
        PlanarTaskEnv('sort_blue_from_yellow', 'planar_state')


def test_a_frame_too_old_for_the_contract_is_refused():
    with pytest.raises(IbcError, match=r'allows 0 to 0\.25'):
        PlanarTaskEnv('push_red', frame_age_s=0.3)
