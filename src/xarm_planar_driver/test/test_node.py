"""The node on a private ROS graph: real rclpy, real SDK, emulated controller."""

import math
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import Future

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from lifecycle_msgs.msg import State
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.ros import Diagnostics, newest
from planar_arm import xarm6
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_planar_driver.arm import SERVO_MODE
from xarm_planar_driver.node import XarmPlanarDriverNode

QOS: QoSProfile = newest(50)


class Operator(Node):
    """What stands around the driver: commands, services, and what it publishes."""

    def __init__(self, ros) -> None:
        super().__init__('operator', context=ros.context)
        self._ros = ros
        self.newest: dict[str, object] = {}
        self.counts: dict[str, int] = {}
        self._commands = {
            name: self.create_publisher(Vector3Stamped, name, QOS)
            for name in (topics.TELEOP_DELTA, topics.POLICY_DELTA)
        }
        for kind, name in (
            (JointState, topics.JOINT_STATES),
            (PoseStamped, topics.TCP_POSE),
            (PoseStamped, topics.TCP_SETPOINT),
            (DiagnosticArray, topics.DIAGNOSTICS),
        ):
            self.create_subscription(kind, name, self._keeper(name), QOS)

    def _keeper(self, name):
        def keep(message):
            self.newest[name] = message
            self.counts[name] = self.counts.get(name, 0) + 1

        return keep

    def move(self, x, y, topic=topics.TELEOP_DELTA):
        message = Vector3Stamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = topics.LINK_BASE
        message.vector.x, message.vector.y = float(x), float(y)
        self._commands[topic].publish(message)

    def point(self, name):
        """(x, y) of the newest pose on a topic, relative to home [m]."""
        position = self.newest[name].pose.position
        return position.x - xarm6.HOME_XY[0], position.y - xarm6.HOME_XY[1]

    @property
    def diagnosis(self):
        status = self.newest[topics.DIAGNOSTICS].status[0]
        return status.level, status.message, {pair.key: pair.value for pair in status.values}


class Stage:
    """Driver node and operator, spun together."""

    def __init__(self, ros, config_for, emulator, **settings) -> None:
        values = vars(config_for(emulator, **settings))
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self._ros = ros
        self.driver = XarmPlanarDriverNode(context=ros.context, parameter_overrides=overrides)
        self.operator = Operator(ros)

    def until(self, predicate, timeout=20.0):
        return self._ros.spin_until(predicate, self.driver, self.operator, timeout=timeout)

    def call(self, name, kind=Trigger, **fields):
        client = self.operator.create_client(kind, name)
        assert self.until(client.service_is_ready)
        future = client.call_async(kind.Request(**fields))
        assert self.until(future.done, timeout=40.0)
        return future.result()

    def ready(self):
        """Whether the driver follows commands and the operator is heard."""
        publishers = self.operator._commands.values()
        return self.until(
            lambda: (
                topics.TCP_SETPOINT in self.operator.newest
                and self.in_phase('active')
                and all(publisher.get_subscription_count() for publisher in publishers)
            )
        )

    def diagnosed(self, text):
        operator = self.operator
        return topics.DIAGNOSTICS in operator.newest and text in operator.diagnosis[1]

    def in_phase(self, phase):
        operator = self.operator
        return topics.DIAGNOSTICS in operator.newest and operator.diagnosis[2].get('phase') == phase

    def at(self, x, y, within=1e-6):
        """Whether setpoint and measured pose arrive at (x, y) relative to home [m]."""

        def there():
            setpoint = self.operator.point(topics.TCP_SETPOINT)
            measured = self.operator.point(topics.TCP_POSE)
            return (
                math.dist(setpoint, (x, y)) < within and math.dist(measured, (x, y)) < within + 1e-4
            )

        return self.until(there)

    @property
    def state(self):
        """Id of the driver's lifecycle state."""
        return self.driver._state_machine.current_state[0]

    def close(self):
        self.driver.close()
        for node in (self.driver, self.operator):
            node.destroy_node()


@pytest.fixture
def make_stage(ros, config_for, emulator, monkeypatch):
    # Most tests wait for the first diagnostics, and then for the next.
    monkeypatch.setattr('xarm_planar_driver.node.DIAGNOSE_PERIOD', 0.1)
    made = []

    def make(**settings):
        made.append(Stage(ros, config_for, emulator, **settings))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def stage(make_stage):
    return make_stage()


