"""The node that lets a policy try: what it asks for, and how it counts."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseArray
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Float64
from std_srvs.srv import SetBool, Trigger

from ibc_bringup import session, trials_node
from ibc_bringup.process_group import Ended
from ibc_bringup.trials import Trial, finished, read_trials, write_trials
from ibc_bringup.trials_node import TrialsNode
from ibc_bringup.video import Mp4Writer
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.images import encode_jpeg
from ibc_contract.messages import pose_array_cdr
from ibc_contract.ros import newest
from xarm_twin.scene_state import SceneState, SceneStateServer
from xarm_twin.tasks import get_task
from xarm_twin.world import World

RECORDER = (
    topics.RECORDER_START,
    topics.RECORDER_STOP,
    topics.RECORDER_MARK_SUCCESS,
    topics.RECORDER_MARK_FAILURE,
)


class StandIn(Node):
    """Twin, driver, camera and policy in one; the score follows a script while the policy acts."""

    def __init__(self, ros, scores) -> None:
        super().__init__('stand_in', context=ros.context)
        self.calls = []
        self.tells_of_gate = False
        self._scores = list(scores)
        self._left = None
        self._image = encode_jpeg(np.zeros((90, 160, 3), np.uint8))
        self._camera = self.create_publisher(CompressedImage, topics.CAMERA_COMPRESSED, newest())
        self._score = self.create_publisher(Float64, topics.TWIN_SCORE, newest())
        self._objects = self.create_publisher(PoseArray, topics.TWIN_OBJECTS, newest())
        self._driver = self.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
        self._poses = get_task('push_red').sample_layout(np.random.default_rng(0))
        self._slowed = 5
        self.create_service(SetBool, topics.POLICY_ENABLE, self._on_enable)
        for name in (topics.ARM_HOME, topics.TWIN_RESET, *RECORDER):
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
            self._slowed += 1
        self._score.publish(Float64(data=score))
        self._objects.publish(pose_array_cdr(1, self._poses))
        if self.tells_of_gate:
            slowed = KeyValue(key='gate_setpoint_slowed', value=str(self._slowed))
            status = DiagnosticStatus(name='xarm_planar_driver: arm', values=[slowed])
            self._driver.publish(DiagnosticArray(status=[status]))


@pytest.fixture
def start(ros, tmp_path, monkeypatch):
    """Start the node against a stand-in; the task's horizon is given."""
    monkeypatch.setattr(trials_node, 'SETTLE_S', 0.05)
    monkeypatch.setattr(trials_node, 'ACQUAINTANCE_S', 0.0)  # of nodes in one process
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
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    assert node.exit_code == 0
    trials = trials_of(node)
    assert [(t.outcome, t.score) for t in trials] == [('success', 1.0)] * 2
    once = ['off', topics.ARM_HOME, topics.TWIN_RESET, 'on', 'off']
    assert stand_in.calls == once * 2
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(node_file(node, 'video')))
    assert frames >= 6


def test_a_failure_is_told_with_what_the_gate_did(start, ros):
    node, stand_in = start([0.0], horizon_s=1.0, task='push_red')
    stand_in.tells_of_gate = True
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    (trial,) = trials_of(node)
    assert (trial.failure, trial.ending) == ('red not in its tray', 'stalled')
    assert 1 <= trial.interventions['setpoint_slowed'] <= 40


def test_a_layout_that_nobody_has_touched_is_the_first_one_tried(start, ros):
    node, stand_in = start([1.0], episodes=2, enabled=False)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    once = ['off', topics.ARM_HOME, topics.TWIN_RESET, 'on', 'off']
    assert stand_in.calls == [call for call in once if call != topics.TWIN_RESET] + once


def test_the_film_shows_the_whole_arm_beside_the_cameras_picture(start, ros):
    blocks = World('push_red', seed=1)
    with SceneStateServer('127.0.0.1', 0) as scene:
        q, _ = blocks.joint_states()
        node, stand_in = start([0.0] * 40 + [1.0], scene_port=scene.port)

        def ended():
            scene.publish(SceneState(time.time_ns(), q, blocks.object_poses(), 'push_red'))
            return node.exit_code is not None

        assert ros.spin_until(ended, node, stand_in, timeout=90.0)
    blocks.close()
    node.close()
    reader = imageio_ffmpeg.read_frames(str(node_file(node, 'video')))
    width, height = next(reader)['size']
    assert (width, height) == (160 + 70, 90)
    last = np.frombuffer(list(reader)[-1], np.uint8).reshape(height, width, 3)
    assert last[30:, :150].max() < 40  # the stand-in's camera is blind
    beside = last[30:, 160:].reshape(-1, 3).astype(int)
    assert (beside.min(axis=1) > 150).mean() > 0.02  # the white arm
    assert ((beside[:, 0] - beside[:, 2]) > 40).mean() > 0.05  # the board


@pytest.mark.parametrize(
    ('scores', 'mark'),
    [
        ([0.0, 0.5, 1.0], topics.RECORDER_MARK_SUCCESS),
        ([0.5], topics.RECORDER_MARK_FAILURE),
    ],
)
def test_a_recorded_trial_is_an_episode_with_its_outcome(start, ros, scores, mark):
    node, stand_in = start(scores, horizon_s=1.0, record=True)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    assert node.exit_code == 0
    begun = ['off', topics.ARM_HOME, topics.TWIN_RESET, topics.RECORDER_START, 'on']
    ended = ['off'] if mark == topics.RECORDER_MARK_SUCCESS else []
    assert stand_in.calls == [*begun, *ended, mark, topics.RECORDER_STOP]


