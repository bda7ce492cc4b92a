"""A lifecycle node that outlives a transition which its state does not have."""

from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode

Change = Callable[[Any, Any], Any]
"""Answers a request of lifecycle_msgs/srv/ChangeState."""


class ManagedNode(LifecycleNode):
    """As rclpy's, which raises out of `spin` when it is asked for such a transition by its number.

    That would end the process, and with it an arm's driver, for a slip of a lifecycle manager.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        service = self._service_change_state  # rclpy offers no other place
        service.callback = self._judged(service.callback)

    def _judged(self, change: Change) -> Change:
        def judge(request: Any, response: Any) -> Any:
            asked, state = request.transition, self._state_machine
            # A label goes before the number, as rclpy has it.
            place = 1 if asked.label else 0
            if (asked.label or asked.id) in (each[place] for each in state.available_transitions):
                return change(request, response)
            known = ', '.join(f'{each[1]} ({each[0]})' for each in state.available_transitions)
            self.get_logger().warning(
                f'{state.current_state[1]}: no transition {asked.label or asked.id} from here; '
                f'known: {known or "none"}'
            )
            response.success = False
            return response

        return judge