def test_publishes_what_it_measures_and_commands(stage):
    assert stage.ready()
    assert stage.until(lambda: stage.operator.counts.get(topics.JOINT_STATES, 0) > 50)
    operator = stage.operator
    joints = operator.newest[topics.JOINT_STATES]
    assert tuple(joints.name) == xarm6.JOINT_NAMES
    assert list(joints.position) == pytest.approx(list(xarm6.HOME_Q), abs=1e-4)
    assert len(joints.velocity) == 6
    for name in (topics.TCP_POSE, topics.TCP_SETPOINT):
        message = operator.newest[name]
        assert message.header.frame_id == topics.LINK_BASE
        assert message.pose.position.z == pytest.approx(DEFAULT_WORKSPACE.tool_height, abs=1e-4)
        assert abs(message.pose.orientation.x) == pytest.approx(1.0, abs=1e-6)
        age = operator.get_clock().now().nanoseconds - (
            message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        )
        assert -(10**9) < age < 10 * 10**9


def test_the_setpoint_moves_by_the_sum_and_the_arm_follows(stage):
    assert stage.ready()
    for _ in range(4):
        stage.operator.move(0.01, -0.005)
        stage.until(lambda: False, timeout=0.1)
    assert stage.at(0.04, -0.02)


def test_the_policy_is_ignored_while_teleop_is_fresh(make_stage):
    stage = make_stage(teleop_hold=10.0)
    assert stage.ready()
    stage.operator.move(0.01, 0.0)
    assert stage.until(lambda: stage.operator.point(topics.TCP_SETPOINT)[0] > 1e-3)
    stage.operator.move(0.0, 0.03, topics.POLICY_DELTA)
    assert stage.until(
        lambda: stage.operator.diagnosis[2].get('ignored_policy_while_teleop') == '1'
    )
    assert stage.at(0.01, 0.0)


def test_the_policy_moves_the_arm_when_nobody_steers(stage):
    assert stage.ready()
    stage.operator.move(0.0, 0.03, topics.POLICY_DELTA)
    assert stage.at(0.0, 0.03)


def test_a_delta_that_is_not_a_number_is_refused_and_counted(stage):
    assert stage.ready()
    stage.operator.move(math.nan, 0.0)
    assert stage.until(lambda: stage.operator.diagnosis[2].get('gate_command_not_finite') == '1')
    stage.operator.move(0.01, 0.0)
    assert stage.at(0.01, 0.0)


def test_stop_latches_and_reset_rearms(stage):
    assert stage.ready()
    assert stage.call(topics.ARM_STOP).success
    assert stage.until(lambda: stage.diagnosed('arm/stop was called'))
    assert stage.operator.diagnosis[0] == DiagnosticStatus.ERROR
    refused = stage.call(topics.ARM_ENABLE, SetBool, data=True)
    assert not refused.success
    assert 'arm/reset' in refused.message
    refused = stage.call(topics.ARM_HOME)
    assert not refused.success
    assert 'arm/reset' in refused.message
    assert stage.call(topics.ARM_RESET).success
    assert stage.until(lambda: stage.in_phase('active'))
    stage.operator.move(0.02, 0.0)
    assert stage.at(0.02, 0.0, within=1e-3)


def test_home_answers_when_the_arm_is_there(stage):
    assert stage.ready()
    stage.operator.move(0.05, 0.02)
    assert stage.at(0.05, 0.02)
    assert stage.call(topics.ARM_HOME).success
    assert math.dist(stage.operator.point(topics.TCP_POSE), (0.0, 0.0)) < 5e-3
    assert stage.at(0.0, 0.0)


def test_enable_off_and_on(stage):
    assert stage.ready()
    assert stage.call(topics.ARM_ENABLE, SetBool, data=False).success
    assert stage.until(lambda: stage.diagnosed('idle'))
    refused = stage.call(topics.ARM_HOME)
    assert not refused.success
    assert 'arm/enable' in refused.message
    assert stage.call(topics.ARM_ENABLE, SetBool, data=True).success
    assert stage.until(lambda: stage.in_phase('active'))


def test_a_controller_fault_is_an_error_in_diagnostics(stage, emulator):
    assert stage.ready()
    emulator.state.fault(31)
    assert stage.until(lambda: stage.diagnosed('C31'))
    assert stage.operator.diagnosis[0] == DiagnosticStatus.ERROR


