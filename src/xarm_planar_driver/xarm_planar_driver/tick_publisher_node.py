"""What a servo tick measured and commanded, as topics."""

from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rclpy.time import Time
from sensor_msgs.msg import JointState

import planar_arm.xarm6 as xarm6
from ibc_contract import topics
from ibc_contract.ros import newest
from xarm_planar_driver.servo_loop import TickReport


class TickPublisher:
    """Makes its messages once: the servo thread only fills in numbers."""

    def __init__(self, node: Node) -> None:
        """Create the publishers on `node`."""
        self._joint_states = JointState(name=list(xarm6.JOINT_NAMES))
        self._tcp_pose = PoseStamped()
        self._tcp_setpoint = PoseStamped()
        for message in (self._joint_states, self._tcp_pose, self._tcp_setpoint):
            message.header.frame_id = topics.LINK_BASE
        _fill_orientation(self._tcp_setpoint, xarm6.TOOL_DOWN_XYZW)
        self._joints = node.create_publisher(JointState, topics.JOINT_STATES, newest(10))
        self._poses = node.create_publisher(PoseStamped, topics.TCP_POSE, newest(10))
        self._setpoints = node.create_publisher(PoseStamped, topics.TCP_SETPOINT, newest(10))

    def publish(self, report: TickReport) -> None:
        """Publish one tick. From one thread at a time."""
        measured = Time(nanoseconds=report.measured_ns).to_msg()
        self._joint_states.header.stamp = measured
        self._joint_states.position = report.q
        self._joint_states.velocity = report.velocities
        self._joints.publish(self._joint_states)
        self._tcp_pose.header.stamp = measured
        point = self._tcp_pose.pose.position
        point.x, point.y, point.z = map(float, report.tcp.position)
        _fill_orientation(self._tcp_pose, report.tcp.quaternion)
        self._poses.publish(self._tcp_pose)
        if report.setpoint_xy is not None:
            self._tcp_setpoint.header.stamp = Time(nanoseconds=report.stamp_ns).to_msg()
            goal = self._tcp_setpoint.pose.position
            goal.x, goal.y, goal.z = *map(float, report.setpoint_xy), report.tool_height
            self._setpoints.publish(self._tcp_setpoint)


def _fill_orientation(message: PoseStamped, xyzw: Any) -> None:
    turn = message.pose.orientation
    turn.x, turn.y, turn.z, turn.w = map(float, xyzw)
