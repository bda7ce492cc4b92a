"""Send one camera-sized image between two participants: does ROS 2 work on this machine?"""

import array
import sys
import time

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image

from ibc_contract.ros import newest

TOPIC = 'doctor/image'
TIMEOUT_S = 10.0
SIZE = 640 * 360 * 3


def main() -> None:
    """Exit 0 and print the round trip's figures, or exit 1 and say what was not received."""
    contexts = [Context(), Context()]
    for context in contexts:
        rclpy.init(context=context)
    sender = Node('doctor_sender', context=contexts[0])
    receiver = Node('doctor_receiver', context=contexts[1])
    publisher = sender.create_publisher(Image, TOPIC, newest())
    received: list[Image] = []
    receiver.create_subscription(Image, TOPIC, received.append, newest())
    executor = SingleThreadedExecutor(context=contexts[1])
    executor.add_node(receiver)
    message = Image(width=640, height=360, encoding='rgb8', step=640 * 3)
    message.data = array.array('B', bytes(SIZE))
    begin = time.monotonic()
    while not received and time.monotonic() - begin < TIMEOUT_S:
        if publisher.get_subscription_count():
            publisher.publish(message)
        executor.spin_once(timeout_sec=0.1)
    spent = time.monotonic() - begin
    executor.shutdown()
    for node, context in zip((sender, receiver), contexts, strict=True):
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    if not received:
        sys.stderr.write(f'no image arrived within {TIMEOUT_S:.0f} s\n')
        sys.exit(1)
    sys.stdout.write(f'a 640x360 image arrived {spent:.2f} s after start\n')


if __name__ == '__main__':
    main()