def test_an_arm_that_goes_away_ends_the_node(stage, emulator):
    assert stage.ready()
    assert stage.driver.exit_code is None
    emulator.stop()
    assert stage.until(lambda: stage.driver.exit_code == 1)


def test_lifecycle_without_autostart(make_stage, emulator):
    stage = make_stage(autostart=False)
    node = stage.driver
    assert stage.until(lambda: stage.diagnosed('not connected'))
    assert not stage.call(topics.ARM_STOP).success
    node.trigger_configure()
    assert stage.until(lambda: topics.JOINT_STATES in stage.operator.newest)
    assert topics.TCP_SETPOINT not in stage.operator.newest
    node.trigger_activate()
    assert emulator.state.snapshot().mode == SERVO_MODE  # enabled already, and on its way
    assert stage.ready()
    node.trigger_deactivate()
    assert stage.until(lambda: stage.diagnosed('idle'))
    node.trigger_cleanup()
    assert stage.state == State.PRIMARY_STATE_UNCONFIGURED
    assert emulator.state.snapshot().state == 4
    node.close()
    assert stage.state == State.PRIMARY_STATE_FINALIZED


@pytest.fixture
def e_stop(emulator, monkeypatch):
    """The button on the control box: while it is pressed, no client can clear the error."""

    class EmergencyStop:
        def press(self):
            self._clean, emulator.state.clean_error = emulator.state.clean_error, lambda: None
            emulator.state.fault(1)

        def release(self):
            emulator.state.clean_error = self._clean

    return EmergencyStop()


def test_an_arm_that_cannot_be_enabled_is_not_active(make_stage, e_stop):
    stage = make_stage(autostart=False)
    assert stage.driver.trigger_configure() == TransitionCallbackReturn.SUCCESS
    e_stop.press()
    assert stage.driver.trigger_activate() == TransitionCallbackReturn.FAILURE
    assert stage.state == State.PRIMARY_STATE_INACTIVE
    assert stage.until(lambda: stage.diagnosed('C1'))


def test_a_driver_that_starts_by_itself_waits_for_the_emergency_stop(
    make_stage, emulator, e_stop, caplog
):
    e_stop.press()
    stage = make_stage()
    assert stage.until(lambda: stage.diagnosed('C1'))
    assert stage.until(lambda: topics.JOINT_STATES in stage.operator.newest)
    level, message, values = stage.operator.diagnosis
    assert level == DiagnosticStatus.ERROR
    assert message.endswith('pushed in to stop; call arm/reset')
    assert values['phase'] == 'stopped'
    refused = stage.call(topics.ARM_RESET)
    assert not refused.success
    assert 'C1' in refused.message
    assert stage.driver.exit_code is None
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == 'ERROR']
    assert said.endswith('pushed in to stop; once it may move again, call arm/reset')
    e_stop.release()
    assert emulator.state.snapshot().error  # released, it still waits for a person
    assert stage.call(topics.ARM_RESET).success
    assert stage.until(lambda: stage.in_phase('active'))
    assert stage.call(topics.ARM_HOME).success
    stage.operator.move(0.02, 0.0)
    assert stage.at(0.02, 0.0, within=1e-3)


def test_an_inactive_driver_does_nothing_but_stop(make_stage, emulator):
    stage = make_stage(autostart=False)
    stage.driver.trigger_configure()
    assert refuses_to_move(stage)
    assert stage.call(topics.ARM_ENABLE, SetBool, data=False).success
    assert stage.call(topics.ARM_STOP).success
    assert stage.until(lambda: stage.in_phase('stopped'))
    assert refuses_to_move(stage)
    # Activating does not undo the stop: it lets a person do so.
    assert stage.driver.trigger_activate() == TransitionCallbackReturn.SUCCESS
    assert emulator.state.snapshot().enabled == 0
    assert stage.call(topics.ARM_RESET).success
    assert stage.until(lambda: stage.in_phase('active'))
    stage.driver.trigger_deactivate()
    assert refuses_to_move(stage)
    assert emulator.state.snapshot().state == 4


def refuses_to_move(stage):
    answers = [
        stage.call(topics.ARM_ENABLE, SetBool, data=True),
        stage.call(topics.ARM_RESET),
        stage.call(topics.ARM_HOME),
    ]
    said = {(answer.success, answer.message) for answer in answers}
    return said == {(False, 'not active: activate the driver first')}


