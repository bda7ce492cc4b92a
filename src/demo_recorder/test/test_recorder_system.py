"""The recorder as a process that is ended politely and rudely, or whose disk fills up."""

import os
import re
import resource
import signal
import subprocess
import sys
import time

import pytest
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger

from demo_recorder.repair import is_sound, repair_episode
from ibc_contract import topics
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.ros import latched, newest
from waiting import PATIENCE_S


class Bench:
    """A recorder process and a node that publishes numbers and calls services."""

    def __init__(self, ros, root):
        self.ros = ros
        self.root = root
        self.node = Node('bench', context=ros.context)
        self.numbers = self.node.create_publisher(Float64, topics.TWIN_SCORE, newest(10))
        self.frames = self.node.create_publisher(
            CompressedImage, topics.CAMERA_COMPRESSED, newest(10)
        )
        self.state = ''
        self.node.create_subscription(String, topics.RECORDER_STATE, self._on_state, latched())
        self.next = 0
        self.process = subprocess.Popen(
            [
                *(sys.executable, '-m', 'demo_recorder.node', '--ros-args'),
                *('-p', f'root:={root}', '-p', 'task:=push_red', '-p', 'min_free_mb:=10'),
            ],
            env=ros.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _on_state(self, message):
        self.state = message.data

    def until(self, predicate, timeout=PATIENCE_S):
        return self.ros.spin_until(predicate, self.node, timeout=timeout)

    def call(self, service):
        client = self.node.create_client(Trigger, service)
        assert self.until(client.service_is_ready)
        future = client.call_async(Trigger.Request())
        assert self.until(future.done)
        return future.result()

    def publish_for(self, seconds):
        """Publish ascending numbers at about 100 Hz."""
        assert self.until(lambda: self.numbers.get_subscription_count() > 0)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.numbers.publish(Float64(data=float(self.next)))
            self.next += 1
            time.sleep(0.01)

    def record(self, seconds):
        assert self.call(topics.RECORDER_START).success
        self.publish_for(seconds)


@pytest.fixture
def bench(ros, tmp_path):
    bench = Bench(ros, tmp_path / 'bags')
    yield bench
    bench.process.kill()
    bench.process.communicate()
    bench.node.destroy_node()


def numbers(path):
    return [int(message.data) for _, _, message in EpisodeReader(path).messages()]


@pytest.mark.system
@pytest.mark.parametrize('seconds', [1.8, 2.4, 3.0])
def test_a_killed_recorder_loses_at_most_the_last_second(bench, seconds):
    bench.record(0.5)
    assert bench.call(topics.RECORDER_MARK_SUCCESS).success
    closed_answer = bench.call(topics.RECORDER_STOP)
    assert closed_answer.success
    bench.record(seconds)
    bench.process.send_signal(signal.SIGKILL)
    bench.process.wait(PATIENCE_S)

    (closed,) = find_episodes(bench.root)
    reader = EpisodeReader(closed)
    assert reader.info.outcome == 'success'
    reported = re.search(r'(\d+) messages', closed_answer.message)
    assert reported is not None
    assert len(numbers(closed)) == int(reported[1]) > 0

    (partial,) = bench.root.glob('*.partial')
    recovered = numbers(repair_episode(partial))
    assert recovered == list(range(recovered[0], recovered[-1] + 1))
    # Synced every second while messages come in; two and a half leave room for a busy machine.
    lost = bench.next - 1 - recovered[-1]
    assert lost <= 250
    assert len(recovered) >= 20
    assert len(find_episodes(bench.root)) == 2


@pytest.mark.system
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT], ids=['SIGTERM', 'SIGINT'])
def test_a_polite_end_saves_the_open_episode(bench, number):
    bench.record(0.5)
    bench.process.send_signal(number)
    out, _ = bench.process.communicate(timeout=PATIENCE_S)
    assert bench.process.returncode == 0
    assert 'saved ' in out
    (path,) = find_episodes(bench.root)
    assert EpisodeReader(path).info.outcome == 'unlabelled'
    found = numbers(path)
    assert found == list(range(found[0], found[-1] + 1))
    assert not list(bench.root.glob('*.partial'))


class SmallDisk:
    """A file system of 32 MB with room for 14, which is an episode of 4 or a little more."""

    def __init__(self, folder, recorder):
        self._filler = folder / 'filler'
        with self._filler.open('wb') as file:
            os.posix_fallocate(file.fileno(), 0, 18 << 20)

    def fill_up(self):
        """Leave it to the recorder."""

    def make_room(self):
        self._filler.unlink()


