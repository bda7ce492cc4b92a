import threading
from dataclasses import replace

import numpy as np
import pytest

from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_arrays import read_steps
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.episode_writer import EpisodeWriter, mark_episode
from ibc_contract.errors import IbcError
from xarm_twin import generate
from xarm_twin.demonstrators import make_demonstrator
from xarm_twin.envs import PlanarTaskEnv
from xarm_twin.generate import Studio, generate_episodes
from xarm_twin.lead_in import UnsteadyHand, play_lead_in
from xarm_twin.recipe import Recipe
from xarm_twin.tasks import get_task, registry


class Idle:
    """A demonstrator that does nothing, on a task that does not last long."""

    def act(self, setpoint_xy, object_poses):
        return np.zeros(2)


class Steady(UnsteadyHand):
    """Plays without a tremor, and counts how often it begins."""

    rounds = 0

    def reset(self, rng):
        self.rounds += 1
        self._hand = make_demonstrator('push_red', rng)


@pytest.fixture
def idle(monkeypatch):
    short = replace(get_task('push_red'), horizon_s=2.0)
    monkeypatch.setitem(registry.TASKS, 'push_red', short)
    monkeypatch.setattr(generate, 'make_demonstrator', lambda *args, **options: Idle())


@pytest.fixture
def studio(tmp_path):
    studio = Studio(Recipe('push_red', tmp_path, contract='planar_state'))
    yield studio
    studio.close()


def test_an_episode_is_what_the_environment_shows_byte_for_byte(tmp_path):
    recipe = Recipe('push_red', tmp_path, renderer='tiny', frame_latency_s=(0.0, 0.0))
    (path,) = generate_episodes(recipe, 1, seed=4)
    contract = load_contract('planar_rgb')
    steps = read_steps(path, contract)

    env = PlanarTaskEnv('push_red', contract, renderer='tiny')
    demonstrator = make_demonstrator('push_red', np.random.default_rng((4, 1)))
    observation, info = env.reset(seed=4)
    for row, action in zip(steps.index, steps.actions, strict=True):
        np.testing.assert_array_equal(observation['image'], steps.observations[row])
        delta = demonstrator.act(info['setpoint'], info['objects'])
        np.testing.assert_allclose(delta, action, atol=1e-6)
        observation, _, done, _, info = env.step(delta)
    assert done
    assert steps.skipped == 0
    env.close()

    reader = EpisodeReader(path)
    assert set(reader.counts) == set(topics.EPISODE_TOPICS) - {topics.POLICY_DELTA}
    seconds = len(steps.actions) * contract.period_s
    assert reader.counts[topics.TCP_SETPOINT] == round(seconds * 100) + 1
    assert reader.counts[topics.TWIN_OBJECTS] == round(seconds * 20) + 1
    assert reader.counts[topics.CAMERA_INFO] == round(seconds * 5) + 1
    info = reader.info
    assert (info.task, info.source, info.outcome, info.seed) == ('push_red', 'twin', 'success', 4)
    assert info.contract_hash == contract.hash


def test_frames_arrive_as_late_as_asked_for(tmp_path):
    latency = (0.05, 0.05)
    recipe = Recipe('push_red', tmp_path, renderer='tiny', camera_hz=10, frame_latency_s=latency)
    studio = Studio(recipe)
    path = studio.record(4)
    studio.close()
    frames = [
        (log_ns - messages.stamp_ns(message), messages.stamp_ns(message))
        for _, log_ns, message in EpisodeReader(path).messages(topics.CAMERA_COMPRESSED)
    ]
    assert {late for late, _ in frames} == {50_000_000}
    assert set(np.diff([stamp for _, stamp in frames])) == {100_000_000}


def test_work_is_shared_and_not_done_twice(tmp_path):
    recipe = Recipe('push_red', tmp_path, contract='planar_state')
    first = generate_episodes(recipe, 2, seed=20, workers=2)
    written = [path.stat().st_mtime_ns for path in first]
    more = generate_episodes(recipe, 3, seed=20, workers=2)
    assert [path.name for path in more] == [f'push_red_{seed:06d}' for seed in (20, 21, 22)]
    assert [path.stat().st_mtime_ns for path in more[:2]] == written
    assert find_episodes(tmp_path) == more


@pytest.mark.parametrize(
    'other',
    [
        {'noise': 0.5},
        {'multimodal': True},
        {'contract': 'planar_rgb'},
        {'lead_in_s': 4.0},
        {'player': Idle, 'player_name': 'mine'},
        {'randomize': True},
    ],
    ids=lambda other: '-'.join(other),
)
def test_a_folder_of_other_options_is_refused(studio, tmp_path, other):
    path = studio.record(4)
    assert Recipe('push_red', tmp_path, contract='planar_state').finished(4) == (True, path)
    recipe = Recipe('push_red', tmp_path, **{'contract': 'planar_state', **other})
    with pytest.raises(IbcError, match='push_red_000004 was made with other options') as error:
        generate_episodes(recipe, 1, seed=4)
    assert '\n' not in str(error.value)
    assert recipe.note in str(error.value)


def test_a_folder_of_another_task_or_other_seeds_of_another_recipe_is_refused(studio, tmp_path):
    studio.record(4)
    same = Recipe('push_red', tmp_path, contract='planar_state')
    same.require_only_its_own()
    for other in (
        Recipe('insert_blue', tmp_path, contract='planar_state'),
        Recipe('push_red', tmp_path, contract='planar_state', noise=0.5),
        Recipe('push_red', tmp_path),
    ):
        with pytest.raises(IbcError, match='push_red_000004 was made with other options'):
            generate_episodes(other, 1, seed=100)
    assert [path.name for path in tmp_path.iterdir()] == ['push_red_000004']


