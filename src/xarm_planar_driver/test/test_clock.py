"""The clock is set while the tool is led: a row of docs/reliability.md.

ROS time of driver and operator is stepped through /clock, which both read in place of the system's,
as all programs of a machine see its clock set. Servo ticks are counted on the monotonic clock.
"""

import threading
import time

import pytest
from geometry_msgs.msg import Vector3, Vector3Stamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header

from driver_bench import TOP_SPEED
from ibc_contract import topics
from ibc_contract.pacing import ticks


class RosClock:
    """Publishes the system's time plus `set_by_s` as ROS time."""

    def __init__(self, context) -> None:
        self.set_by_s = 0.0
        self._node = Node('clock', context=context)
        self._publisher = self._node.create_publisher(Clock, '/clock', 10)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        for _ in ticks(0.005, self._stop):
            now_ns = time.time_ns() + round(self.set_by_s * 1e9)
            message = Clock()
            message.clock.sec, message.clock.nanosec = divmod(now_ns, 10**9)
            self._publisher.publish(message)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._node.destroy_node()


@pytest.fixture
def make_clock():
    made = []

    def make(context):
        made.append(RosClock(context))
        return made[-1]

    yield make
    for clock in made:
        clock.close()


def refused(stage) -> int:
    return int(stage.operator.diagnosis[2].get('gate_command_stale', 0))


def test_the_clock_is_set_while_the_tool_is_led(benches, make_clock):
    bench = benches()
    clock, stage = make_clock(bench.ros.context), bench.start()
    for node in (stage.driver, stage.operator):
        node.set_parameters([Parameter('use_sim_time', value=True)])
    assert stage.ready()
    assert bench.goes_on()
    for number, set_by_s in enumerate((3600.0, -3600.0), 1):
        before, begin = stage.operator.get_clock().now().to_msg(), time.monotonic()
        clock.set_by_s += set_by_s
        bench.lead(0.5)
        on_its_way = Vector3Stamped(header=Header(stamp=before), vector=Vector3(x=0.05))
        stage.operator._commands[topics.TELEOP_DELTA].publish(on_its_way)
        assert stage.until(lambda number=number: refused(stage) >= number)
        assert bench.travel(begin)[1] <= TOP_SPEED
        assert bench.goes_on()
