"""The recorder as a process that is ended politely and rudely."""

import re
import signal
import subprocess
import sys
import time

import pytest
from rclpy.node import Node
from std_msgs.msg import Float64
from std_srvs.srv import Trigger

from demo_recorder.repair import repair_episode
from ibc_contract import topics
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.ros import newest


class Bench:
    """A recorder process and a node that publishes numbers and calls services."""

    def __init__(self, ros, root):
        self.ros = ros
        self.root = root
        self.node = Node('bench', context=ros.context)
        self.numbers = self.node.create_publisher(Float64, topics.TWIN_SCORE, newest(10))
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

    def call(self, service):
        client = self.node.create_client(Trigger, service)
        assert self.ros.spin_until(client.service_is_ready, self.node, timeout=30)
        future = client.call_async(Trigger.Request())
        assert self.ros.spin_until(future.done, self.node, timeout=30)
        return future.result()

    def publish_for(self, seconds):
        """Publish ascending numbers at about 100 Hz."""
        assert self.ros.spin_until(lambda: self.numbers.get_subscription_count() > 0, self.node)
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
def test_a_killed_recorder_loses_at_most_the_last_second(bench):
    bench.record(0.5)
    assert bench.call(topics.RECORDER_MARK_SUCCESS).success
    closed_answer = bench.call(topics.RECORDER_STOP)
    assert closed_answer.success
    bench.record(3.0)
    bench.process.send_signal(signal.SIGKILL)
    bench.process.wait(timeout=10)

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
    out, _ = bench.process.communicate(timeout=20)
    assert bench.process.returncode == 0
    assert 'saved ' in out
    (path,) = find_episodes(bench.root)
    assert EpisodeReader(path).info.outcome == 'unlabelled'
    found = numbers(path)
    assert found == list(range(found[0], found[-1] + 1))
    assert not list(bench.root.glob('*.partial'))


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
    assert done.stderr == ("error: unknown contract 'circular'; known: planar_rgb, planar_state\n")