def test_recorded_episodes_and_folders_below_are_no_matter(studio, tmp_path):
    info = new_episode_info('insert_blue', load_contract(), 'ros', 1_700_000_000_000_000_000)
    EpisodeWriter(tmp_path, info).close()
    studio.record(4)
    (tmp_path / 'below').mkdir()
    (tmp_path / 'push_red_000004').rename(tmp_path / 'below' / 'push_red_000004')
    Recipe('push_red', tmp_path, noise=0.5).require_only_its_own()


def test_a_failure_is_put_aside_and_not_tried_again(idle, studio, tmp_path):
    assert studio.record(0) is None
    assert find_episodes(tmp_path) == []
    aside = tmp_path / 'discarded' / 'push_red_000000'
    assert EpisodeReader(aside).info.outcome == 'failure'
    assert Recipe('push_red', tmp_path, contract='planar_state').finished(0) == (True, None)
    with pytest.raises(IbcError, match='other options'):
        Recipe('push_red', tmp_path, contract='planar_state', noise=0.5).finished(0)


def test_after_a_lead_in_the_bag_begins_in_the_middle_of_the_task(studio, tmp_path):
    root = tmp_path / 'lead_in'
    led_in = Studio(Recipe('push_red', root, contract='planar_state', lead_in_s=6.0))
    contract = load_contract('planar_state')
    path = led_in.record(2)
    steps, plain = read_steps(path, contract), read_steps(studio.record(2), contract)
    assert EpisodeReader(path).info.outcome == 'success'
    assert 'lead-in up to 6 s by an unsteady hand' in EpisodeReader(path).info.note
    start, plain_start = steps.observations[0], plain.observations[0]
    assert np.linalg.norm(start[:2] - plain_start[:2]) > 0.01
    np.testing.assert_array_equal(start[6:10], plain_start[6:10])  # the tray stands still
    # The recorded moves are the steady hand's: at human pace, never the lead-in's jerks.
    assert np.linalg.norm(steps.actions, axis=1).max() < 0.1 * 0.2 * 1.2

    # About half of the episodes show how the task begins.
    steps, plain = (read_steps(s.record(3), contract) for s in (led_in, studio))
    np.testing.assert_array_equal(steps.observations[0], plain.observations[0])
    led_in.close()


def test_next_to_nothing_to_show_is_put_aside(studio, tmp_path, monkeypatch):
    monkeypatch.setattr(generate, '_SHORTEST_S', 60.0)
    assert studio.record(2) is None
    assert find_episodes(tmp_path) == []
    aside = EpisodeReader(tmp_path / 'discarded' / 'push_red_000002')
    assert aside.info.outcome == 'unlabelled'


def test_a_lead_in_that_does_the_task_is_cut_short():
    env = PlanarTaskEnv('push_red', 'planar_state')
    rng = np.random.default_rng(4)  # its first draw is 17.7 s of 20, more than the task takes
    player = Steady('push_red')
    player.rounds = 0
    state = play_lead_in(env, player, 1, 20.0, rng)
    assert player.rounds > 1
    assert not get_task('push_red').is_success(state.objects)
    env.close()


def test_too_many_failures_are_said(idle, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(generate, '_SPARE_SEEDS', 0)
    recipe = Recipe('push_red', tmp_path, contract='planar_state', noise=0.5, multimodal=True)
    with pytest.raises(IbcError, match='only 0 of 6 demonstrations succeeded'):
        generate_episodes(recipe, 3)
    (record,) = caplog.records  # once, while there is time to stop
    assert '5 of the first 5 demonstrations came to nothing' in record.message
    assert record.message.endswith('ibc eval demonstrator --task push_red --noise 0.5 --multimodal')


def test_an_interruption_leaves_nothing_half_done(tmp_path):
    stop = threading.Event()
    stop.set()
    recipe = Recipe('push_red', tmp_path, contract='planar_state')
    studio = Studio(recipe, stop)
    with pytest.raises(KeyboardInterrupt):
        studio.record(0)
    studio.close()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_made_again(studio, tmp_path):
    (tmp_path / 'push_red_000004.partial').mkdir()
    (tmp_path / 'push_red_000004.partial' / 'push_red_000004_0.mcap').write_bytes(b'half')
    path = studio.record(4)
    assert EpisodeReader(path).info.outcome == 'success'
    assert [p.name for p in tmp_path.iterdir()] == ['push_red_000004']


@pytest.mark.parametrize('outcome', ['success', 'unlabelled'])
def test_what_was_repaired_is_not_made_again(studio, tmp_path, outcome):
    path = studio.record(4)
    repaired = path.rename(tmp_path / 'push_red_000004_repaired')
    recipe = Recipe('push_red', tmp_path, contract='planar_state')
    mark_episode(repaired, outcome, f'{recipe.note} / repaired: 9 messages recovered')
    # One that has lost its end does not show the task; another seed takes its place.
    shown = repaired if outcome == 'success' else None
    assert recipe.finished(4) == (True, shown)


def test_an_impossible_camera_rate_is_refused(tmp_path):
    with pytest.raises(IbcError, match='must divide 100'):
        Recipe('push_red', tmp_path, camera_hz=30)


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(IbcError, match='unknown task'):
        Recipe('juggle', tmp_path)
