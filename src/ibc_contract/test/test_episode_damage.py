"""Bad bags give one line; full disks and crashes lose nothing that was written before."""

import contextlib
import errno
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.exceptions import EndOfFile
from mcap.records import Chunk, Message, Metadata
from mcap.stream_reader import StreamReader, breakup_chunk

from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_arrays import read_steps
from ibc_contract.episode_reader import EpisodeReader
from ibc_contract.errors import BadEpisode, ContractMismatch, IbcError, RecordingFailed


def records_of(file) -> list:
    """Whole top-level records of an unfinished MCAP file, which must end with one."""
    records = []
    with file.open('rb') as stream, contextlib.suppress(EndOfFile):
        for record in StreamReader(stream, emit_chunks=True, validate_crcs=True).records:
            records.append(record)
    return records


def read_all(path) -> int:
    return sum(1 for _ in EpisodeReader(path).messages())


def test_a_folder_that_is_no_bag(tmp_path, one_line):
    with pytest.raises(BadEpisode, match=r'there is no metadata.yaml') as caught:
        EpisodeReader(tmp_path)
    one_line(caught.value)


@pytest.mark.parametrize('keep', [0, 1, 8, 100, 0.3, 0.9, -1, -20])
def test_a_truncated_file(episodes, one_line, keep):
    path = episodes.make()
    file = next(path.glob('*.mcap'))
    size = file.stat().st_size
    length = int(keep * size) if isinstance(keep, float) else keep % size
    os.truncate(file, length)
    with pytest.raises(BadEpisode, match=r'try `ibc bags repair') as caught:
        read_all(path)
    assert str(file) in one_line(caught.value)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_flipped_bytes_never_crash_the_reader(episodes, one_line, data):
    writer = episodes.begin()
    episodes.fill(writer, 0.4)
    path = writer.close()
    file = next(path.glob('*.mcap'))
    content = bytearray(file.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = int(data.draw(st.floats(0, 1, exclude_max=True)) * len(content))
        content[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    try:
        read_all(path)
    except BadEpisode as error:
        one_line(error)


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('', 'has no rosbag2_bagfile_information'),
        ('{ nonsense', 'cannot be read'),
        ('rosbag2_bagfile_information: 3', 'has no rosbag2_bagfile_information'),
        ('rosbag2_bagfile_information: {version: 9}', 'not an episode of this stack'),
    ],
)
def test_damaged_metadata(episodes, one_line, text, reason):
    path = episodes.make(0.1)
    (path / 'metadata.yaml').write_text(text)
    with pytest.raises(BadEpisode, match=reason) as caught:
        EpisodeReader(path)
    one_line(caught.value)


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        ({'outcome': 'maybe'}, "episode field 'outcome'"),
        ({'seed': '{'}, 'episode information is damaged'),
        ({'schema': '99'}, 'written with episode schema 99'),
        ({'task': None}, "episode field 'task'"),
    ],
)
def test_damaged_episode_information(episodes, one_line, change, reason):
    path = episodes.make(0.1)
    data = yaml.safe_load((path / 'metadata.yaml').read_text())
    data['rosbag2_bagfile_information']['custom_data'].update(change)
    (path / 'metadata.yaml').write_text(yaml.safe_dump(data))
    with pytest.raises(BadEpisode, match=reason) as caught:
        EpisodeReader(path)
    one_line(caught.value)


def test_a_missing_file(episodes, one_line):
    path = episodes.make(0.1)
    next(path.glob('*.mcap')).unlink()
    with pytest.raises(BadEpisode, match='is missing') as caught:
        EpisodeReader(path)
    one_line(caught.value)


def test_a_bag_without_images(episodes, one_line):
    path = episodes.make(images=False)
    with pytest.raises(BadEpisode, match='no messages on camera/color/image_raw/compressed') as bad:
        read_steps(path, load_contract())
    assert 'tcp_setpoint' in one_line(bad.value)


def test_a_bag_of_another_contract(episodes, one_line):
    path = episodes.make()
    with pytest.raises(ContractMismatch, match='was made under contract') as caught:
        read_steps(path, load_contract('planar_state'))
    assert path.name in one_line(caught.value)


def test_a_frame_that_is_no_image(episodes, one_line):
    writer = episodes.begin()
    stamp = writer.info.started_ns
    writer.write(topics.CAMERA_COMPRESSED, stamp, messages.compressed_image_cdr(stamp, b'oops'))
    episodes.fill(writer, 1.0, images=False)
    with pytest.raises(BadEpisode, match='not a JPEG image') as caught:
        read_steps(writer.close(), load_contract())
    one_line(caught.value)


def test_an_episode_too_short_for_a_step(episodes, one_line):
    with pytest.raises(BadEpisode, match='too short') as caught:
        read_steps(episodes.make(0.1), load_contract())
    one_line(caught.value)


