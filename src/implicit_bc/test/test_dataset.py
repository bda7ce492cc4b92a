import json
import resource

import numpy as np
import pytest

from ibc_contract import topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.errors import ContractMismatch, IbcError
from ibc_contract.observation import observation_window
from implicit_bc.dataset import load_dataset
from implicit_bc.dataset_builder import BuildOptions, build_dataset

RGB = load_contract('planar_rgb')
STATE = load_contract('planar_state')


def damage(episode):
    bag = next(episode.glob('*.mcap'))
    bag.write_bytes(bag.read_bytes()[:2000])


def test_steps_frames_and_actions_of_two_episodes(episodes, tmp_path):
    paths = [episodes.make(steps=10), episodes.make(steps=6, speed_m_s=0.1)]
    dataset = build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    assert len(dataset) == 16
    assert dataset.observations.shape[1:] == (90, 120, 3)
    assert dataset.observations.dtype == np.uint8
    assert dataset.index.tolist()[:3] == [[0, 0], [0, 1], [1, 2]]
    assert dataset.index[10].tolist() == [10, 10]  # the second episode's first frame, repeated
    assert dataset.episode.tolist() == [0] * 10 + [1] * 6
    np.testing.assert_allclose(dataset.actions[:10], [[0.01, -0.01]] * 10, atol=1e-7)
    np.testing.assert_allclose(dataset.actions[10:], [[0.02, -0.02]] * 6, atol=1e-7)
    assert [entry.path for entry in dataset.meta.episodes] == [str(path) for path in paths]
    assert dataset.meta.tasks == ('push_red',)
    assert dataset.meta.contract_hash == RGB.hash
    grey = dataset.observations[dataset.index[5], 0, 0, 0].astype(int)
    assert np.diff(grey).tolist() == [1]  # consecutive frames, oldest first


def test_states(episodes, tmp_path):
    episodes.make(steps=10, contract='planar_state', images=False)
    dataset = build_dataset([episodes.root], STATE, tmp_path / 'cache', workers=1)
    assert dataset.observations.dtype == np.float32
    observation, action = dataset.batch(np.array([1, 2, 3]))
    assert observation.shape == (3, 2, 18)
    assert action.shape == (3, 2)
    np.testing.assert_allclose(observation[:, 1, 0], [0.31, 0.32, 0.33], atol=1e-6)


def test_the_cache_holds_what_the_policy_node_would_have_seen(episodes, tmp_path):
    path = episodes.make(steps=8)
    dataset = build_dataset([path], RGB, tmp_path / 'cache', workers=1)
    window = observation_window(RGB)
    live = []
    for topic, log_ns, message in EpisodeReader(path).messages(topics.CAMERA_COMPRESSED):
        window.add(topic, message)
        live.append(window.at(log_ns))
    offline, _ = dataset.batch(np.arange(8))
    assert offline.tobytes() == np.stack(live[:8]).tobytes()


def test_failures_are_left_out_and_counted_unless_asked_for(episodes, tmp_path):
    kept, failed = episodes.make(), episodes.make(outcome='failure')
    unlabelled = episodes.make(outcome='unlabelled')
    dataset = build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    assert [entry.path for entry in dataset.meta.episodes] == [str(kept), str(unlabelled)]
    assert dataset.meta.excluded == {str(failed): 'failure'}
    everything = BuildOptions(include_failures=True)
    assert len(build_dataset([episodes.root], RGB, tmp_path / 'cache', everything, 1)) == 30


def test_damaged_bags_are_refused_by_name_unless_they_may_be_left_out(
    episodes, tmp_path, caplog, one_line
):
    good, bad, worse = (episodes.make() for _ in range(3))
    damage(bad)
    (worse / 'metadata.yaml').write_text('{')
    with pytest.raises(IbcError) as error:
        build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    said = one_line(error.value)
    assert f'truncated or damaged: {bad}, {worse}: ' in said
    assert f'`ibc bags repair {episodes.root}`' in said
    assert said.endswith('--leave-out-damaged')
    assert not list(tmp_path.glob('cache*'))
    dataset = build_dataset(
        [episodes.root], RGB, tmp_path / 'cache', workers=2, leave_out_damaged=True
    )
    assert [entry.path for entry in dataset.meta.episodes] == [str(good)]
    assert 'truncated or damaged' in dataset.meta.excluded[str(bad)]
    assert str(bad) in caplog.text


def test_a_bag_without_images_is_left_out_with_its_reason(episodes, tmp_path, caplog):
    good, bad = episodes.make(), episodes.make(images=False)
    dataset = build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    assert [entry.path for entry in dataset.meta.episodes] == [str(good)]
    assert topics.CAMERA_COMPRESSED in dataset.meta.excluded[str(bad)]
    assert str(bad) in caplog.text


