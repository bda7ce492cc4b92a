"""`ibc calibrate latency` against an arm and a camera whose delays are known."""

import io
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import CompressedImage

from ibc_bringup.arguments import Argument
from ibc_bringup.latency_file import FILE, PICTURE, load_latency
from ibc_bringup.main import main
from ibc_bringup.ports import free_twin_ports
from ibc_bringup.processes import BRINGUP, CAMERA, DRIVER, TWIN
from ibc_bringup.stack import Stack
from ibc_bringup.stacks import CAMERA_DELAY, CAMERA_REFERENCE, COMMON, RENDERER, TASK
from ibc_bringup.up import process_group, ros_environment
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.images import encode_jpeg
from ibc_contract.messages import stamp_ns
from ibc_contract.ros import newest
from xarm_planar_driver.arbitration import LONGEST_RAMP

SEED = Argument('seed', '', 0, kind=int)
SETPOINT, ARM, CAMERA_AGE = 0.02, 0.09, 0.06
HOME = np.array([0.24, 0.0])


class StandIn(Node):
    """Driver and camera whose delays hold by their stamps, however busy the computer is."""

    def __init__(self, ros) -> None:
        super().__init__('xarm_planar_driver', context=ros.context)
        self.declare_parameter('table_file', 'twin')
        self.commands = []
        self._goals = [(0, HOME)]
        """When a ramp to a goal began [ns], and the goal."""
        self._table = np.random.default_rng(0).integers(60, 110, (90, 160, 3)).astype(np.uint8)
        self._setpoint = self.create_publisher(PoseStamped, topics.TCP_SETPOINT, newest(10))
        self._tool = self.create_publisher(PoseStamped, topics.TCP_POSE, newest(10))
        self._camera = self.create_publisher(CompressedImage, topics.CAMERA_COMPRESSED, newest())
        self.create_subscription(Vector3Stamped, topics.TELEOP_DELTA, self._move, newest(10))
        self.create_timer(0.02, self._tell)
        self.create_timer(0.05, self._show)

    def _move(self, message):
        self.commands.append(np.array([message.vector.x, message.vector.y]))
        self._goals.append((stamp_ns(message), self._goals[-1][1] + self.commands[-1]))

    def _at(self, now, delay):
        """Where it is `delay` [s] after it was told."""
        then = now - round(delay * 1e9)
        known = [index for index, (begin, _) in enumerate(self._goals) if begin <= then]
        begin, goal = self._goals[known[-1]]
        before = self._goals[max(0, known[-1] - 1)][1]
        return before + min(1.0, (then - begin) * 1e-9 / LONGEST_RAMP) * (goal - before)

    def _tell(self):
        now = self.get_clock().now().nanoseconds
        for publisher, delay in ((self._setpoint, SETPOINT), (self._tool, ARM)):
            message = PoseStamped()
            message.header.stamp = Time(nanoseconds=now).to_msg()
            message.pose.position.x, message.pose.position.y = map(float, self._at(now, delay))
            publisher.publish(message)

    def _show(self):
        now = self.get_clock().now().nanoseconds
        left = round(70 + 1000 * self._at(now, ARM + CAMERA_AGE)[1])
        rgb = self._table.copy()
        rgb[20:70, left : left + 24] = 210
        message = CompressedImage(format='jpeg', data=encode_jpeg(rgb))
        message.header.stamp = Time(nanoseconds=now).to_msg()
        self._camera.publish(message)


@pytest.fixture
def stand_in(ros):
    node = StandIn(ros)
    yield node
    node.destroy_node()


