"""The driver's node against an emulated controller, and the operator who stands around it."""

import math

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from ibc_contract import topics
from ibc_contract.ros import newest
from planar_arm import xarm6
from waiting import PATIENCE_S
from xarm_planar_driver.config import DriverConfig
from xarm_planar_driver.node import XarmPlanarDriverNode
from xarm_twin.controller import EmulatedController

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
    """Driver node and operator, spun together; or an operator whose driver runs elsewhere."""

    def __init__(self, ros, emulator=None, **settings) -> None:
        self._ros = ros
        self.driver = None if emulator is None else make_driver(ros, emulator, **settings)
        self.operator = Operator(ros)

    @property
    def _nodes(self):
        return [node for node in (self.driver, self.operator) if node is not None]

    def until(self, predicate, timeout=PATIENCE_S):
        return self._ros.spin_until(predicate, *self._nodes, timeout=timeout)

    def call(self, name, kind=Trigger, **fields):
        client = self.operator.create_client(kind, name)
        assert self.until(client.service_is_ready)
        future = client.call_async(kind.Request(**fields))
        assert self.until(future.done)
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
        if self.driver is not None:
            self.driver.close()
        for node in self._nodes:
            node.destroy_node()


def make_driver(ros, emulator, **settings) -> XarmPlanarDriverNode:
    values = vars(config_for(emulator, **settings))
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return XarmPlanarDriverNode(context=ros.context, parameter_overrides=overrides)


def config_for(controller: EmulatedController, **settings) -> DriverConfig:
    values = {
        'robot_ip': controller.host,
        'control_port': controller.port,
        'report_port_base': controller.report_ports['normal'] - 1,
        'realtime_priority': 0,
        'connect_wait': 0.0,
        'home_joint_speed': 1.0,
        'table_file': 'twin',
        **settings,
    }
    return DriverConfig(**values)
