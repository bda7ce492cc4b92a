"""What the node answers to stop, reset, home and enable."""

import math

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import TransitionCallbackReturn
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool

from ibc_contract import topics
from ibc_contract.ros import latched, newest


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


def test_a_stop_is_told_at_once_and_bars_the_policy_until_it_is_enabled_anew(stage):
    states: list[str] = []
    stage.operator.create_subscription(
        String, topics.ARM_STATE, lambda message: states.append(message.data), latched(depth=10)
    )
    enabled = stage.operator.create_publisher(Bool, topics.POLICY_ENABLED, newest(10))
    assert stage.ready()
    assert stage.until(lambda: states[-1:] == ['active'] and enabled.get_subscription_count() > 0)
    assert stage.call(topics.ARM_STOP).success
    assert stage.call(topics.ARM_RESET).success
    assert stage.until(lambda: states[-2:] == ['stopped', 'active'])

    def acts():
        stage.operator.move(0.002, 0.0, topics.POLICY_DELTA)
        return stage.diagnosed('commands refused: the arm was stopped')

    assert stage.until(acts)
    enabled.publish(Bool(data=True))

    def moves():
        stage.operator.move(0.002, 0.0, topics.POLICY_DELTA)
        return stage.operator.point(topics.TCP_SETPOINT)[0] > 0.01

    assert stage.until(moves)


def test_home_answers_when_the_arm_is_there(stage):
    assert stage.ready()
    stage.operator.move(0.05, 0.02)
    assert stage.at(0.05, 0.02)
    assert stage.call(topics.ARM_HOME).success
    assert math.dist(stage.operator.point(topics.TCP_POSE), (0.0, 0.0)) < 1e-2  # it lags
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