def test_bags_without_images(episodes, tmp_path, one_line):
    episodes.make(images=False)
    with pytest.raises(IbcError) as error:
        build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    text = one_line(error.value)
    assert 'no usable episode' in text
    assert topics.CAMERA_COMPRESSED in text
    assert not list(tmp_path.glob('cache*'))


def test_another_contract_is_refused(episodes, tmp_path, one_line):
    episodes.make(contract='planar_state')
    with pytest.raises(ContractMismatch) as error:
        build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    assert RGB.hash in one_line(error.value)
    assert STATE.hash in str(error.value)


def test_idle_start_is_trimmed(episodes, tmp_path):
    episodes.make(steps=5, idle_steps=4)
    dataset = build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    assert len(dataset) == 5
    assert dataset.meta.episodes[0].trimmed == 4
    assert dataset.index[0].tolist() == [3, 4]  # history from before the cut stays
    whole = build_dataset([episodes.root], RGB, tmp_path / 'whole', BuildOptions(idle_m=0), 1)
    assert len(whole) == 9


def test_actions_beyond_the_contract_keep_their_direction(episodes, tmp_path):
    episodes.make(steps=5, speed_m_s=0.25)  # 5 cm a step, the contract allows 4
    dataset = build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    np.testing.assert_allclose(dataset.actions, [[0.04, -0.04]] * 5, atol=1e-6)
    assert dataset.meta.episodes[0].shortened == 5


def test_an_up_to_date_cache_is_reused_and_a_stale_one_replaced(episodes, tmp_path):
    cache = tmp_path / 'cache'
    episodes.make()
    first = build_dataset([episodes.root], RGB, cache, workers=1)
    written = (cache / 'observations.npy').stat().st_mtime_ns
    assert build_dataset([episodes.root], RGB, cache, workers=1).meta == first.meta
    assert (cache / 'observations.npy').stat().st_mtime_ns == written
    episodes.make()
    second = build_dataset([episodes.root], RGB, cache, workers=1)
    assert len(second) == 20
    assert second.meta.hash != first.meta.hash


def test_several_processes_give_the_same_dataset(episodes, tmp_path):
    for i in range(5):
        episodes.make(steps=4 + i)
    one = build_dataset([episodes.root], RGB, tmp_path / 'one', workers=1)
    two = build_dataset([episodes.root], RGB, tmp_path / 'two', workers=2)
    assert one.meta.hash == two.meta.hash
    assert one.observations.tobytes() == two.observations.tobytes()
    assert one.actions.tobytes() == two.actions.tobytes()


def test_split_keeps_episodes_whole(episodes, tmp_path):
    for _ in range(4):
        episodes.make(steps=3)
    dataset = build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    rows, held_out = dataset.split(0.25, seed=0)
    assert (len(rows), len(held_out)) == (9, 3)
    assert not set(dataset.episode[rows]) & set(dataset.episode[held_out])
    assert len(dataset.split(0.0, seed=0)[1]) == 0


@pytest.mark.parametrize('wrong', ['missing', 'truncated', 'lengths', 'shape', 'index', 'schema'])
def test_a_damaged_cache_is_named(episodes, tmp_path, one_line, wrong):
    episodes.make()
    cache = tmp_path / 'cache'
    build_dataset([episodes.root], RGB, cache, workers=1)
    actions = cache / 'actions.npy'
    match wrong:
        case 'missing':
            actions.unlink()
        case 'truncated':
            actions.write_bytes(actions.read_bytes()[:-20])
        case 'lengths':
            np.save(actions, np.zeros((3, 2), np.float32))
        case 'shape':
            np.save(cache / 'observations.npy', np.zeros((10, 60, 80, 3), np.uint8))
        case 'index':
            np.save(cache / 'index.npy', np.full((10, 2), 999))
        case 'schema':
            meta = json.loads((cache / 'meta.json').read_text())
            (cache / 'meta.json').write_text(json.dumps({**meta, 'schema': 999}))
    with pytest.raises(IbcError) as error:
        load_dataset(cache)
    assert str(cache) in one_line(error.value)


@pytest.fixture
def largest_file():
    """Let the kernel refuse files above a size [bytes], as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


FRAME = 90 * 120 * 3


@pytest.mark.parametrize('room', [2 * FRAME, 15 * FRAME], ids=['an episode', 'all of them'])
def test_a_full_disk_is_said_and_leaves_nothing(episodes, tmp_path, one_line, largest_file, room):
    episodes.make(steps=10)
    episodes.make(steps=10)
    largest_file(room)
    with pytest.raises(IbcError) as error:
        build_dataset([episodes.root], RGB, tmp_path / 'cache', workers=1)
    assert 'cannot write the dataset: File too large' in one_line(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ['bags']


def test_no_folder(tmp_path, one_line):
    with pytest.raises(IbcError) as error:
        build_dataset([tmp_path / 'nowhere'], RGB, tmp_path / 'cache')
    assert 'nowhere' in one_line(error.value)
