"""Node `bringup`: configures and activates the lifecycle nodes of a stack in order, then ends."""

import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import pydantic
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.srv import ChangeState
from pydantic import Field
from rclpy.client import Client
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from ibc_bringup.bring_up import Transition, bring_up
from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.ros import ACQUAINTANCE_S, Diagnostics, declare_config, newest, status_name
from ibc_contract.runner import run

POLL_S = 0.05
REASON_S = 3.0
"""How long the reason for a refusal may be on its way: nodes tell it at once, and every second."""


@pydantic.dataclasses.dataclass(frozen=True)
class BringUpConfig:
    """What is brought up."""

    nodes: Annotated[
        str, Field(description='lifecycle nodes in the order of activation, with blanks between')
    ] = ''
    pictures: Annotated[
        str,
        Field(description='topics that must show a picture before any node is activated, likewise'),
    ] = ''
    patience: Annotated[
        float,
        Field(
            ge=1,
            le=3600,
            description='for a node to appear, a transition, the first picture, each [s]',
        ),
    ] = 120.0


class BringUpNode(Node):
    """Asks the nodes from a thread; the executor receives their answers and what troubles them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('bringup', **kwargs)
        self.exit_code: int | None = None
        config = declare_config(self, BringUpConfig)
        self._nodes, self._pictures = config.nodes.split(), config.pictures.split()
        self._patience = config.patience
        self._asked: dict[str, Client] = {
            node: self.create_client(ChangeState, f'{node}/change_state') for node in self._nodes
        }
        self._troubles: dict[str, str] = {}
        self._seen: set[str] = set()
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._listen, newest(100))
        for topic in self._pictures:
            self.create_subscription(CompressedImage, topic, self._watcher(topic), newest())
        self._doing, self._begin = 'waiting for the nodes', time.monotonic()
        self._diagnostics = Diagnostics(self, 'stack')
        self.create_timer(1.0, self._diagnose, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name='bring up', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop asking."""
        self._stop.set()
        self._thread.join(timeout=3.0)

    def change(self, nodes: Sequence[str], transition: Transition) -> None:
        """Have `nodes` make a transition. In the thread; IbcError if one does not."""
        name = transition.name.lower()
        self._doing = f'{name}: {", ".join(nodes)}'
        self._troubles.clear()
        request = ChangeState.Request()
        request.transition.id = int(transition)
        answers = {node: self._asked[node].call_async(request) for node in nodes}
        for node, answer in answers.items():
            if not self._wait(answer.done):
                raise IbcError(f'{node} did not {name} within {self._patience:.0f} s')
            if not answer.result().success:  # type: ignore[union-attr]
                self._wait(lambda node=node: bool(self._trouble(node)), REASON_S)
                raise IbcError(f'{node} does not {name}: {self._trouble(node) or "see its log"}')
            self.get_logger().info(f'{node}: {name}d')

    def see(self, topic: str) -> None:
        """Wait for a picture. In the thread; IbcError if there is none."""
        self._doing = f'waiting for a picture on {topic}'
        if topic not in self._seen:
            self.get_logger().info(self._doing)
        if not self._wait(lambda: topic in self._seen):
            whose = [info.node_name for info in self.get_publishers_info_by_topic(topic)]
            who = whose[0] if whose else 'nobody'
            why = self._trouble(who) or 'see its log'
            raise IbcError(f'{who} shows nothing on {topic} within {self._patience:.0f} s: {why}')

    def _work(self) -> None:
        try:
            self._meet()
            bring_up(self._nodes, self._pictures, self)
            self.exit_code = 0
        except IbcError as error:
            if not self._stop.is_set():
                self.get_logger().error(str(error))
            self.exit_code = 1
        except Exception:
            if not self._stop.is_set():
                self.get_logger().error(traceback.format_exc())
            self.exit_code = 2

    def _meet(self) -> None:
        for node, client in self._asked.items():
            if not self._wait(client.service_is_ready):
                raise IbcError(f'{node} did not appear within {self._patience:.0f} s')
        self._stop.wait(ACQUAINTANCE_S)

    def _wait(self, predicate: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until `predicate()` is true; tell whether it is. IbcError once the node closes."""
        deadline = time.monotonic() + (self._patience if seconds is None else seconds)
        while not predicate() and time.monotonic() < deadline:
            if self._stop.wait(POLL_S):
                raise IbcError('interrupted')
        return predicate()

    def _trouble(self, node: str) -> str:
        """What its diagnostics say is wrong; empty if nothing."""
        begin = status_name(self, '', node)
        troubles = list(self._troubles.items())
        return next((said for name, said in troubles if name.startswith(begin)), '')

    def _listen(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.level == DiagnosticStatus.ERROR:
                self._troubles[status.name] = status.message

    def _watcher(self, topic: str) -> Callable[[CompressedImage], None]:
        return lambda _: self._seen.add(topic)

    def _diagnose(self) -> None:
        values = {
            'seconds': f'{time.monotonic() - self._begin:.0f}',
            'patience [s]': f'{self._patience:.0f}',
        }
        self._diagnostics.publish(DiagnosticStatus.OK, self._doing, values)


def main(args: list[str] | None = None) -> None:
    """Run the node as a process."""
    sys.exit(run(BringUpNode, args, (BringUpConfig,)))


if __name__ == '__main__':
    main()