class LimitedFiles:
    """A limit on the size of a file, which anybody may set: not even what was reserved helps."""

    def __init__(self, folder, recorder):
        self._recorder = recorder
        self._before = resource.prlimit(recorder, resource.RLIMIT_FSIZE)

    def fill_up(self):
        resource.prlimit(self._recorder, resource.RLIMIT_FSIZE, (2 << 20, self._before[1]))

    def make_room(self):
        resource.prlimit(self._recorder, resource.RLIMIT_FSIZE, self._before)


@pytest.fixture
def small_folder(tmp_path):
    folder = tmp_path / 'bags'
    folder.mkdir()
    mount = ['mount', '-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip('mounting is not allowed here')
    yield
    subprocess.run(['umount', str(folder)], check=True)


def noise(number):
    return CompressedImage(format='jpeg', data=os.urandom(99_996) + number.to_bytes(4))


def number_of(message):
    return int.from_bytes(bytes(message.data[-4:]))


def fill(bench, disk):
    """Record noise, which does not compress, until the recorder gives up; return its state."""
    assert bench.call(topics.RECORDER_START).success
    assert bench.until(lambda: bench.frames.get_subscription_count() > 0)
    assert bench.call(topics.RECORDER_MARK_SUCCESS).success
    for number in range(300):
        if number == 12:  # a chunk is on the disk
            disk.fill_up()
        bench.frames.publish(noise(number))
        if bench.until(lambda: ' - ' in bench.state and 'idle' in bench.state, timeout=0.02):
            return bench.state
    assert bench.until(lambda: 'idle' in bench.state)
    return bench.state


def goes_on(bench):
    """Whether the next episode is recorded as if nothing had been."""
    bench.record(0.3)
    return bench.call(topics.RECORDER_STOP).success and bench.state.startswith('idle')


@pytest.mark.system
def test_a_disk_that_fills_up_ends_the_episode_and_keeps_it(small_folder, bench):
    bench.record(0.3)
    assert bench.call(topics.RECORDER_STOP).success
    (earlier,) = find_episodes(bench.root)
    disk = SmallDisk(bench.root, bench.process.pid)
    state = fill(bench, disk)
    assert re.search(r'^idle push_red - the disk is full, free some space; cut off, \d+ ', state)
    assert 'no success any more' in state
    (cut,) = set(find_episodes(bench.root)) - {earlier}
    assert is_sound(earlier)
    assert EpisodeReader(cut).info.outcome == 'unlabelled'
    kept = [number_of(m) for _, _, m in EpisodeReader(cut).messages(topics.CAMERA_COMPRESSED)]
    assert kept == list(range(kept[0], kept[0] + len(kept)))
    assert len(kept) * 100_000 > 4 << 20
    refused = bench.call(topics.RECORDER_START)
    assert not refused.success
    assert re.search(r'only \d MB are free, an episode begins with at least 10 MB', refused.message)
    disk.make_room()
    assert goes_on(bench)
    bench.process.terminate()
    said, _ = bench.process.communicate(timeout=PATIENCE_S)
    assert bench.process.returncode == 0
    assert len(re.findall('the disk is full', said)) == 1
    assert 'Traceback' not in said


@pytest.mark.system
def test_a_file_that_may_not_grow_is_repaired_up_to_its_last_chunk(bench):
    bench.record(0.1)
    assert bench.call(topics.RECORDER_DISCARD).success
    disk = LimitedFiles(bench.root, bench.process.pid)
    state = fill(bench, disk)
    assert re.search('File too large, mend this, then try `ibc bags repair ', state)
    disk.make_room()
    assert goes_on(bench)
    (partial,) = bench.root.glob('*.partial')
    repaired = repair_episode(partial)
    kept = [number_of(m) for _, _, m in EpisodeReader(repaired).messages()]
    assert kept == list(range(kept[0], kept[0] + len(kept)))
    assert len(kept) * 100_000 > 1 << 20
    assert EpisodeReader(repaired).info.outcome == 'unlabelled'


@pytest.mark.system
def test_a_bad_parameter_is_one_line_and_a_code(ros):
    done = subprocess.run(
        [sys.executable, '-m', 'demo_recorder.node', '--ros-args', '-p', 'contract:=circular'],
        env=ros.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: unknown contract 'circular'; known: planar_rgb, ")
    assert done.stderr.count('\n') == 1