def test_a_stop_that_is_not_taken_in_time_leaves_it_active(stage, monkeypatch, capfd):
    assert stage.ready()
    monkeypatch.setattr('xarm_planar_driver.node.DISABLE_TIMEOUT', 0.0)
    monkeypatch.setattr(stage.driver._driver, 'request', lambda _: Future())
    assert stage.driver.trigger_deactivate() == TransitionCallbackReturn.FAILURE
    assert stage.state == State.PRIMARY_STATE_ACTIVE
    assert 'no stop within 0 s' in capfd.readouterr().err


def test_what_a_transition_raises_is_logged_and_releases_the_arm(
    stage, emulator, monkeypatch, capfd
):
    def disable(_):
        raise ZeroDivisionError

    assert stage.ready()
    monkeypatch.setattr(stage.driver._driver, 'request', disable)
    assert stage.driver.trigger_deactivate() == TransitionCallbackReturn.ERROR
    assert 'ZeroDivisionError' in capfd.readouterr().err
    assert stage.state == State.PRIMARY_STATE_UNCONFIGURED
    assert emulator.state.snapshot().state == 4


def test_closing_goes_through_the_lifecycle(stage, emulator):
    assert stage.ready()
    stage.driver.close()
    assert stage.state == State.PRIMARY_STATE_FINALIZED
    assert emulator.state.snapshot().state == 4


def test_a_bug_in_the_servo_thread_ends_the_node_with_code_2(stage, monkeypatch):
    def tick(*_):
        raise ZeroDivisionError

    assert stage.ready()
    monkeypatch.setattr(stage.driver._driver._motion, 'tick', tick)
    assert stage.until(lambda: stage.driver.exit_code is not None)
    assert stage.driver.exit_code == 2


def test_a_change_of_phase_is_told_at_once_but_not_by_the_servo_thread(make_stage, monkeypatch):
    monkeypatch.setattr('xarm_planar_driver.node.DIAGNOSE_PERIOD', 1e3)
    threads = []
    publish = Diagnostics.publish

    def note(*arguments, **options):
        threads.append(threading.current_thread())
        publish(*arguments, **options)

    monkeypatch.setattr(Diagnostics, 'publish', note)
    stage = make_stage(autostart=False)
    stage.driver.trigger_configure()
    stage.driver.trigger_activate()
    assert stage.until(lambda: bool(threads))
    assert set(threads) == {threading.main_thread()}


def test_no_arm_is_one_error(make_stage, emulator):
    emulator.stop()
    stage = make_stage()
    with pytest.raises(IbcError, match='connection refused'):
        stage.ready()


@pytest.mark.system
@pytest.mark.parametrize(
    ('arguments', 'line'),
    [
        (
            ['-p', 'robot_ip:=127.0.0.1', '-p', 'control_port:=1', '-p', 'connect_wait:=0.0'],
            'no xArm',
        ),
        ([], "parameter 'robot_ip'"),
        (['-p', 'robot_ip:=127.0.0.1', '-p', 'rate_hz:=7.0'], 'rate_hz'),
    ],
)
def test_the_command_fails_with_one_line(ros, arguments, line):
    command = [sys.executable, '-m', 'xarm_planar_driver.node', '--ros-args', *arguments]
    done = subprocess.run(command, env=ros.env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    errors = [text for text in done.stderr.splitlines() if text.startswith('error:')]
    assert len(errors) == 1
    assert line in errors[0]
    assert 'Traceback' not in done.stderr


@pytest.mark.system
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('listens', [False, True], ids=['refused', 'mute'])
def test_one_signal_ends_the_wait_for_an_arm(ros, number, listens):
    with socket.create_server(('127.0.0.1', 0)) as mute:
        port = mute.getsockname()[1]
        if not listens:
            mute.close()
        settings = ('robot_ip:=127.0.0.1', f'control_port:={port}', 'connect_wait:=120.0')
        command = [sys.executable, '-m', 'xarm_planar_driver.node', '--ros-args']
        for setting in settings:
            command += ['-p', setting]
        running = subprocess.Popen(command, env=ros.env, stderr=subprocess.PIPE, text=True)
        assert running.stderr is not None
        waiting = running.stderr.readline()
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert 'trying for 120 s' in waiting
    assert running.returncode == 0
    assert said == ''
