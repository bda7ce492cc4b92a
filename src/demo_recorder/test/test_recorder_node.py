"""The recorder on a real graph: services, raw recording, adaptation, diagnostics."""

import errno
import os
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64, Int64, String
from std_srvs.srv import Trigger

from demo_recorder.node import DemoRecorderNode
from ibc_contract import topics
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.errors import IbcError
from ibc_contract.messages import stamp_ns
from ibc_contract.ros import Diagnostics, latched, newest
from waiting import PATIENCE_S


class Operator(Node):
    """Publishes what a driver and a camera would, and calls the recorder's services."""

    def __init__(self, context):
        super().__init__('operator', context=context)
        self.setpoints = self.create_publisher(PoseStamped, topics.TCP_SETPOINT, newest(10))
        self.images = self.create_publisher(CompressedImage, topics.CAMERA_COMPRESSED, newest(10))
        self.states: list[str] = []
        self.create_subscription(
            String, topics.RECORDER_STATE, lambda m: self.states.append(m.data), latched()
        )
        self.diagnostics: list[DiagnosticArray] = []
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self.diagnostics.append, 10)
        self.trigger_clients = {}

    def call(self, service: str):
        if service not in self.trigger_clients:
            self.trigger_clients[service] = self.create_client(Trigger, service)
        client = self.trigger_clients[service]
        return client.call_async(Trigger.Request()) if client.service_is_ready() else None

    def publish_pair(self, number: int) -> None:
        pose = PoseStamped()
        pose.header.stamp.sec, pose.header.stamp.nanosec = 1_000, number
        pose.pose.position.x = 0.3
        self.setpoints.publish(pose)
        self.images.publish(CompressedImage(header=pose.header, format='jpeg', data=bytes(1000)))


class Stage:
    """Recorder and operator in one executor."""

    def __init__(self, ros, root, **parameters):
        self.ros = ros
        self.root = root
        values = {'root': str(root), 'task': 'push_red', 'min_free_mb': 10.0, **parameters}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.recorder = DemoRecorderNode(context=ros.context, parameter_overrides=overrides)
        self.operator = Operator(ros.context)
        self.published = 0

    def until(self, condition, timeout=PATIENCE_S) -> bool:
        return self.ros.spin_until(condition, self.recorder, self.operator, timeout=timeout)

    def call(self, service: str) -> Trigger.Response:
        future = None

        def answered():
            nonlocal future
            future = future or self.operator.call(service)
            return future is not None and future.done()

        assert self.until(answered)
        return future.result()

    def connect(self) -> None:
        """Wait until both topics reach the recorder."""
        live = self.recorder._live

        def heard():
            self.operator.publish_pair(0)
            return {topics.TCP_SETPOINT, topics.CAMERA_COMPRESSED} <= live.keys()

        assert self.until(heard)
        self.drain()

    def drain(self) -> None:
        """Spin until the recorder has taken what is on its way."""
        deadline = time.monotonic() + 0.3
        self.until(lambda: time.monotonic() > deadline)

    def publish(self, count: int) -> None:
        """Publish `count` pairs and wait until the recorder has taken them."""
        before = self.received(topics.TCP_SETPOINT), self.received(topics.CAMERA_COMPRESSED)
        for _ in range(count):
            self.published += 1
            self.operator.publish_pair(self.published)
            self.until(lambda: True)
        assert self.until(
            lambda: (
                self.received(topics.TCP_SETPOINT) == before[0] + count
                and self.received(topics.CAMERA_COMPRESSED) == before[1] + count
            )
        )

    def received(self, topic: str) -> int:
        health = self.recorder._session.health.get(topic)
        return health.count if health else 0

    def close(self) -> None:
        self.recorder.close()
        self.recorder.destroy_node()
        self.operator.destroy_node()


@pytest.fixture
def stage(ros, tmp_path):
    stage = Stage(ros, tmp_path / 'bags')
    yield stage
    stage.close()


def test_an_episode_through_the_services(stage):
    stage.connect()
    started = stage.call(topics.RECORDER_START)
    assert started.success
    assert started.message.startswith('recording ')
    stage.publish(20)
    assert stage.call(topics.RECORDER_MARK_SUCCESS).success
    stopped = stage.call(topics.RECORDER_STOP)
    assert stopped.success
    assert '40 messages' in stopped.message
    stage.operator.publish_pair(999)
    stage.drain()
    (path,) = find_episodes(stage.root)
    reader = EpisodeReader(path)
    assert reader.counts == {topics.TCP_SETPOINT: 20, topics.CAMERA_COMPRESSED: 20}
    assert (reader.info.task, reader.info.outcome, reader.info.source) == (
        'push_red',
        'success',
        'ros',
    )
    assert reader.info.seed is None
    received = list(reader.messages(topics.TCP_SETPOINT))
    stamps = [stamp_ns(message) - 1_000_000_000_000 for _, _, message in received]
    assert stamps == list(range(1, 21))
    assert all(abs(log_ns - time.time_ns()) < 60e9 for _, log_ns, _ in received)
    for _, record in reader.records(topics.TCP_SETPOINT):
        assert 0 <= record.log_time - record.publish_time < 10e9


