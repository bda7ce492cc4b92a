"""The node from its start to its end: lifecycle, autostart, no arm, signals."""

import signal
import socket
import subprocess
import sys
from concurrent.futures import Future

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State
from rclpy.lifecycle import TransitionCallbackReturn

from ibc_contract import topics
from ibc_contract.errors import IbcError
from waiting import wait_for
from xarm_planar_driver.arm import SERVO_MODE


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


def test_a_driver_whose_arm_cannot_be_enabled_is_active_and_stopped(make_stage, emulator):
    stage = make_stage(autostart=False)
    assert stage.driver.trigger_configure() == TransitionCallbackReturn.SUCCESS
    emulator.state.press_emergency_stop()
    assert stage.driver.trigger_activate() == TransitionCallbackReturn.SUCCESS
    assert stage.state == State.PRIMARY_STATE_ACTIVE
    assert stage.until(lambda: stage.diagnosed('C1'))
    assert emulator.state.snapshot().enabled == 0
    emulator.state.release_emergency_stop()
    assert stage.call(topics.ARM_RESET).success


def test_a_driver_that_starts_by_itself_waits_for_the_emergency_stop(make_stage, emulator, caplog):
    emulator.state.press_emergency_stop()
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
    emulator.state.release_emergency_stop()
    assert emulator.state.snapshot().error  # released, it still waits for a person
    assert stage.call(topics.ARM_RESET).success
    assert stage.until(lambda: stage.in_phase('active'))
    assert stage.call(topics.ARM_HOME).success
    stage.operator.move(0.02, 0.0)
    assert stage.at(0.02, 0.0, within=1e-3)


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
            ['-p', 'robot_ip:=127.0.0.1', '-p', 'control_port:=1', '-p', 'connect_wait:=0.5'],
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
    assert 'Exception ignored' not in done.stderr


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
        assert any('trying for 120 s' in line for line in running.stderr)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 0
    assert said == ''


@pytest.mark.system
def test_a_closed_terminal_stops_an_arm_that_was_enabled(ros, emulator):
    report_port_base = emulator.report_ports['normal'] - 1
    command = [sys.executable, '-m', 'xarm_planar_driver.node', '--ros-args']
    for setting in (
        'robot_ip:=127.0.0.1',
        f'control_port:={emulator.port}',
        f'report_port_base:={report_port_base}',
        'table_file:=twin',
    ):
        command += ['-p', setting]
    running = subprocess.Popen(command, env=ros.env)
    try:
        assert wait_for(lambda: emulator.state.snapshot().mode == SERVO_MODE, 60.0)
        running.send_signal(signal.SIGHUP)
        assert running.wait(60) == 0
        assert emulator.state.snapshot().state == 4
    finally:
        running.kill()
        running.wait()
