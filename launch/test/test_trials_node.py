"""The node that lets a policy try: what it asks for, and how it counts."""

import json
import threading
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

from ibc_bringup import trials_node
from ibc_bringup.trials import finished, read_trials
from ibc_bringup.trials_node import TrialsNode
from ibc_contract import topics
from ibc_contract.images import encode_jpeg
from ibc_contract.ros import newest


class StandIn(Node):
    """Twin, driver, camera and policy in one; the score follows a script while the policy acts."""

    def __init__(self, ros, scores) -> None:
        super().__init__('stand_in', context=ros.context)
        self.calls = []
        self._scores = list(scores)
        self._left = None
        self._image = encode_jpeg(np.zeros((90, 160, 3), np.uint8))
        self._camera = self.create_publisher(CompressedImage, topics.CAMERA_COMPRESSED, newest())
        self._score = self.create_publisher(Float64, topics.TWIN_SCORE, newest())
        self.create_service(SetBool, topics.POLICY_ENABLE, self._on_enable)
        for name in (topics.ARM_HOME, topics.TWIN_RESET):
            self.create_service(Trigger, name, lambda _, answer, n=name: self._done(n, answer))
        self.create_timer(0.05, self._publish)

    def _on_enable(self, request, answer):
        self._left = list(self._scores) if request.data else None
        return self._done('on' if request.data else 'off', answer)

    def _done(self, name, answer):
        self.calls.append(name)
        answer.success = True
        return answer

    def _publish(self):
        self._camera.publish(CompressedImage(format='jpeg', data=self._image))
        score = 0.0
        if self._left is not None:
            score = self._left.pop(0) if len(self._left) > 1 else self._left[0]
        self._score.publish(Float64(data=score))


@pytest.fixture
def start(ros, tmp_path, monkeypatch):
    """Start the node against a stand-in; the task's horizon is given."""
    monkeypatch.setattr(trials_node, 'SETTLE_S', 0.05)
    monkeypatch.setattr(trials_node, 'LINGER_S', 0.3)
    monkeypatch.setattr(trials_node, 'SHORTEST_S', 1.0)
    nodes = []

    def start(scores, horizon_s=60.0, **parameters):
        monkeypatch.setattr(trials_node, '_horizon_s', lambda _: horizon_s)
        given = {'video': str(tmp_path / 'v.mp4'), 'results': str(tmp_path / 'r.json')}
        overrides = [Parameter(k, value=v) for k, v in (given | parameters).items()]
        stand_in = StandIn(ros, scores)
        node = TrialsNode(context=ros.context, parameter_overrides=overrides)
        nodes.extend((node, stand_in))
        return node, stand_in

    yield start
    for node in nodes:
        node.destroy_node()


def trials_of(node):
    node.close()
    return read_trials(node_file(node, 'results'))


def node_file(node, name):
    return Path(node.get_parameter(name).value)


def test_each_trial_begins_at_home_with_a_new_layout_and_ends_at_success(start, ros):
    node, stand_in = start([0.0, 0.5, 1.0], episodes=2)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in, timeout=30.0)
    assert node.exit_code == 0
    trials = trials_of(node)
    assert [(t.outcome, t.score) for t in trials] == [('success', 1.0)] * 2
    once = ['off', topics.ARM_HOME, topics.TWIN_RESET, 'on', 'off']
    assert stand_in.calls == once * 2
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(node_file(node, 'video')))
    assert frames >= 6


def test_the_score_is_the_one_at_the_end_as_in_an_evaluation(start, ros):
    node, stand_in = start([0.5, 0.5, 0.0], horizon_s=1.0)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in, timeout=30.0)
    (trial,) = trials_of(node)
    assert (trial.outcome, trial.score) == ('failure', 0.0)
    assert trial.seconds >= 1.0


def test_what_is_under_way_when_the_time_is_over_counts_as_stopped(start, ros):
    node, stand_in = start([0.5], episodes=100, seconds=2.0)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in, timeout=30.0)
    trials = trials_of(node)
    assert [(t.outcome, t.score) for t in trials] == [('stopped', 0.5)]
    assert finished(trials) == []


def test_no_trial_begins_that_would_be_stopped_at_once(start, ros):
    node, stand_in = start([0.5], horizon_s=1.5, episodes=100, seconds=2.5)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in, timeout=30.0)
    assert [t.outcome for t in trials_of(node)] == ['failure']


def test_an_interrupt_leaves_film_and_results(start, ros):
    node, stand_in = start([0.5], episodes=100)
    assert ros.spin_until(lambda: 'on' in stand_in.calls, node, stand_in, timeout=30.0)
    ros.spin_until(threading.Event().is_set, node, stand_in, timeout=1.0)
    assert [t.outcome for t in trials_of(node)] == ['stopped']
    assert node_file(node, 'video').stat().st_size > 0


def test_results_of_older_runs_are_read(tmp_path):
    file = tmp_path / 'trials.json'
    file.write_text(json.dumps([{'score': 1.0, 'success': True, 'seconds': 3.0}]))
    assert read_trials(file)[0].outcome == 'success'
