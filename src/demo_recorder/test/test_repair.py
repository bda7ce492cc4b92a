"""Recovering episodes that were cut off or damaged anywhere."""

import os
import re
import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from demo_recorder.repair import repair_episode
from demo_recorder.verify import verify_episode
from ibc_contract import messages, topics
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.errors import BadEpisode

START_NS = 1_700_000_000_000_000_000
SETTINGS = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def write_in_chunks(writer, chunks=5, per_chunk=20):
    """Write numbered scores, each chunk on disk before the next."""
    for number in range(chunks * per_chunk):
        writer.write(topics.TWIN_SCORE, START_NS + number, messages.float64_cdr(number))
        if (number + 1) % per_chunk == 0:
            writer.sync()


def scores(path):
    return [message.data for _, _, message in EpisodeReader(path).messages()]


def repaired_scores(path):
    """What a repair brings back, or why it refused; then the original is where it was."""
    try:
        return scores(repair_episode(path)), ''
    except BadEpisode as error:
        refusal = str(error)
    assert '\n' not in refusal
    assert path.exists()
    return [], refusal


def abandon(writer):
    """What is left when the recorder is killed: the process' lock is gone, the folder stays."""
    os.close(writer._file._descriptor)
    return writer.path


def test_a_killed_recording_loses_only_what_was_not_synced(episodes):
    writer = episodes.begin(note='slow take')
    write_in_chunks(writer)
    writer.update(outcome='success')
    for number in (100, 101):
        writer.write(topics.TWIN_SCORE, START_NS + number, messages.float64_cdr(number))
    partial = abandon(writer)
    repaired = repair_episode(partial)
    assert repaired.name == f'{writer.name}_repaired'
    assert scores(repaired) == list(range(100))
    info = EpisodeReader(repaired).info
    assert info.outcome == 'unlabelled'
    assert info.note == (
        'slow take / repaired: 100 messages recovered, the end is missing; was marked as success'
    )
    assert not partial.exists()
    assert (writer.path.parent / f'{writer.name}.damaged').is_dir()
    assert find_episodes(episodes.root) == [repaired]


def test_a_recorder_that_starts_again_within_the_second_takes_another_name(episodes):
    names = set()
    for _ in range(3):  # all of them began at the same time
        writer = episodes.begin()
        write_in_chunks(writer)
        names.add(repair_episode(abandon(writer)).name)
    assert len(names) == 3
    assert len(find_episodes(episodes.root)) == 3


def last_chunk(content, chunks=5):
    """Where the compression field of the last chunk begins; the index repeats them all."""
    return [found.start() for found in re.finditer(b'zstd', content)][chunks - 1]


@pytest.mark.parametrize('outcome', ['success', 'failure', 'unlabelled'])
def test_what_has_lost_its_end_is_no_success(episodes, outcome):
    writer = episodes.begin()
    write_in_chunks(writer)
    path = writer.close(outcome)
    file = next(path.glob('*.mcap'))
    os.truncate(file, last_chunk(file.read_bytes()))
    repaired = repair_episode(path)
    assert scores(repaired) == list(range(80))
    info = EpisodeReader(repaired).info
    assert info.outcome == ('failure' if outcome == 'failure' else 'unlabelled')
    assert 'the end is missing' in info.note
    assert info.note.endswith('was marked as success') == (outcome == 'success')


def test_a_last_chunk_that_is_damaged_was_the_end(episodes):
    writer = episodes.begin()
    write_in_chunks(writer)
    path = writer.close('success')
    file = next(path.glob('*.mcap'))
    content = bytearray(file.read_bytes())
    content[last_chunk(content) + 30] ^= 0xFF
    file.write_bytes(content)
    info = EpisodeReader(repair_episode(path)).info
    assert info.outcome == 'unlabelled'
    assert info.note == (
        'repaired: 80 messages recovered, 1 chunks were damaged, the end is missing; '
        'was marked as success'
    )