class SmallDisk:
    """Stands for a file system with `free` bytes: `os.write` and the reserve take from it."""

    def __init__(self, monkeypatch, free: int) -> None:
        self.free = free
        self.reserved = 0
        self._write, unlink = os.write, Path.unlink

        def release(path: Path, missing_ok: bool = False) -> None:
            if path.name == '.reserve':
                self.free += self.reserved
                self.reserved = 0
            unlink(path, missing_ok=missing_ok)

        monkeypatch.setattr(os, 'write', self.write)
        monkeypatch.setattr(os, 'posix_fallocate', self.reserve)
        monkeypatch.setattr(Path, 'unlink', release)

    def write(self, descriptor: int, data) -> int:
        if self.free == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = self._write(descriptor, bytes(data[: self.free]))
        self.free -= done
        return done

    def reserve(self, descriptor: int, offset: int, size: int) -> None:
        if size > self.free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.free -= size
        self.reserved = size


def write_until_full(episodes, writer) -> int:
    """Write noise, which does not compress, until the disk is full; return what was accepted."""
    for count in range(10_000):
        stamp = writer.info.started_ns + count * 33_000_000
        noise = os.urandom(60_000)
        try:
            writer.write(
                topics.CAMERA_COMPRESSED, stamp, messages.compressed_image_cdr(stamp, noise)
            )
        except RecordingFailed:
            return count + 1
    raise AssertionError('the disk never filled up')


def test_a_full_disk_loses_nothing(episodes, one_line, monkeypatch):
    earlier = episodes.make(0.5)
    SmallDisk(monkeypatch, free=12_000_000)
    writer = episodes.begin()
    count = write_until_full(episodes, writer)
    with pytest.raises(RecordingFailed, match='the disk is full') as caught:
        writer.write(topics.TWIN_SCORE, 0, messages.float64_cdr(0.0))
    assert str(writer.path) in one_line(caught.value)
    path = writer.close('failure')
    reader = EpisodeReader(path)
    assert reader.counts == {topics.CAMERA_COMPRESSED: count}
    assert reader.info.outcome == 'failure'
    assert read_all(path) == count
    assert read_all(earlier) > 0


def test_without_even_the_reserve_the_file_ends_with_a_whole_chunk(episodes, one_line, monkeypatch):
    disk = SmallDisk(monkeypatch, free=12_000_000)
    writer = episodes.begin()
    disk.reserved = 0  # somebody else takes the reserve at once
    write_until_full(episodes, writer)
    with pytest.raises(RecordingFailed, match=r'No space left.*ibc bags repair') as caught:
        writer.close()
    one_line(caught.value)
    file = next(writer.path.glob('*.mcap'))
    last = records_of(file)[-1]
    assert file.stat().st_size > 4_000_000
    assert type(last).__name__ in ('MessageIndex', 'Metadata')


def test_a_disk_that_is_full_at_the_start(episodes, one_line, monkeypatch):
    SmallDisk(monkeypatch, free=1_000_000)
    with pytest.raises(RecordingFailed, match='cannot begin to record: No space left') as caught:
        episodes.begin()
    one_line(caught.value)
    assert list(episodes.root.iterdir()) == []


def test_a_root_that_cannot_be_written(tmp_path, episodes, one_line):
    episodes.root = tmp_path / 'file' / 'bags'
    (tmp_path / 'file').write_text('')
    with pytest.raises(RecordingFailed, match='cannot begin to record: Not a directory') as caught:
        episodes.begin()
    one_line(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason='mounting needs root')
def test_a_real_file_system_that_fills_up(episodes, tmp_path):
    episodes.root = tmp_path / 'small'
    episodes.root.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', str(episodes.root)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('mounting is not allowed here')
    try:
        writer = episodes.begin()
        count = write_until_full(episodes, writer)
        assert read_all(writer.close()) == count
        with pytest.raises(IbcError, match='No space left'):
            episodes.begin()
    finally:
        subprocess.run(['umount', str(episodes.root)], check=True)


def test_what_was_synced_survives_without_a_close(episodes):
    writer = episodes.begin()
    episodes.fill(writer, 1.0)
    writer.update(outcome='success')
    expected = sum(writer.counts.values())
    records = records_of(next(writer.path.glob('*.mcap')))
    outcomes = [record.metadata['outcome'] for record in records if isinstance(record, Metadata)]
    assert outcomes == ['unlabelled', 'success']
    assert sum(isinstance(record, Chunk) for record in records) == 1
    chunk = next(record for record in records if isinstance(record, Chunk))
    messages_found = [r for r in breakup_chunk(chunk, validate_crc=True) if isinstance(r, Message)]
    assert len(messages_found) == expected