def test_refusals_answer_with_one_line(stage):
    for service in (
        topics.RECORDER_STOP,
        topics.RECORDER_DISCARD,
        topics.RECORDER_MARK_SUCCESS,
        topics.RECORDER_MARK_FAILURE,
    ):
        answer = stage.call(service)
        assert not answer.success
        assert answer.message
        assert '\n' not in answer.message
    assert stage.call(topics.RECORDER_START).success
    again = stage.call(topics.RECORDER_START)
    assert not again.success
    assert 'already recording' in again.message


def test_a_discarded_take_never_reaches_the_episodes(stage):
    stage.connect()
    stage.call(topics.RECORDER_START)
    stage.publish(3)
    assert stage.call(topics.RECORDER_DISCARD).success
    assert find_episodes(stage.root) == []
    assert len(list((stage.root / 'discarded').iterdir())) == 1


def test_facts_can_change_between_episodes(stage):
    stage.call(topics.RECORDER_START)
    stage.call(topics.RECORDER_STOP)
    results = stage.recorder.set_parameters(
        [Parameter('task', value='insert_blue'), Parameter('seed', value=5)]
    )
    assert all(result.successful for result in results)
    stage.call(topics.RECORDER_START)
    stage.call(topics.RECORDER_MARK_FAILURE)
    stage.call(topics.RECORDER_STOP)
    infos = [EpisodeReader(path).info for path in find_episodes(stage.root)]
    assert {(i.task, i.seed, i.outcome) for i in infos} == {
        ('push_red', None, 'unlabelled'),
        ('insert_blue', 5, 'failure'),
    }


def test_the_seed_of_the_twins_layout_is_kept(stage):
    publisher = stage.operator.create_publisher(Int64, topics.TWIN_SEED, latched())
    publisher.publish(Int64(data=7))
    assert stage.until(lambda: stage.recorder._layout_seed == 7)
    stage.call(topics.RECORDER_START)
    stage.call(topics.RECORDER_STOP)
    [path] = find_episodes(stage.root)
    assert EpisodeReader(path).info.seed == 7


def test_the_state_is_shown(stage):
    assert stage.until(lambda: 'idle push_red' in stage.operator.states)
    stage.call(topics.RECORDER_START)
    assert stage.until(lambda: stage.operator.states[-1].startswith('recording push_red 0.'))
    stage.call(topics.RECORDER_MARK_SUCCESS)
    assert stage.until(lambda: '[success]' in stage.operator.states[-1])
    # Nothing is published: the operator reads it while recording, not afterwards.
    assert stage.until(lambda: 'nothing on camera/color/image_raw' in stage.operator.states[-1])
    stage.call(topics.RECORDER_STOP)
    assert stage.until(lambda: stage.operator.states[-1] == 'idle push_red')


def test_diagnostics_count_and_warn(stage):
    stage.connect()
    stage.call(topics.RECORDER_START)
    stage.publish(10)

    def status():
        return stage.operator.diagnostics[-1].status[0]

    key = f'episode {topics.TCP_SETPOINT}'
    assert stage.until(
        lambda: bool(stage.operator.diagnostics) and key in {pair.key for pair in status().values}
    )
    assert status().name == 'demo_recorder: episodes'
    values = {pair.key: pair.value for pair in status().values}
    assert values[key].startswith('10 messages')
    assert 'lost' not in values[key]
    assert stage.until(lambda: status().level == b'\x01' and 'joint_states' in status().message)
    values = {pair.key: pair.value for pair in status().values}
    assert values[topics.JOINT_STATES] == 'silent'
    assert float(values['free_gb']) > 0


def test_a_best_effort_publisher_is_heard_too(stage):
    qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    scores = stage.operator.create_publisher(Float64, topics.TWIN_SCORE, qos)

    def heard():
        scores.publish(Float64(data=0.5))
        return topics.TWIN_SCORE in stage.recorder._live

    assert stage.until(heard)
    stage.call(topics.RECORDER_START)
    assert stage.until(lambda: heard() and stage.received(topics.TWIN_SCORE) > 0)
    stage.call(topics.RECORDER_STOP)
    (path,) = find_episodes(stage.root)
    assert EpisodeReader(path).counts[topics.TWIN_SCORE] > 0


def test_closing_the_node_saves_the_open_episode(ros, tmp_path):
    stage = Stage(ros, tmp_path / 'bags')
    stage.connect()
    stage.call(topics.RECORDER_START)
    stage.publish(5)
    stage.close()
    (path,) = find_episodes(stage.root)
    assert EpisodeReader(path).info.outcome == 'unlabelled'
    assert EpisodeReader(path).counts[topics.TCP_SETPOINT] == 5


