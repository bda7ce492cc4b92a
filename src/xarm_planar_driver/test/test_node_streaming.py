"""Commands in, measurements and diagnostics out, and what ends that."""

import math
import threading

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from ibc_contract import topics
from ibc_contract.ros import Diagnostics
from planar_arm import xarm6
from planar_arm.workspace import DEFAULT_WORKSPACE


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


def test_a_controller_fault_is_an_error_in_diagnostics(stage, emulator):
    assert stage.ready()
    emulator.state.fault(31)
    assert stage.until(lambda: stage.diagnosed('C31'))
    assert stage.operator.diagnosis[0] == DiagnosticStatus.ERROR


def test_an_arm_that_goes_away_is_waited_for(stage, emulator):
    assert stage.ready()
    emulator.stop()
    assert stage.until(lambda: stage.diagnosed('trying to connect again'))
    assert stage.operator.diagnosis[0] == DiagnosticStatus.ERROR
    assert stage.driver.exit_code is None


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
