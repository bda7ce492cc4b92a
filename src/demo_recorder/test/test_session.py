"""The state machine of the recorder, with a real writer on a real folder."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from demo_recorder.background_writer import BackgroundWriter
from demo_recorder.session import RecordingSession, SessionLimits
from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.errors import IbcError, RecordingFailed
from waiting import wait_for

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000
LIMITS = SessionLimits(
    expected=(topics.TWIN_SCORE,), silent_s=0.5, min_free_bytes=10**6, queue_bytes=10**7
)


class Bench:
    """A session on a clock that the test moves, and messages to feed it."""

    def __init__(self, root, limits=LIMITS):
        self.now_ns = START_NS
        self.set_by_ns = 0
        contract = load_contract()
        self.session = RecordingSession(
            root,
            limits,
            lambda started_ns: new_episode_info('push_red', contract, 'ros', started_ns),
            lambda: self.now_ns + self.set_by_ns,
            lambda: self.now_ns,
        )

    def feed(self, count=10, topic=topics.TWIN_SCORE, first_sequence=0):
        for i in range(count):
            self.now_ns += 100 * MS
            data = messages.float64_cdr(i)
            self.session.receive(
                topic, self.now_ns + self.set_by_ns, data, None, first_sequence + i
            )


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path / 'bags')
    yield bench
    if bench.session.recording:
        bench.session.close()


def outcomes(bench):
    return [EpisodeReader(path).info.outcome for path in find_episodes(bench.session.root)]


def test_start_feed_stop_saves_exactly_what_came_in_between(bench):
    bench.feed(3)
    assert bench.session.start() == 'recording 20231114T221320_push_red'
    bench.feed(10)
    assert bench.session.recording
    assert bench.session.duration_s == pytest.approx(1.0)
    line = bench.session.stop()
    bench.feed(3)
    assert line == 'saved 20231114T221320_push_red: unlabelled, 1.0 s, 10 messages'
    (path,) = find_episodes(bench.session.root)
    assert EpisodeReader(path).counts == {topics.TWIN_SCORE: 10}
    assert outcomes(bench) == ['unlabelled']


@pytest.mark.parametrize('outcome', ['success', 'failure'])
def test_a_mark_counts_before_and_after_the_end(bench, outcome):
    bench.session.start()
    bench.feed()
    assert bench.session.mark(outcome).endswith(outcome)
    assert f'[{outcome}]' in bench.session.describe()
    bench.session.stop()
    bench.session.start()
    bench.feed()
    bench.session.stop()
    bench.session.mark(outcome)
    assert outcomes(bench) == [outcome, outcome]


def test_the_last_mark_wins(bench):
    bench.session.start()
    bench.session.mark('success')
    bench.session.mark('failure')
    bench.session.stop()
    assert outcomes(bench) == ['failure']
    bench.session.mark('success')
    assert outcomes(bench) == ['success']


def test_a_discarded_take_is_kept_out_of_the_way(bench):
    bench.session.start()
    bench.feed()
    bench.session.mark('success')
    assert bench.session.discard().startswith('discarded')
    assert find_episodes(bench.session.root) == []
    discarded = bench.session.root / 'discarded'
    assert EpisodeReader(next(discarded.iterdir())).counts == {topics.TWIN_SCORE: 10}


def test_the_take_just_ended_can_still_be_discarded_but_no_earlier_one(bench):
    for _ in range(2):
        bench.session.start()
        bench.feed()
        bench.session.stop()
    bench.session.discard()
    assert len(find_episodes(bench.session.root)) == 1
    with pytest.raises(IbcError, match='nothing is being recorded'):
        bench.session.discard()
    with pytest.raises(IbcError, match='no episode to mark'):
        bench.session.mark('success')


@pytest.mark.parametrize('act', ['stop', 'discard'])
def test_idle_refuses(bench, one_line, act):
    with pytest.raises(IbcError, match='nothing is being recorded: start an episode') as caught:
        getattr(bench.session, act)()
    one_line(caught.value)


def test_recording_refuses_to_start_again_and_goes_on(bench):
    bench.session.start()
    bench.feed(5)
    with pytest.raises(IbcError, match=r'already recording .*: stop or discard it first'):
        bench.session.start()
    bench.feed(5)
    assert '10 messages' in bench.session.stop()


def test_closing_saves_an_open_episode_unlabelled(bench):
    assert bench.session.close() == ''
    bench.session.start()
    bench.feed()
    assert bench.session.close().startswith('saved')
    assert outcomes(bench) == ['unlabelled']


def test_silence_gaps_and_losses_are_told_at_once_and_at_the_end(bench):
    bench.session.start()
    assert bench.session.warnings() == []
    bench.now_ns += 600 * MS
    assert bench.session.warnings() == ['nothing on twin/score for 0.6 s']
    assert bench.session.describe() == (
        'recording push_red 0.6 s (20231114T221320_push_red) - nothing on twin/score for 0.6 s'
    )
    bench.feed(3, first_sequence=1)
    assert bench.session.warnings() == []
    bench.now_ns += 700 * MS
    bench.feed(3, first_sequence=10)
    line = bench.session.stop()
    assert 'WARNING: gap of 0.8 s on twin/score; 6 messages lost on twin/score' in line


def test_a_nearly_full_disk_refuses_to_start(tmp_path, one_line):
    limits = SessionLimits((), 0.5, min_free_bytes=10**18, queue_bytes=10**7)
    bench = Bench(tmp_path / 'bags', limits)
    with pytest.raises(RecordingFailed, match='MB are free') as caught:
        bench.session.start()
    one_line(caught.value)
    assert not bench.session.recording


@pytest.fixture
def full_disk(monkeypatch):
    """A switch: once set, the next write finds no space until the reserve is released."""
    switch = threading.Event()
    write = os.write

    def fail_once(descriptor, data):
        if switch.is_set():
            switch.clear()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, 'write', fail_once)
    return switch


def cut_off(bench, full_disk):
    """Record ten messages and let the writer fail."""
    bench.session.start()
    bench.feed(10)
    assert wait_for(lambda: sum(bench.session._take.writer._writer.counts.values()) == 10)
    full_disk.set()
    assert wait_for(lambda: bench.session._take.writer.failure is not None)


def test_a_full_disk_ends_the_episode_and_keeps_everything(bench, full_disk, one_line):
    session = bench.session
    session.start()
    session.mark('success')
    bench.feed(10)
    assert wait_for(lambda: sum(session._take.writer._writer.counts.values()) == 10)
    full_disk.set()
    assert wait_for(lambda: session._take.writer.failure is not None)
    bench.feed(5)  # too late: these are missing, and counted
    line = session.poll()
    (path,) = find_episodes(session.root)
    assert line == (
        'the disk is full, free some space; cut off, 10 messages kept, 5 lost, '
        f'no success any more: {path}'
    )
    assert not session.recording
    assert session.poll() == ''
    assert EpisodeReader(path).counts == {topics.TWIN_SCORE: 10}
    info = EpisodeReader(path).info
    assert info.outcome == 'unlabelled'  # what was marked before the end is not whole either
    assert info.note == 'cut off: the disk is full, free some space; was marked as success'
    assert session.describe('insert_blue') == f'idle insert_blue - {line}'
    with pytest.raises(IbcError, match=r'start an episode first; .*the disk is full') as caught:
        session.stop()
    one_line(caught.value)
    session.start()  # the next one works, once there is space
    assert session.problem == ''
    session.stop()


def test_a_stop_that_finds_the_disk_full_says_so_and_keeps_everything(bench, full_disk):
    cut_off(bench, full_disk)
    with pytest.raises(RecordingFailed, match='the disk is full'):
        bench.session.stop()
    (path,) = find_episodes(bench.session.root)
    assert EpisodeReader(path).counts == {topics.TWIN_SCORE: 10}


def test_a_disk_that_fails_is_told_without_a_folder_that_is_gone(bench, monkeypatch):
    session = bench.session
    fsync = os.fsync
    failing = threading.Event()

    def fail(descriptor):
        if failing.is_set():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', fail)
    session.start()
    bench.feed(10)
    failing.set()
    assert wait_for(lambda: session._take.writer.failure is not None)
    failing.clear()
    line = session.poll()
    (path,) = find_episodes(session.root)
    assert line == f'Input/output error, check the disk; cut off, 10 messages kept, 0 lost: {path}'


def test_an_error_after_a_take_was_discarded_names_where_it_is(bench, monkeypatch):
    session = bench.session
    session.start()
    bench.feed(10)
    rename = Path.rename

    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def move_then_fail(path, target):
        if target.parent.name == 'discarded':
            monkeypatch.setattr(os, 'fsync', fail)
        return rename(path, target)

    monkeypatch.setattr(Path, 'rename', move_then_fail)
    with pytest.raises(RecordingFailed) as caught:
        session.discard()
    (path,) = (session.root / 'discarded').iterdir()
    assert str(caught.value) == f'Input/output error, mend this, then try `ibc bags repair {path}`'


@pytest.mark.parametrize('noticed', [False, True])
def test_an_episode_that_was_cut_off_is_never_a_success(bench, full_disk, one_line, noticed):
    session = bench.session
    cut_off(bench, full_disk)
    if noticed:
        session.poll()
    with pytest.raises(IbcError, match=r'no success: discard it .*\(the disk is full') as caught:
        session.mark('success')
    one_line(caught.value)
    session.mark('failure')
    session.poll()
    assert outcomes(bench) == ['failure']
    with pytest.raises(IbcError, match='no success'):
        session.mark('success')
    assert outcomes(bench) == ['failure']
    assert session.discard().startswith('discarded')
    assert find_episodes(session.root) == []
    assert session.describe() == 'idle'
    session.start()
    bench.feed(3)
    session.mark('success')
    session.stop()
    session.mark('success')
    assert outcomes(bench) == ['success']


@pytest.mark.parametrize('seconds', [3600, 0.5, -0.5, -3600])
def test_a_clock_that_is_set_ends_the_episode_before_anything_is_stamped_by_it(
    bench, seconds, one_line
):
    session = bench.session
    session.start()
    bench.feed(10)
    session.mark('success')
    bench.set_by_ns = round(seconds * 1e9)
    bench.feed(3)
    line = session.poll()
    (path,) = find_episodes(session.root)
    assert line == (
        f'the clock was set by {seconds:+.1f} s; cut off, 10 messages kept, 3 lost, '
        f'no success any more: {path}'
    )
    reader = EpisodeReader(path)
    assert reader.counts == {topics.TWIN_SCORE: 10}
    assert reader.duration_s == pytest.approx(0.9)
    session.start()
    bench.feed(5)
    assert '5 messages' in session.stop()
    assert len(find_episodes(session.root)) == 2


def test_a_clock_that_is_set_while_nothing_comes_is_noticed(bench):
    bench.session.start()
    assert bench.session.poll() == ''
    bench.set_by_ns = 60 * 10**9
    assert bench.session.poll().startswith('the clock was set by +60.0 s; cut off, 0 messages kept')


def test_a_clock_that_is_slewed_is_none_that_was_set(bench):
    bench.session.start()
    for _ in range(100):
        bench.set_by_ns += MS  # ten times what NTP does
        bench.feed(1)
    assert '100 messages' in bench.session.stop()


def test_a_clock_that_was_set_while_idle_is_of_no_concern(bench):
    bench.set_by_ns = -60 * 10**9
    bench.session.start()
    bench.feed(3)
    assert '3 messages' in bench.session.stop()


def test_a_slow_disk_never_blocks_the_receiver(episodes):
    writer = episodes.begin()
    release = threading.Event()
    write = writer.write

    def slow(*args):
        release.wait(10)
        write(*args)

    writer.write = slow
    background = BackgroundWriter(writer, queue_bytes=1_000)
    started = time.monotonic()
    for _ in range(100):
        background.put(topics.TWIN_SCORE, START_NS, bytes(50), None)
    assert time.monotonic() - started < 5.0
    kept = 100 - background.dropped
    assert kept in (20, 21)  # a thousand bytes, and one message may be in the writer's hands
    release.set()
    path = background.finish(lambda w: w.close())
    assert EpisodeReader(path).counts == {topics.TWIN_SCORE: kept}


def test_a_bug_in_the_writer_thread_is_a_failure_and_not_a_silence(episodes):
    writer = episodes.begin()
    background = BackgroundWriter(writer, queue_bytes=1_000)
    background.put(topics.TWIN_SCORE, -1, b'', None)  # a time that MCAP cannot hold
    assert wait_for(lambda: background.failure is not None)
    assert 'see the log' in str(background.failure)
    background.put(topics.TWIN_SCORE, START_NS, b'', None)
    assert background.dropped == 1