def test_a_nearly_full_disk_is_refused_and_seen_in_diagnostics(ros, tmp_path):
    stage = Stage(ros, tmp_path / 'bags', min_free_mb=1e6)
    try:
        if stage.recorder._session.free_bytes() > 1e12:
            pytest.skip('this disk is too large to look full')
        answer = stage.call(topics.RECORDER_START)
        assert not answer.success
        assert 'MB are free' in answer.message
        assert stage.until(
            lambda: any(
                'disk is almost full' in array.status[0].message
                for array in stage.operator.diagnostics
            )
        )
    finally:
        stage.close()


def test_a_disk_that_fills_up_while_recording(stage, monkeypatch):
    stage.connect()
    stage.call(topics.RECORDER_START)
    stage.publish(5)
    write, attempts = os.write, []

    def fail_once(descriptor, data):
        attempts.append(descriptor)
        if len(attempts) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data)

    monkeypatch.setattr(os, 'write', fail_once)
    assert stage.until(lambda: stage.operator.states[-1].startswith('idle push_red - '))
    assert 'push_red - the disk is full, free some space; cut off' in stage.operator.states[-1]
    marked = stage.call(topics.RECORDER_MARK_SUCCESS)
    assert not marked.success
    assert marked.message.startswith('cut off, so no success')
    answer = stage.call(topics.RECORDER_STOP)
    assert not answer.success
    assert 'the disk is full' in answer.message
    assert '\n' not in answer.message
    assert stage.until(
        lambda: any(array.status[0].level == b'\x02' for array in stage.operator.diagnostics)
    )
    (path,) = find_episodes(stage.root)
    assert EpisodeReader(path).counts[topics.TCP_SETPOINT] == 5


def test_a_clock_that_is_set_while_recording(stage):
    stage.connect()
    stage.call(topics.RECORDER_START)
    stage.publish(5)
    watch = stage.recorder._session._take.clock
    watch._clock_ns = lambda: time.time_ns() - 3600 * 10**9
    for _ in range(3):
        stage.operator.publish_pair(999)
    assert stage.until(lambda: stage.operator.states[-1].startswith('idle push_red - '))
    assert 'the clock was set by -3600.0 s; cut off, 10 messages kept' in stage.operator.states[-1]
    (path,) = find_episodes(stage.root)
    assert EpisodeReader(path).counts[topics.TCP_SETPOINT] == 5
    assert stage.call(topics.RECORDER_START).success
    stage.publish(5)
    assert stage.call(topics.RECORDER_STOP).success


@pytest.mark.parametrize(
    ('parameters', 'reason'),
    [
        ({'contract': 'circular'}, "unknown contract 'circular'; known: planar_rgb"),
        ({'calibration_file': '/nowhere.yaml'}, 'calibration_file /nowhere.yaml: cannot be read'),
        ({'expected_topics': ['nonsense']}, 'expected_topics: nonsense is not recorded; known'),
        ({'task': ''}, "parameter 'task'"),
        ({'silent_s': 0.0}, "parameter 'silent_s'"),
        ({'root': '/proc/x'}, '/proc/x: cannot be recorded into: No such file'),
    ],
)
def test_bad_parameters_are_refused_in_one_line(ros, tmp_path, one_line, parameters, reason):
    with pytest.raises(IbcError, match=reason) as caught:
        Stage(ros, **{'root': tmp_path, **parameters})
    one_line(caught.value)


def test_the_calibration_travels_in_the_bag(ros, tmp_path):
    file = tmp_path / 'camera.yaml'
    file.write_text('position: [0.9, 0.0, 0.7]\n')
    stage = Stage(ros, tmp_path / 'bags', calibration_file=str(file))
    stage.call(topics.RECORDER_START)
    stage.close()
    (path,) = find_episodes(stage.root)
    assert EpisodeReader(path).info.calibration == 'position: [0.9, 0.0, 0.7]\n'


def test_the_light_of_the_camera_travels_in_the_bag(ros, tmp_path):
    stage = Stage(ros, tmp_path / 'bags')
    camera = Node('realsense_capture', context=ros.context)
    diagnostics = Diagnostics(camera, 'camera')
    light = {'light': 'fixed', 'exposure [us]': '20000', 'gain': '64', 'white balance [K]': '4600'}

    def told() -> bool:
        diagnostics.publish(DiagnosticStatus.OK, '30.0 Hz', {**light, 'frames': 3})
        return stage.recorder._camera == light

    assert stage.until(told)
    stage.call(topics.RECORDER_START)
    stage.close()
    camera.destroy_node()
    (path,) = find_episodes(stage.root)
    assert EpisodeReader(path).info.camera == light
