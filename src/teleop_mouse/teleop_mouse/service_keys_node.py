"""The services behind the keys, called without waiting, and what came of the last call."""

import time
from functools import partial
from typing import Any

from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger

from ibc_contract import topics
from teleop_mouse.keys import KEYS, QUIT, Key
from teleop_mouse.panel import Message

ANSWER_TIMEOUT_S = 15.0
"""A service that needs longer is taken for dead."""
WAY_HOME_TIMEOUT_S = 180.0
"""The same for the way home: at a tenth of the arm's speed that takes a minute."""
MESSAGE_S = 8.0
OFFERED_BY = {
    'arm': 'xarm_planar_driver',
    'policy': 'ibc_policy',
    'recorder': 'demo_recorder',
    'twin': 'xarm_twin',
}


class ServiceKeys:
    """Clients for every key; the newest outcome is shown for a few seconds."""

    def __init__(self, node: Node) -> None:
        """Create the clients on `node`; its executor delivers the answers."""
        self._callers = {
            key.action: node.create_client(Trigger if key.switch is None else SetBool, key.action)
            for key in KEYS
            if key.action != QUIT
        }
        self._logger = node.get_logger()
        self._message = Message()
        self._said_s = 0.0
        self._waiting_for: dict[str, float] = {}

    def offered(self) -> frozenset[str]:
        """Return the actions of the keys that can do something now."""
        ready = (action for action, c in self._callers.items() if c.service_is_ready())
        return frozenset((*ready, QUIT))

    def call(self, key: Key) -> None:
        """Call the service of `key`; the outcome becomes the message."""
        client = self._callers[key.action]
        if not client.service_is_ready():
            owner = OFFERED_BY[key.action.split('/')[0]]
            self._say(f'{key.action} is not offered: is {owner} running?', failed=True)
            return
        self._say(f'{key.action} ...')
        self._waiting_for[key.action] = time.monotonic()
        request = Trigger.Request() if key.switch is None else SetBool.Request(data=key.switch)
        client.call_async(request).add_done_callback(partial(self._answered, key.action))

    def message(self) -> Message:
        """Return what to show now."""
        now = time.monotonic()
        for action, asked_s in list(self._waiting_for.items()):
            is_way_home = action == topics.ARM_HOME
            patience_s = WAY_HOME_TIMEOUT_S if is_way_home else ANSWER_TIMEOUT_S
            if now - asked_s > patience_s:
                self._waiting_for.pop(action, None)
                self._say(f'{action}: no answer for {patience_s:.0f} s', failed=True)
        return self._message if now - self._said_s < MESSAGE_S else Message()

    def _answered(self, action: str, future: Any) -> None:
        self._waiting_for.pop(action, None)
        error = future.exception()
        if error is not None:
            self._say(f'{action}: {error}', failed=True)
            return
        answer: Trigger.Response | SetBool.Response = future.result()
        text = answer.message or ('done' if answer.success else 'refused')
        self._say(f'{action}: {text}', failed=not answer.success)

    def _say(self, text: str, failed: bool = False) -> None:
        self._message = Message(text, failed)
        self._said_s = time.monotonic()
        if failed:
            self._logger.warning(text)