def begin(ros, *words):
    return subprocess.Popen(
        [sys.executable, '-m', 'ibc_bringup.main', 'calibrate', 'latency', *map(str, words)],
        env=ros.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(ros, process, *nodes):
    """Spin the nodes until the command has ended; return its exit code, output and last words."""
    try:
        assert ros.spin_until(lambda: process.poll() is not None, *nodes, timeout=90.0)
    finally:
        process.kill()
    out, err = process.communicate()
    return process.returncode, out, err


def test_known_delays_are_found_and_stored(ros, stand_in, tmp_path):
    code, out, err = end(ros, begin(ros, tmp_path, '--yes', '--json', '--pairs', 1), stand_in)
    assert code == 0, err
    report = json.loads(out)
    assert report['setpoint_s'] == pytest.approx(SETPOINT, abs=0.005)
    assert report['arm_s'] == pytest.approx(ARM - SETPOINT, abs=0.005)
    assert report['camera_s'] == pytest.approx(CAMERA_AGE, abs=0.02)
    assert report['loop_s'] >= ARM + CAMERA_AGE - 0.02
    assert report['warnings'] == []
    assert load_latency(tmp_path / FILE).arm_s == report['arm_s']
    assert (tmp_path / PICTURE).read_bytes().startswith(b'\x89PNG')
    assert len(stand_in.commands) == 2
    np.testing.assert_allclose(np.sum(stand_in.commands, axis=0), 0.0, atol=1e-9)
    assert np.abs(stand_in.commands).max() == pytest.approx(0.02)


def test_delays_put_into_the_twin_are_found(ros, tmp_path):
    """Twin, camera and driver as stacks run them; generous, for a busy machine makes them later."""
    arguments = (*COMMON, RENDERER, CAMERA_DELAY, CAMERA_REFERENCE, TASK, SEED)
    stack = Stack('arm and camera', '', arguments, (TWIN, CAMERA, DRIVER, BRINGUP))
    given = {**free_twin_ports(), 'arm_delay': '0.1', 'camera_delay': '0.15', 'renderer': 'tiny'}
    lines = []
    group = process_group(
        stack, stack.values(given), lambda _, line: lines.append(line), ros_environment(ros.env)
    )
    with group:
        assert ros.spin_until(lambda: any('at home' in line for line in lines), timeout=90.0), lines
        code, out, err = end(ros, begin(ros, tmp_path, '--yes', '--json', '--pairs', 2))
    assert code == 0, err
    found = json.loads(out)
    assert 0.11 < found['camera_s'] < 0.25  # pictures wait where the machine is busy
    assert 0.1 < found['arm_s'] < 0.22  # the twin's motors add some 0.03 s
    assert found['setpoint_s'] > 0.0
    assert found['loop_s'] > found['setpoint_s'] + 0.25


def test_it_does_not_command_beside_somebody_else(ros, stand_in, tmp_path):
    policy = stand_in.create_publisher(Vector3Stamped, topics.POLICY_DELTA, newest())
    stand_in.create_timer(0.2, lambda: policy.publish(Vector3Stamped()))
    code, _, err = end(ros, begin(ros, tmp_path, '--yes', '--pairs', 3), stand_in)
    assert code == 1
    assert f'somebody else commands the arm on {topics.POLICY_DELTA}' in err
    assert stand_in.commands == []


def test_ctrl_c_ends_it_and_nothing_more_is_commanded(ros, stand_in, tmp_path):
    process = begin(ros, tmp_path, '--yes', '--pairs', 100)
    assert ros.spin_until(lambda: len(stand_in.commands) == 2, stand_in, timeout=60.0)
    process.send_signal(signal.SIGINT)
    code, _, err = end(ros, process, stand_in)
    assert code == 130
    assert 'Traceback' not in err
    assert len(stand_in.commands) <= 3
    assert not (tmp_path / FILE).exists()


def test_what_is_missing_is_said_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'stdin', io.StringIO(''))
    for words, said in (
        ([tmp_path], 'nobody answers'),
        ([tmp_path / 'none', '--yes'], 'no folder'),
    ):
        with pytest.raises(SystemExit) as ended:
            main(['calibrate', 'latency', *map(str, words)])
        assert ended.value.code == 1
        assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_file_that_was_changed_by_hand_is_checked(tmp_path):
    path = tmp_path / 'latency.yaml'
    path.write_text('setpoint_s: fast')
    with pytest.raises(IbcError, match=r'latency\.yaml: setpoint_s is .fast.: .*number'):
        load_latency(path)
    with pytest.raises(IbcError, match='No such file'):
        load_latency(tmp_path / 'none.yaml')
