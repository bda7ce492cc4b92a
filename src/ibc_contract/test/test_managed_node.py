"""Whatever transition is asked for in whatever state: taken or refused, and the node lives."""

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.node import Node

from ibc_contract.managed_node import ManagedNode

WAYS = {
    'unconfigured': (),
    'inactive': (Transition.TRANSITION_CONFIGURE,),
    'active': (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE),
    'finalized': (Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,),
}
"""How to get into each state."""
ALLOWED = {
    'unconfigured': {'configure': 1, 'shutdown': 5},
    'inactive': {'cleanup': 2, 'activate': 3, 'shutdown': 6},
    'active': {'deactivate': 4, 'shutdown': 7},
    'finalized': {},
}
NUMBERS = (*range(9), 10, 13, 30, 50, 60, 99, 255)
LABELS = ('configure', 'cleanup', 'activate', 'deactivate', 'shutdown', 'fly')


class Stage:
    """The node, and who changes its state."""

    def __init__(self, ros) -> None:
        self._ros = ros
        self.node = ManagedNode('managed', context=ros.context)
        self.manager = Node('manager', context=ros.context)
        self._client = self.manager.create_client(ChangeState, 'managed/change_state')
        assert ros.spin_until(self._client.service_is_ready, self.node, self.manager)

    def change(self, number: int = 0, label: str = '') -> bool:
        """Ask for a transition; return whether it was made."""
        asked = Transition(id=number, label=label)
        answer = self._client.call_async(ChangeState.Request(transition=asked))
        assert self._ros.spin_until(answer.done, self.node, self.manager)
        return answer.result().success

    @property
    def state(self) -> str:
        return self.node._state_machine.current_state[1]


@pytest.fixture
def stage(ros):
    made = Stage(ros)
    yield made
    made.node.destroy_node()
    made.manager.destroy_node()


@pytest.mark.parametrize('state', WAYS)
def test_what_a_state_does_not_have_is_refused_and_changes_nothing(stage, state):
    for number in WAYS[state]:
        assert stage.change(number)
    allowed = ALLOWED[state]
    for number in set(NUMBERS) - set(allowed.values()):
        assert not stage.change(number)
        assert stage.state == state
    for label in set(LABELS) - set(allowed):
        # Whatever number stands beside it.
        assert not stage.change(next(iter(allowed.values()), 1), label)
        assert stage.state == state


@pytest.mark.parametrize(
    ('state', 'label', 'number'),
    [(state, label, number) for state, ways in ALLOWED.items() for label, number in ways.items()],
)
@pytest.mark.parametrize('by_label', [True, False])
def test_what_a_state_has_is_done_by_number_or_by_label(stage, state, label, number, by_label):
    for way in WAYS[state]:
        stage.change(way)
    assert stage.change(label=label) if by_label else stage.change(number)
    assert stage.state != state
