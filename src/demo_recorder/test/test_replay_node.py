"""Replay on a real graph, with a driver node that ramps to its goal as the real one does."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from demo_recorder.replay_node import ReplayNode
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.messages import vector_xy
from ibc_contract.ros import newest


class RampDriver(Node):
    """Adds commands to a goal and moves its setpoint there linearly over one command period."""

    def __init__(self, context, willing=True):
        super().__init__('ramp_driver', context=context)
        self.goal = np.array([0.24, 0.0])
        self.start, self.t0, self.t1 = self.goal, 0.0, 1e-3
        self.homed = 0
        self.willing = willing
        self._heard = 0.0
        self.setpoints = self.create_publisher(PoseStamped, topics.TCP_SETPOINT, newest(10))
        self.poses = self.create_publisher(PoseStamped, topics.TCP_POSE, newest(10))
        self.create_subscription(Vector3Stamped, topics.TELEOP_DELTA, self.command, newest(10))
        self.create_service(Trigger, topics.ARM_HOME, self.home)
        self.create_timer(0.01, self.tick, callback_group=MutuallyExclusiveCallbackGroup())

    def home(self, _, response):
        self.homed += 1
        response.success, response.message = self.willing, 'home' if self.willing else 'stopped'
        return response

    def at(self, now):
        part = min(1.0, (now - self.t0) / (self.t1 - self.t0))
        return self.start + part * (self.goal - self.start)

    def command(self, message):
        now = time.monotonic()
        self.start, self.t0 = self.at(now), now
        self.t1 = now + min(max(now - self._heard, 0.02), 0.2)
        self._heard = now
        self.goal = self.goal + vector_xy(message)

    def tick(self):
        message = PoseStamped()
        message.header.stamp = self.get_clock().now().to_msg()
        point = self.at(time.monotonic())
        message.pose.position.x, message.pose.position.y = map(float, point)
        self.setpoints.publish(message)
        message.pose.position.x += 0.001  # the measured tool is 1 mm off
        self.poses.publish(message)


@pytest.fixture(autouse=True)
def acquainted(monkeypatch):
    """Nodes in one process know each other at once."""
    monkeypatch.setattr('demo_recorder.replay_node.ACQUAINTANCE_S', 0.0)


def replay_node(ros, **parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    return ReplayNode(context=ros.context, parameter_overrides=overrides)


def test_a_replay_follows_and_reports(ros, episodes, tmp_path):
    report = tmp_path / 'reports' / 'replay.json'
    bag = episodes.make(3.0)
    driver = RampDriver(ros.context)
    node = replay_node(ros, bag=str(bag), report=str(report))
    assert ros.spin_until(lambda: node.exit_code is not None, node, driver)
    node.close()
    assert node.exit_code == 0
    assert driver.homed == 1
    data = json.loads(report.read_text())
    assert data['bag'] == str(bag)
    assert data['commands'] >= 20
    assert data['duration_s'] == pytest.approx(3.0)
    # The shape is followed; delays depend on how busy the machine is.
    assert data['setpoint']['rms_without_delay_mm'] < 10.0
    assert data['setpoint']['samples'] > 50
    assert data['measured']['samples'] > 50
    assert abs(data['measured']['mean_mm'] - data['setpoint']['mean_mm']) < 3.0
    final = np.array([0.3 + 0.05 * np.sin(3.0), 0.08 * np.sin(2.1)])
    np.testing.assert_allclose(driver.goal, final, atol=2e-3)
    node.destroy_node()
    driver.destroy_node()


def test_an_arm_that_refuses_to_go_home(ros, episodes, capsys):
    driver = RampDriver(ros.context, willing=False)
    node = replay_node(ros, bag=str(episodes.make(0.5)))
    assert ros.spin_until(lambda: node.exit_code is not None, node, driver)
    node.close()
    assert node.exit_code == 1
    assert capsys.readouterr().err == 'error: arm/home: stopped\n'
    node.destroy_node()
    driver.destroy_node()


def test_no_driver(ros, episodes, capsys):
    node = replay_node(ros, bag=str(episodes.make(0.5)), timeout_s=1.0)
    assert ros.spin_until(lambda: node.exit_code is not None, node)
    node.close()
    assert node.exit_code == 1
    error = capsys.readouterr().err
    assert error == 'error: nobody offers arm/home: is the driver running? (waited 1 s)\n'
    node.destroy_node()


def test_closing_ends_a_replay_without_a_complaint(ros, episodes, capsys):
    node = replay_node(ros, bag=str(episodes.make(0.5)))
    node.close()
    assert node.exit_code == 1
    assert capsys.readouterr().err == ''
    node.destroy_node()


def test_a_bag_is_required(ros):
    with pytest.raises(IbcError, match="replay_bag: parameter 'bag'"):
        replay_node(ros)


@pytest.mark.system
def test_a_bad_bag_is_one_line_and_a_code(ros, tmp_path):
    done = subprocess.run(
        [sys.executable, '-m', 'demo_recorder.replay_node', '--ros-args', '-p', f'bag:={tmp_path}'],
        env=ros.env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f'error: {tmp_path}: there is no metadata.yaml')
    assert done.stderr.count('\n') == 1
