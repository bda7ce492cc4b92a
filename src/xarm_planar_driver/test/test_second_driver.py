"""A twin beside a robot, or two of either, on one ROS graph: one driver alone acts."""

import pytest
from rclpy.node import Node
from sensor_msgs.msg import JointState

from ibc_contract import topics
from ibc_contract.errors import IbcError
from planar_arm import xarm6
from xarm_planar_driver.driver_status import Level
from xarm_twin.controller import EmulatedController, LagPlant


def test_the_second_is_refused_and_the_first_goes_on(make_stage):
    stage = make_stage()
    assert stage.ready()
    with EmulatedController(LagPlant(xarm6.HOME_Q)) as twin:
        second = make_stage(control_port=twin.port)
        with pytest.raises(IbcError, match=r'two drivers.*another ROS_DOMAIN_ID') as refused:
            second.until(lambda: False)
        assert '\n' not in str(refused.value)
        assert twin.state.snapshot().enabled == 0
    warned = bytes([Level.WARN])  # what the second one said of its end was an error
    assert stage.until(
        lambda: stage.diagnosed('two drivers') and stage.operator.diagnosis[0] == warned
    )

    def is_led():
        stage.operator.move(0.002, 0.0)
        return stage.operator.point(topics.TCP_SETPOINT)[0] > 0.02

    assert stage.until(is_led)


def test_one_that_says_nothing_any_more_is_not_waited_for(ros, make_stage):
    """As one that was killed: the graph lists it for a while."""
    silent = Node('silent', context=ros.context)
    publisher = silent.create_publisher(JointState, topics.JOINT_STATES, 1)
    stage = make_stage()
    assert stage.ready()
    assert stage.until(lambda: stage.diagnosed('two drivers'))
    silent.destroy_publisher(publisher)
    assert stage.until(lambda: not stage.diagnosed('two drivers'))
