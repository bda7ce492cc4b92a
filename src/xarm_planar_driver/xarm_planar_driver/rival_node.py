"""Another driver on the same topics, as of robot and twin: both would obey the same commands."""

import time

from rclpy.node import Node
from rclpy.wait_for_message import wait_for_message
from sensor_msgs.msg import JointState

from ibc_contract import topics
from ibc_contract.ros import newest

DISCOVERY_TIME = 0.3
"""How long after its creation a node knows its neighbours [s]."""
RIVAL_TIME = 0.5
"""Another driver that is connected publishes fifty times meanwhile [s]."""
SECOND_DRIVER = (
    f'another program publishes {topics.JOINT_STATES} here: two drivers, as of a robot and a twin, '
    'would obey the same commands; give one of them another ROS_DOMAIN_ID or namespace'
)


class Rival:
    """Whoever else publishes what only one driver may."""

    def __init__(self, node: Node) -> None:
        """Make it together with `node`, whose own publisher is not counted."""
        self._node = node
        self._created = time.monotonic()

    def is_known(self) -> bool:
        """Whether the graph has one, be it alive or not."""
        return self._node.count_publishers(topics.JOINT_STATES) > 1

    def is_heard(self) -> bool:
        """Whether one is alive: of one that was killed the graph knows for 20 s more.

        It waits until the node has had time to learn of its neighbours.
        """
        time.sleep(max(0.0, self._created + DISCOVERY_TIME - time.monotonic()))
        if not self.is_known():
            return False
        heard, _ = wait_for_message(
            JointState,
            self._node,
            topics.JOINT_STATES,
            qos_profile=newest(),
            time_to_wait=RIVAL_TIME,  # type: ignore[arg-type] # seconds, whole or not
        )
        return heard
