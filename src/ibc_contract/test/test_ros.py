"""Parameters from dataclasses, QoS and diagnostics, on a real rclpy graph."""

from typing import Annotated

import pydantic
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from pydantic import Field
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.ros import (
    Diagnostics,
    declare_config,
    latched,
    newest,
    read_config,
    status_name,
    to_ns,
)


@pydantic.dataclasses.dataclass(frozen=True)
class ArmConfig:
    """One field of each kind."""

    robot_ip: Annotated[str, Field(min_length=1, description='address of the controller')]
    speed: Annotated[float, Field(ge=0.01, le=0.25, description='speed [m/s]')] = 0.1
    joints: Annotated[int, Field(ge=1, le=7, description='number of joints')] = 6
    autostart: bool = True


def node_with(ros, **overrides) -> Node:
    parameters = [Parameter(name, value=value) for name, value in overrides.items()]
    return Node('arm', context=ros.context, parameter_overrides=parameters)


def test_defaults_and_overrides(ros):
    node = node_with(ros, robot_ip='10.0.0.2', speed=0.2)
    config = declare_config(node, ArmConfig)
    assert config == ArmConfig(robot_ip='10.0.0.2', speed=0.2)
    descriptor = node.describe_parameter('speed')
    assert descriptor.description == 'speed [m/s]'
    assert descriptor.read_only
    assert descriptor.floating_point_range[0].to_value == 0.25
    assert node.describe_parameter('joints').integer_range[0].from_value == 1
    node.destroy_node()


def test_a_missing_parameter_is_named(ros, one_line):
    node = node_with(ros)
    with pytest.raises(IbcError, match=r"arm: parameter 'robot_ip'.*-p robot_ip:=VALUE") as caught:
        declare_config(node, ArmConfig)
    one_line(caught.value)
    node.destroy_node()


@pytest.mark.parametrize(
    ('name', 'value'), [('speed', 3.0), ('speed', 'fast'), ('joints', 0), ('robot_ip', '')]
)
def test_a_bad_value_is_named(ros, one_line, name, value):
    node = node_with(ros, **{'robot_ip': '10.0.0.2', name: value})
    with pytest.raises(IbcError, match=f"arm: parameter '{name}'") as caught:
        declare_config(node, ArmConfig)
    one_line(caught.value)
    node.destroy_node()


def test_an_integer_is_taken_for_a_number(ros):
    config_type = pydantic.dataclasses.dataclass(frozen=True)(
        type('Rate', (), {'__annotations__': {'rate_hz': float}, 'rate_hz': 5.0})
    )
    node = node_with(ros, rate_hz=25)
    assert declare_config(node, config_type).rate_hz == 25.0
    node.destroy_node()


def test_parameters_cannot_change_while_the_node_runs(ros):
    node = node_with(ros, robot_ip='10.0.0.2')
    declare_config(node, ArmConfig)
    (result,) = node.set_parameters([Parameter('speed', value=0.05)])
    assert not result.successful
    node.destroy_node()


def test_parameters_that_may_change_are_read_again(ros):
    node = node_with(ros, robot_ip='10.0.0.2')
    declare_config(node, ArmConfig, read_only=False)
    results = node.set_parameters([Parameter('speed', value=0.05), Parameter('joints', value=9)])
    assert [result.successful for result in results] == [True, False]
    assert read_config(node, ArmConfig) == ArmConfig(robot_ip='10.0.0.2', speed=0.05)
    node.destroy_node()


def test_what_only_the_dataclass_refuses_is_refused_when_it_is_set(ros):
    node = node_with(ros, robot_ip='10.0.0.2')
    declare_config(node, ArmConfig, read_only=False)
    (result,) = node.set_parameters([Parameter('robot_ip', value='')])
    assert not result.successful
    assert result.reason.startswith("arm: parameter 'robot_ip': String should have at least 1")
    assert read_config(node, ArmConfig).robot_ip == '10.0.0.2'
    node.declare_parameter('another', 1)
    (result,) = node.set_parameters([Parameter('another', value=2)])
    assert result.successful
    node.destroy_node()


def test_qos_is_reliable_everywhere():
    assert newest().depth == 1
    assert newest(30).depth == 30
    assert newest().reliability == latched().reliability == ReliabilityPolicy.RELIABLE
    assert latched().durability == DurabilityPolicy.TRANSIENT_LOCAL


def test_diagnostics_arrive_with_name_level_and_values(ros):
    node = node_with(ros)
    received = []
    node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, received.append, 10)
    diagnostics = Diagnostics(node, 'servo')

    def publish_until_heard() -> bool:
        diagnostics.publish(DiagnosticStatus.WARN, 'late', {'rate_hz': 99.5}, hardware_id='xArm6')
        return bool(received)

    assert ros.spin_until(publish_until_heard, node)
    array = received[0]
    (status,) = array.status
    assert (status.name, status.level, status.message) == ('arm: servo', b'\x01', 'late')
    assert status.hardware_id == 'xArm6'
    assert [(pair.key, pair.value) for pair in status.values] == [('rate_hz', '99.5')]
    assert to_ns(array.header.stamp) > 0
    node.destroy_node()


@pytest.mark.parametrize(('namespace', 'prefix'), [('', ''), ('left', 'left/'), ('/a/b', 'a/b/')])
def test_nodes_of_two_namespaces_are_told_apart_in_diagnostics(ros, namespace, prefix):
    node = Node('mouse', context=ros.context, namespace=namespace)
    received = []
    node.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, received.append, 10)
    diagnostics = Diagnostics(node, 'window')

    def publish_until_heard() -> bool:
        diagnostics.publish(DiagnosticStatus.OK, '', {})
        return bool(received)

    assert ros.spin_until(publish_until_heard, node)
    assert received[0].status[0].name == f'{prefix}mouse: window'
    assert status_name(node, 'arm', 'driver') == f'{prefix}driver: arm'
    node.destroy_node()