def test_a_film_that_cannot_be_written_ends_the_trials_and_keeps_those_before(
    start, ros, monkeypatch
):
    class Full(Mp4Writer):
        def add(self, rgb):
            if stand_in.calls.count('on') > 1:
                raise IbcError(f'{self.path}: no space left')

    monkeypatch.setattr(trials_node, 'Mp4Writer', Full)
    node, stand_in = start([1.0], episodes=2)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    assert node.exit_code == 1
    assert [t.outcome for t in trials_of(node)] == ['success']


CUT_SHORT = """
import resource, sys
import numpy as np
from pathlib import Path
from ibc_bringup.video import Mp4Writer
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
noise = np.random.default_rng(0)
with Mp4Writer(Path(sys.argv[1]), 10) as film:
    for _ in range(1000):
        film.add(noise.integers(0, 255, (90, 160, 3), np.uint8))
"""


def test_a_film_that_is_cut_short_plays_up_to_there(tmp_path):
    film = tmp_path / 'film.mp4'
    done = subprocess.run(
        [sys.executable, '-c', CUT_SHORT, str(film)], capture_output=True, text=True
    )
    assert done.stderr.splitlines()[-1].endswith(f'IbcError: {film}: ffmpeg could not write it')
    frames, _ = imageio_ffmpeg.count_frames_and_secs(str(film))
    assert frames >= 20


def test_a_log_that_cannot_be_written_ends_nothing_and_is_told(monkeypatch):
    class Group:
        def __init__(self, stack, values, sink, environment):
            self.sink = sink

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait(self, timeout_s):
            self.sink('trials', 'a line')
            return Ended('trials', 0, planned=True, tail=())

    monkeypatch.setattr(session, 'process_group', Group)
    with pytest.raises(IbcError, match=r'^/dev/full: No space left on device$'):
        session.run_to_end('teleop_record', {}, Path('/dev/full'), 1.0)


def test_results_that_cannot_be_written_leave_those_before(tmp_path):
    file = tmp_path / 'trials.json'
    write_trials(file, [Trial(1.0, True, 20.0)])
    (tmp_path / 'trials.json.new').mkdir()
    with pytest.raises(IbcError, match=r'trials\.json: Is a directory'):
        write_trials(file, [])
    assert len(read_trials(file)) == 1


def test_the_score_is_the_one_at_the_end_as_in_an_evaluation(start, ros):
    node, stand_in = start([0.5, 0.5, 0.0], horizon_s=1.0)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    (trial,) = trials_of(node)
    assert (trial.outcome, trial.score) == ('failure', 0.0)
    assert trial.seconds >= 1.0


def test_what_is_under_way_when_the_time_is_over_counts_as_stopped(start, ros):
    node, stand_in = start([0.5], episodes=100, seconds=2.0)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    trials = trials_of(node)
    assert [(t.outcome, t.score) for t in trials] == [('stopped', 0.5)]
    assert finished(trials) == []


def test_the_time_that_others_take_to_start_is_not_taken_from_the_trials(start, ros):
    node, stand_in = start([0.5], episodes=100, seconds=2.0)
    threading.Event().wait(2.5)  # nobody answers yet
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    (trial,) = trials_of(node)
    assert trial.outcome == 'stopped'
    assert trial.seconds > 1.0


def test_no_trial_begins_that_would_be_stopped_at_once(start, ros):
    node, stand_in = start([0.5], horizon_s=1.5, episodes=100, seconds=2.5)
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    assert [t.outcome for t in trials_of(node)] == ['failure']


def test_an_interrupt_leaves_film_and_results(start, ros):
    node, stand_in = start([0.5], episodes=100)
    assert ros.spin_until(lambda: 'on' in stand_in.calls, node, stand_in)
    ros.spin_until(threading.Event().is_set, node, stand_in, timeout=1.0)
    assert [t.outcome for t in trials_of(node)] == ['stopped']
    assert node_file(node, 'video').stat().st_size > 0


def test_an_arm_that_is_stopped_ends_the_trials_and_blames_no_policy(start, ros):
    node, stand_in = start([0.5], episodes=100)
    arm = stand_in.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, 10)
    status = DiagnosticStatus(
        name='xarm_planar_driver: arm', message='stopped: arm/stop was called'
    )
    status.level = DiagnosticStatus.ERROR
    assert ros.spin_until(lambda: 'on' in stand_in.calls, node, stand_in)
    stand_in.create_timer(0.1, lambda: arm.publish(DiagnosticArray(status=[status])))
    assert ros.spin_until(lambda: node.exit_code is not None, node, stand_in)
    assert node.exit_code == 1
    assert [t.outcome for t in trials_of(node)] == ['stopped']


def test_results_of_older_runs_are_read(tmp_path):
    file = tmp_path / 'trials.json'
    file.write_text(json.dumps([{'score': 1.0, 'success': True, 'seconds': 3.0}]))
    assert read_trials(file)[0].outcome == 'success'
