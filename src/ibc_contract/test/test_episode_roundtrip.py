"""What the writer writes, the reader, `rosbags` and plain `mcap` read back."""

import dataclasses

import pytest
import yaml
from mcap.reader import make_reader
from rosbags.rosbag2 import Reader

from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import EpisodeInfo, new_episode_info
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.episode_writer import EpisodeWriter, mark_episode
from ibc_contract.errors import BadEpisode, IbcError, RecordingFailed

COUNTS = {
    topics.TCP_SETPOINT: 201,
    topics.TCP_POSE: 201,
    topics.CAMERA_COMPRESSED: 11,
    topics.TWIN_OBJECTS: 11,
}


def test_everything_comes_back(episodes):
    note = 'first "try": 100 %\nline'
    path = episodes.make(seed=7, operator='Ada', note=note, calibration='x: 1')
    reader = EpisodeReader(path)
    assert reader.counts == COUNTS
    assert reader.duration_s == pytest.approx(2.0)
    info = reader.info
    assert (info.task, info.outcome, info.seed, info.source) == ('push_red', 'success', 7, 'twin')
    assert info.note == note
    assert (info.operator, info.calibration) == ('Ada', 'x: 1')
    assert info.contract_hash == load_contract().hash
    received = list(reader.messages())
    assert len(received) == sum(COUNTS.values())
    assert [log for _, log, _ in received] == sorted(log for _, log, _ in received)
    assert {topic for topic, _, _ in reader.raw(topics.TCP_POSE)} == {topics.TCP_POSE}
    _, log_ns, pose = next(reader.messages(topics.TCP_SETPOINT))
    assert messages.stamp_ns(pose) == log_ns == info.started_ns


def test_the_folder_is_a_rosbag2_bag(episodes):
    path = episodes.make()
    with Reader(path) as reader:
        assert reader.message_count == sum(COUNTS.values())
        assert {c.topic: c.msgcount for c in reader.connections} == {
            f'/{name}': count for name, count in COUNTS.items()
        }
        assert all(c.msgtype == topics.EPISODE_TOPICS[c.topic[1:]] for c in reader.connections)
        assert all('MSG: std_msgs/Header' in c.msgdef.data for c in reader.connections)
        assert sum(1 for _ in reader.messages()) == sum(COUNTS.values())
        assert reader.duration == 2_000_000_000 + 1
        assert reader.ros_distro == 'jazzy'


def test_the_file_alone_is_a_ros2_mcap(episodes):
    path = episodes.make()
    file = path / f'{path.name}_0.mcap'
    with file.open('rb') as stream:
        reader = make_reader(stream, validate_crcs=True)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
        assert summary is not None
        assert {s.encoding for s in summary.schemas.values()} == {'ros2msg'}
        assert {c.message_encoding for c in summary.channels.values()} == {'cdr'}
        assert sum(1 for _ in reader.iter_messages()) == sum(COUNTS.values())
        records = {m.name: m.metadata for m in reader.iter_metadata()}
    assert EpisodeInfo.from_strings(records['ibc_episode'], 'x').outcome == 'success'
    block = yaml.safe_load(records['rosbag2']['serialized_metadata'])
    assert block['message_count'] == sum(COUNTS.values())
    with Reader(file) as reader:
        assert reader.message_count == sum(COUNTS.values())


def test_metadata_has_no_yaml_anchors_and_valid_qos(episodes):
    text = (episodes.make() / 'metadata.yaml').read_text()
    assert '&' not in text
    block = yaml.safe_load(text)['rosbag2_bagfile_information']
    assert (block['version'], block['storage_identifier']) == (9, 'mcap')
    assert all(isinstance(value, str) for value in block['custom_data'].values())
    qos = block['topics_with_message_count'][0]['topic_metadata']['offered_qos_profiles'][0]
    assert (qos['reliability'], qos['history'], qos['durability']) == (
        'reliable',
        'keep_last',
        'volatile',
    )


def test_names_come_from_start_and_task_and_never_clash(episodes):
    names = [episodes.make(0.1).name for _ in range(3)]
    assert names == [f'20231114T221320_push_red{suffix}' for suffix in ('', '_2', '_3')]
    discarded = episodes.begin()
    assert discarded.discard().parent.name == 'discarded'
    assert episodes.make(0.1).name == '20231114T221320_push_red_5'
    assert episodes.make(0.1, task='a/b c').name == '20231114T221320_a_b_c'


def test_a_given_name_is_used_once(episodes):
    info = new_episode_info('push_red', load_contract(), 'twin', 0)
    assert EpisodeWriter(episodes.root, info, 'seed_0001').close().name == 'seed_0001'
    with pytest.raises(RecordingFailed, match='already an episode of this name'):
        EpisodeWriter(episodes.root, info, 'seed_0001')


def test_find_leaves_out_what_is_open_or_discarded(episodes):
    kept = [episodes.make(0.1), episodes.make(0.1)]
    episodes.begin().discard()
    episodes.begin()
    assert find_episodes(episodes.root) == kept
    assert find_episodes(kept[0]) == kept[:1]
    with pytest.raises(BadEpisode, match='no such folder'):
        find_episodes(episodes.root / 'nowhere')


def test_marking_changes_outcome_and_note_and_nothing_else(episodes):
    path = episodes.make()
    file = next(path.glob('*.mcap')).read_bytes()
    before = EpisodeReader(path).info
    mark_episode(path, 'failure', note='slipped')
    assert EpisodeReader(path).info == dataclasses.replace(
        before, outcome='failure', note='slipped'
    )
    assert next(path.glob('*.mcap')).read_bytes() == file
    assert sorted(f.suffix for f in path.iterdir()) == ['.mcap', '.yaml']
    with pytest.raises(BadEpisode, match='not a bag'):
        mark_episode(episodes.root, 'success')


def test_an_episode_without_messages_is_still_a_bag(episodes):
    path = episodes.begin().close()
    reader = EpisodeReader(path)
    assert (reader.counts, reader.duration_s, reader.info.outcome) == ({}, 0.0, 'unlabelled')
    assert list(reader.messages()) == []
    with Reader(path) as bag:
        assert bag.message_count == 0


def test_unknown_topics_and_double_closing_are_refused(episodes):
    writer = episodes.begin()
    with pytest.raises(IbcError, match=r"'nonsense' is not a topic of an episode; known: camera/"):
        writer.write('nonsense', 0, b'')
    writer.close()
    with pytest.raises(IbcError, match='already closed'):
        writer.close()


def test_receive_and_publish_times_are_kept(episodes):
    writer = episodes.begin()
    writer.write(topics.TWIN_SCORE, 2_000, messages.float64_cdr(0.5), publish_ns=1_500)
    writer.write(topics.TWIN_SCORE, 1_000, messages.float64_cdr(0.25))
    ((_, first), (_, second)) = EpisodeReader(writer.close()).records()
    assert (first.log_time, first.publish_time, first.sequence) == (1_000, 1_000, 1)
    assert (second.log_time, second.publish_time, second.sequence) == (2_000, 1_500, 0)
