"""The emulated arm by itself: which ports it takes."""

import pytest

from xarm_twin.controller import PortUnavailable, server
from xarm_twin.standalone import OPEN_CONTROL_PORT, VENDOR_CONTROL_PORT, StandaloneTwin, TwinPlan

ANY = {'report_base': 0, 'fault_port': 0}


@pytest.mark.parametrize('forbidden', [True, False])
def test_without_leave_for_the_vendors_port_it_takes_an_open_one(
    monkeypatch: pytest.MonkeyPatch, forbidden: bool
) -> None:
    listen, asked = server.listen, []

    def refuse(host: str, port: int, purpose: str):
        asked.append(port)
        if port == VENDOR_CONTROL_PORT:
            raise PortUnavailable('no', forbidden)
        return listen(host, 0, purpose)

    monkeypatch.setattr(server, 'listen', refuse)
    if not forbidden:  # somebody else has it: better to say so
        with pytest.raises(PortUnavailable):
            StandaloneTwin(TwinPlan(**ANY))
        return
    with StandaloneTwin(TwinPlan(**ANY)):
        assert OPEN_CONTROL_PORT in asked


def test_a_lone_arm_starts_at_its_zero_position_and_needs_no_physics() -> None:
    with StandaloneTwin(TwinPlan('127.0.0.7', control_port=0, **ANY)) as twin:
        assert 'scene' not in twin.ports()
        assert not twin.failed
        assert not twin.controller.state.snapshot().q.any()
        assert twin.controller.host == '127.0.0.7'
        assert twin.faults.host == '127.0.0.1'