@pytest.mark.parametrize('has_metadata', [True, False])
def test_a_success_that_is_all_there_stays_one(episodes, has_metadata):
    writer = episodes.begin()
    write_in_chunks(writer)
    path = writer.close('success')
    if has_metadata:
        file = next(path.glob('*.mcap'))
        os.truncate(file, file.read_bytes().index(b'serialized_metadata'))  # no index any more
    else:
        (path / 'metadata.yaml').unlink()
    repaired = repair_episode(path)
    assert scores(repaired) == list(range(100))
    info = EpisodeReader(repaired).info
    assert (info.outcome, info.note) == ('success', 'repaired: 100 messages recovered')


def test_an_open_recording_is_left_alone(episodes, one_line):
    writer = episodes.begin()
    write_in_chunks(writer)
    with pytest.raises(BadEpisode, match='still being recorded') as caught:
        repair_episode(writer.path)
    one_line(caught.value)
    assert scores(writer.close()) == list(range(100))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0.0, 1.0))
def test_wherever_a_bag_is_cut_whole_chunks_come_back(episodes, part):
    shutil.rmtree(episodes.root, ignore_errors=True)
    writer = episodes.begin()
    write_in_chunks(writer)
    path = writer.close('failure')
    file = next(path.glob('*.mcap'))
    size = file.stat().st_size
    os.truncate(file, min(int(part * size), size - 1))
    found, refusal = repaired_scores(path)
    assert found == list(range(len(found)))
    assert len(found) % 20 == 0
    assert bool(found) != bool(refusal)
    assert found or part < 0.5


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0.0, 1.0, exclude_max=True), flip=st.integers(1, 255))
def test_whatever_byte_is_wrong_nothing_false_comes_back(episodes, part, flip):
    shutil.rmtree(episodes.root, ignore_errors=True)
    writer = episodes.begin()
    write_in_chunks(writer)
    path = writer.close('success')
    file = next(path.glob('*.mcap'))
    content = bytearray(file.read_bytes())
    content[int(part * len(content))] ^= flip
    file.write_bytes(content)
    found, _ = repaired_scores(path)
    assert set(found) <= set(range(100))
    assert found == sorted(found)


def test_a_damaged_chunk_is_skipped_and_counted(episodes):
    writer = episodes.begin()
    write_in_chunks(writer)
    path = writer.close('success')
    file = next(path.glob('*.mcap'))
    content = file.read_bytes()
    start = content.index(b'zstd')  # the first chunk's compression field; its data follows
    file.write_bytes(content[: start + 30] + b'\xff\xff\xff' + content[start + 33 :])
    assert verify_episode(path)[0].code == 'unreadable'
    repaired = repair_episode(path)
    assert scores(repaired) == list(range(20, 100))
    info = EpisodeReader(repaired).info
    assert info.note == 'repaired: 80 messages recovered, 1 chunks were damaged'
    assert info.outcome == 'success'


def test_lost_metadata_is_made_anew(episodes):
    path = episodes.make(note='kept')
    before = EpisodeReader(path).counts
    (path / 'metadata.yaml').unlink()
    repaired = repair_episode(path)
    assert EpisodeReader(repaired).counts == before
    info = EpisodeReader(repaired).info
    assert (info.outcome, info.task) == ('success', 'push_red')
    assert info.note.startswith('kept / repaired')
    assert verify_episode(repaired) == []


def test_what_cannot_be_repaired_says_so(episodes, tmp_path, one_line):
    empty = episodes.begin()
    partial = abandon(empty)
    with pytest.raises(BadEpisode, match=r'not a single message .* delete it') as caught:
        repair_episode(partial)
    one_line(caught.value)
    assert partial.exists()
    assert find_episodes(episodes.root) == []
    with pytest.raises(BadEpisode, match='nowhere: there is no such folder'):
        repair_episode(tmp_path / 'nowhere')
    with pytest.raises(BadEpisode, match='not the folder of an episode: it has 0 MCAP'):
        repair_episode(tmp_path)
    (tmp_path / 'a.mcap').mkdir()
    with pytest.raises(BadEpisode, match=r'a\.mcap: cannot be read: Is a directory'):
        repair_episode(tmp_path)


def test_a_sound_bag_is_left_as_it_is(episodes):
    path = episodes.make()
    with pytest.raises(BadEpisode, match='is sound, there is nothing to repair'):
        repair_episode(path)
    assert find_episodes(episodes.root) == [path]
    assert [folder.name for folder in episodes.root.iterdir()] == [path.name]
