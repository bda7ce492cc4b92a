"""In what order nodes come to life, and what is left of it when one of them cannot."""

import pytest

from ibc_bringup.bring_up import Transition, bring_up
from ibc_contract.errors import IbcError

NODES = ('driver', 'policy')
CONFIGURE, ACTIVATE, DEACTIVATE = Transition


class FakeCell:
    """Does as it is told, and notes it; or refuses once."""

    def __init__(self, refuses: object = None) -> None:
        self.done: list[object] = []
        self._refuses = refuses

    def change(self, nodes, transition):
        for node in nodes:
            self._do((node, transition))

    def see(self, topic):
        self._do(topic)

    def _do(self, step):
        if step == self._refuses:
            raise IbcError(f'{step} cannot')
        self.done.append(step)


CONFIGURED = [('driver', CONFIGURE), ('policy', CONFIGURE)]


def test_all_are_configured_then_the_camera_is_seen_then_they_are_activated_in_order():
    cell = FakeCell()
    bring_up(NODES, ['camera'], cell)
    assert cell.done == [*CONFIGURED, 'camera', ('driver', ACTIVATE), ('policy', ACTIVATE)]


@pytest.mark.parametrize(
    ('refuses', 'done'),
    [
        (('policy', CONFIGURE), CONFIGURED[:1]),
        ('camera', CONFIGURED),
        (('driver', ACTIVATE), [*CONFIGURED, 'camera']),
        (
            ('policy', ACTIVATE),
            [*CONFIGURED, 'camera', ('driver', ACTIVATE), ('driver', DEACTIVATE)],
        ),
    ],
)
def test_whatever_fails_no_arm_stays_enabled(refuses, done):
    cell = FakeCell(refuses)
    with pytest.raises(IbcError, match='cannot'):
        bring_up(NODES, ['camera'], cell)
    assert cell.done == done
