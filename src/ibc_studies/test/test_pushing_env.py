import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import ibc_studies  # noqa: F401
from ibc_contract.errors import IbcError
from ibc_studies.pushing import PushingEnv
from ibc_studies.pushing.layout import sample_layout
from ibc_studies.pushing.observation import Scene


@pytest.fixture
def make():
    made = []

    def build(*args, **kwargs):
        env = PushingEnv(*args, **kwargs)
        made.append(env)
        return env

    yield build
    for env in made:
        env.close()


class ScriptedWorld:
    """A block that is where it is told, one place per action."""

    def __init__(self, places):
        self._places = iter(places)

    def reset(self, block, tool):
        self.tool = np.array(tool)
        self._place(next(self._places))

    def move_to(self, setpoint):
        self.tool = setpoint
        self._place(next(self._places))

    def close(self):
        pass

    def _place(self, xy):
        self.block = np.array((*xy, 0.0))


def scripted(env, places, seed=0):
    """Reset `env` with the block led along `places`, offsets from the zones; return the steps."""
    env.reset(seed=seed)
    zones = env._zones[:, :2]
    env.close()
    env._world = ScriptedWorld([zones[zone] + (offset, 0.0) for zone, offset in places])
    env.reset(seed=seed)
    return [env.step((0.0, 0.0)) for _ in places[1:]]


@pytest.mark.parametrize('form', ['faithful', 'fixed'])
@pytest.mark.parametrize('task', ['single', 'multi'])
def test_gymnasium_finds_nothing_wrong(make, task, form):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        check_env(make(task, form), skip_render_check=True)


@pytest.mark.parametrize(('name', 'size'), [('PushSingleTarget', 10), ('PushMultiTarget', 13)])
def test_gymnasium_makes_the_environments_by_name(name, size):
    env = gymnasium.make(f'ibc_studies/{name}-v0', form='faithful')
    observation, _ = env.reset(seed=0)
    assert observation.shape == (size,)
    assert env.unwrapped.config.form == 'faithful'
    env.close()


def test_the_same_seed_and_actions_give_the_same_episode(make):
    def run(env, seed):
        rows = [env.reset(seed=seed)[0]]
        rng = np.random.default_rng(0)
        rows += [env.step(rng.uniform(-0.02, 0.06, 2))[0] for _ in range(15)]
        return np.stack(rows)

    env = make()
    first, again, other = run(env, 3), run(env, 3), run(make(), 3)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, other)
    assert (run(env, 4)[0] != first[0]).any()


def test_actions_move_the_setpoint_within_space_and_workspace(make):
    env = make()
    env.reset(seed=0)
    for action, expected in [
        ((0.02, -0.03), (0.32, -0.43)),
        ((-0.5, 0.05), (0.22, -0.38)),  # 0.1 m at most
        ((-0.09, -0.09), (0.15, -0.47)),  # and not beyond the corner at (0.15, -0.5)
        ((0.0, -0.1), (0.15, -0.5)),
    ]:
        scene = Scene.from_vector(env.step(action)[0])
        np.testing.assert_allclose(scene.setpoint, expected, atol=1e-6)


def test_the_tool_closes_a_tenth_of_the_gap_in_each_of_24_physics_steps(make):
    env = make()
    env.reset(seed=0)
    scene = Scene.from_vector(env.step((-0.05, 0.0))[0])
    gap = scene.tool - scene.setpoint
    np.testing.assert_allclose(gap, (0.05 * 0.9**24, 0.0), rtol=0.01, atol=1e-5)


def test_the_tool_pushes_the_block_at_its_radius(make):
    env = make()
    env.reset(seed=0)
    env._world.reset(np.array((0.4, -0.2, 0.0)), (0.4, -0.25))
    for y in np.linspace(-0.25, -0.15, 40):
        env._world.move_to(np.array((0.4, y)))
    x, y, yaw = env._world.block
    assert x == pytest.approx(0.4, abs=1e-3)
    assert yaw == pytest.approx(0.0, abs=0.05)
    assert y - env._world.tool[1] == pytest.approx(0.02 + 0.006, abs=1e-3)


