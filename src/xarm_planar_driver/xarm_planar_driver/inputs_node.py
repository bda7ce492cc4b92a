"""What the driver listens to: moves of the setpoint, and whether the policy is wanted."""

from collections.abc import Callable

import numpy as np
from geometry_msgs.msg import Vector3Stamped
from rclpy.node import Node
from std_msgs.msg import Bool

from ibc_contract import topics
from ibc_contract.ros import newest, to_ns
from xarm_planar_driver.arbitration import Command, Source
from xarm_planar_driver.driver import PlanarDriver


class Inputs:
    """Hands on what comes while there is a driver."""

    def __init__(self, node: Node, driver: Callable[[], PlanarDriver | None]) -> None:
        """Subscribe on `node`; `driver` returns who is to hear of it."""
        self._driver = driver
        for topic, source in (
            (topics.TELEOP_DELTA, Source.TELEOP),
            (topics.POLICY_DELTA, Source.POLICY),
        ):
            node.create_subscription(Vector3Stamped, topic, self._receiver(source), newest(10))
        node.create_subscription(Bool, topics.POLICY_ENABLED, self._on_policy_enabled, newest(10))

    def _receiver(self, source: Source) -> Callable[[Vector3Stamped], None]:
        def receive(message: Vector3Stamped) -> None:
            driver = self._driver()
            if driver is not None:
                delta = np.array((message.vector.x, message.vector.y))
                driver.submit(Command(source, delta, to_ns(message.header.stamp)))

        return receive

    def _on_policy_enabled(self, message: Bool) -> None:
        driver = self._driver()
        if driver is not None:
            driver.policy_switched(message.data)
