"""A process that sends commands as the policy node or the mouse does: TOPIC RATE_HZ X [BAD].

SIGUSR1 makes it stall for a second. After a pause it sends at once what it has missed, with the
stamps of when that was due: worse than either does. Each second it turns round. BAD: what x is
instead in every second half of a second.
"""

import signal
import sys
import time

import rclpy
from geometry_msgs.msg import Vector3Stamped
from rclpy.time import Time

from ibc_contract.ros import newest


def main() -> None:
    topic, rate, x, *bad = sys.argv[1], *map(float, sys.argv[2:])
    rclpy.init()
    signal.signal(signal.SIGUSR1, lambda *_: time.sleep(1.0))
    node = rclpy.create_node('commands')
    publisher = node.create_publisher(Vector3Stamped, topic, newest(10))
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    begin, sent = time.time(), 0
    while True:
        due = begin + sent / rate
        time.sleep(max(0.0, due - time.time()))
        message = Vector3Stamped()
        message.header.stamp = Time(nanoseconds=int(due * 1e9)).to_msg()
        second, share = divmod(sent / rate, 1.0)
        message.vector.x = bad[0] if bad and share >= 0.5 else x if second % 2 == 0 else -x
        publisher.publish(message)
        sent += 1


if __name__ == '__main__':
    main()