@pytest.mark.parametrize('form', ['faithful', 'fixed'])
def test_an_episode_begins_with_the_drawn_layout_at_rest(make, form):
    env = make('multi', form)
    scene = Scene.from_vector(env.reset(seed=5)[0])
    drawn = sample_layout(env.config, np.random.default_rng(5))
    np.testing.assert_allclose([*scene.block_xy, scene.block_yaw], drawn.block, atol=1e-4)
    np.testing.assert_allclose(scene.zones, drawn.zones, atol=1e-6)
    np.testing.assert_allclose(scene.setpoint, (0.3, -0.4), atol=1e-6)
    np.testing.assert_allclose(scene.tool, (0.3, -0.4), atol=1e-6)
    later = Scene.from_vector(env.step((0.0, 0.0))[0])
    np.testing.assert_allclose(later.block_xy, scene.block_xy, atol=1e-5)


def test_a_single_zone_is_reached_within_the_tolerance(make):
    steps = scripted(make(), [(0, 0.2), (0, 0.1), (0, 0.15), (0, 0.021), (0, 0.019)])
    assert [reward for _, reward, *_ in steps] == pytest.approx([0.5, 0.5, 1 - 0.021 / 0.2, 1.0])
    assert [terminated for *_, terminated, _, _ in steps] == [False, False, False, True]
    infos = [info for *_, info in steps]
    assert [info['success'] for info in infos] == [False, False, False, True]
    assert infos[1]['score'] == pytest.approx(0.5)
    assert infos[-1]['score'] == 1.0
    assert [info['seconds'] for info in infos] == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_the_faithful_demonstrations_of_one_zone_go_further_than_evaluation_asks(make):
    near = [(0, 0.2), (0, 0.015)]
    assert scripted(make('single', 'faithful'), near)[-1][2]
    config = make('single', 'faithful').config.for_demonstrations()
    assert not scripted(make('single', 'faithful', config.tolerance), near)[-1][2]


def test_two_zones_are_visited_one_after_the_other(make):
    steps = scripted(make('multi'), [(0, 0.3), (0, 0.03), (0, 0.2), (1, 0.2), (1, 0.03)])
    assert [reward for _, reward, *_ in steps] == [0.0, 0.0, 0.0, 1.0]
    assert [terminated for *_, terminated, _, _ in steps] == [False, False, False, True]
    assert [info['score'] for *_, info in steps] == [0.5, 0.5, 0.5, 1.0]
    assert steps[-1][-1]['success']


def test_the_wrong_order_ends_the_episode_without_success(make):
    *_, terminated, _, info = scripted(make('multi'), [(0, 0.3), (1, 0.0), (0, 0.0)])[-1]
    assert terminated
    assert not info['success']


def test_three_centimetres_count_only_in_the_fixed_form_of_two_zones(make):
    places = [(0, 0.3), (0, 0.03), (1, 0.03)]
    assert scripted(make('multi', 'fixed'), places)[-1][2]
    assert not scripted(make('multi', 'faithful'), places)[-1][2]


@pytest.mark.parametrize(('task', 'horizon'), [('single', 100), ('multi', 200)])
def test_doing_nothing_earns_nothing_and_is_cut_off(make, task, horizon):
    steps = scripted(make(task), [(0, 0.3)] * (horizon + 1))
    assert sum(reward for _, reward, *_ in steps) == 0.0
    assert [truncated for *_, truncated, _ in steps] == [False] * (horizon - 1) + [True]
    assert steps[-1][-1]['score'] == 0.0


@pytest.mark.parametrize(
    ('task', 'places', 'failure', 'ending'),
    [
        ('single', [(0, 0.3)] * 23, 'zone not reached', 'stalled'),
        ('single', [(0, 0.3), (0, 0.2), *[(0, 0.2)] * 19], 'zone not reached', 'ran out of time'),
        ('multi', [(0, 0.3), (0, 0.2)], 'first zone not reached', 'ran out of time'),
        ('multi', [(0, 0.3), (0, 0), (1, 0.2)], 'second zone not reached', 'ran out of time'),
        (
            'multi',
            [(0, 0.3), (1, 0.0), (0, 0.0)],
            'second zone before the first',
            'ran out of time',
        ),
    ],
)
def test_a_failure_says_what_is_missing_and_whether_the_block_still_moved(
    make, task, places, failure, ending
):
    info = scripted(make(task), places)[-1][-1]
    assert (info['failure'], info['ending']) == (failure, ending)


def test_a_success_has_no_failure(make):
    info = scripted(make(), [(0, 0.2), (0, 0.0)])[-1][-1]
    assert (info['success'], info['failure'], info['ending']) == (True, '', '')


@pytest.mark.parametrize('action', [(np.nan, 0.0), (0.1,), (0.0, np.inf)])
def test_a_bad_action_is_named(make, action):
    env = make()
    env.reset(seed=0)
    with pytest.raises(IbcError, match='step 0 is not a finite'):
        env.step(action)
