"""The rclpy side of receiving: raw messages of every episode topic, fetched in batches."""

import importlib
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from ibc_contract import topics
from ibc_contract.pacing import ticks
from ibc_contract.ros import newest

PERIOD_S = 0.02
IMAGE_DEPTH = 60
"""Two seconds of frames wait in the middleware."""
DEPTH = 300
"""Three seconds of driver ticks."""

Receive = Callable[[str, int, bytes, int | None, int | None], None]
"""Takes topic, receive time [ns], CDR bytes, send time [ns], sequence number."""


class _Unscheduled(CallbackGroup):
    """Keeps its entities out of every executor."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        pass


class RawIntake:
    """Subscribes to every episode topic as raw bytes and fetches what came in at 50 Hz.

    An rclpy executor builds a wait set per message: 400 messages a second cost a fifth of a core.
    Fetching them in batches costs a small part of that, and loses nothing, not even the time of
    receipt, because the middleware keeps both.
    """

    def __init__(self, node: Node, receive: Receive, lock: threading.RLock) -> None:
        """Call `receive` for each message with `lock` held, in a thread that `close` ends."""
        self._node = node
        self._receive = receive
        self._lock = lock
        self._group = _Unscheduled()
        self._subscriptions: dict[str, Subscription] = {}
        self._publishers: dict[str, int] = {}
        self._stop = threading.Event()
        self.adapt()
        self._thread = threading.Thread(target=self._run, name='intake', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Fetch what has arrived and stop."""
        self._stop.set()
        self._thread.join(timeout=2.0)
        self.fetch()

    def adapt(self) -> None:
        """Subscribe as the publishers offer: a reliable subscriber never hears best effort."""
        with self._lock:
            for topic in topics.EPISODE_TOPICS:
                offers = [i.qos_profile for i in self._node.get_publishers_info_by_topic(topic)]
                self._publishers[topic] = len(offers)
                best_effort = any(o.reliability == ReliabilityPolicy.BEST_EFFORT for o in offers)
                qos = newest(IMAGE_DEPTH if topic == topics.CAMERA_COMPRESSED else DEPTH)
                if best_effort:
                    qos.reliability = ReliabilityPolicy.BEST_EFFORT
                known = self._subscriptions.get(topic)
                if known is None or known.qos_profile.reliability != qos.reliability:
                    if known is not None:
                        self._node.destroy_subscription(known)
                    self._subscriptions[topic] = self._subscribe(topic, qos)

    def fetch(self) -> None:
        """Hand over everything that has arrived."""
        with self._lock:
            for topic, subscription in self._subscriptions.items():
                with subscription.handle:
                    while taken := subscription.handle.take_message(subscription.msg_type, True):
                        self._hand_over(topic, *taken)

    def _hand_over(self, topic: str, data: bytes, info: dict[str, Any]) -> None:
        received_ns = info['received_timestamp'] or time.time_ns()
        # Two publishers on one topic number their messages independently.
        single = self._publishers[topic] == 1
        sequence = info['publication_sequence_number'] if single else None
        self._receive(topic, received_ns, data, info['source_timestamp'] or None, sequence)

    def _subscribe(self, topic: str, qos: QoSProfile) -> Subscription:
        package, _, name = topics.EPISODE_TOPICS[topic].split('/')
        message_type = getattr(importlib.import_module(f'{package}.msg'), name)
        return self._node.create_subscription(
            message_type, topic, _never_called, qos, raw=True, callback_group=self._group
        )

    def _run(self) -> None:
        try:
            for _ in ticks(PERIOD_S, self._stop):
                self.fetch()
        except Exception:
            self._node.get_logger().fatal(traceback.format_exc())
            self._node.exit_code = 2  # type: ignore[attr-defined]


def _never_called(message: Any) -> None:
    """Stand in for a callback: no executor sees the subscription."""
