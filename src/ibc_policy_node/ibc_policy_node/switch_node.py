"""Whether the policy acts: as somebody asked, and until the arm is stopped."""

from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import Bool, String

from ibc_contract import topics
from ibc_contract.ros import latched, newest

OFF_BY_STOP = (
    f'only watching: the arm was stopped, and {topics.POLICY_ENABLE} (key P) lets the policy act '
    'again'
)
STILL_STOPPED = f'the arm is stopped: {topics.ARM_RESET} first (key C)'


class PolicySwitch:
    """Tells the driver of each request: after a stop it hears no policy that was enabled before."""

    def __init__(self, node: Node, on_stop: Callable[[], None]) -> None:
        """Listen on `node`; `on_stop` is called when a stop of the arm has switched it off."""
        self._on_stop = on_stop
        self._is_on = False
        self._arm_state = ''
        self.off_because = ''
        """Why nobody asked for it to be off; empty if somebody did, or while it is on."""
        self._requests = node.create_publisher(Bool, topics.POLICY_ENABLED, newest(10))
        node.create_subscription(String, topics.ARM_STATE, self._on_arm_state, latched(depth=10))

    @property
    def refusal(self) -> str:
        """Why it cannot be switched on now; empty if it can."""
        return STILL_STOPPED if self._arm_state == topics.ARM_STOPPED else ''

    def turn(self, on: bool) -> None:
        """Take note of a request, and tell the driver."""
        self._is_on, self.off_because = on, ''
        self._requests.publish(Bool(data=on))

    def _on_arm_state(self, message: String) -> None:
        before, self._arm_state = self._arm_state, message.data
        # A driver that starts is idle, and nobody has stopped it.
        was_disabled = message.data == topics.ARM_IDLE and before not in ('', topics.ARM_IDLE)
        if self._is_on and (message.data == topics.ARM_STOPPED or was_disabled):
            self.turn(False)
            self.off_because = OFF_BY_STOP
            self._on_stop()
