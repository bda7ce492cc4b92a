"""The figures of `ibc bench driver` from a log whose answers are known."""

import pytest

from ibc_bringup.driver_benchmark import summary
from ibc_contract.errors import IbcError

LOG = {
    'late_after_s': 1e-3,
    'realtime_granted': False,
    'realtime_priority': 'refused: Operation not permitted',
    'memory_lock': 'not asked for',
    # The first two lie before the first command, the last one after the time measured.
    'deadline_s': [0.01 * k for k in range(103)] + [2.0],
    'late_s': [0.5, 0.5, *[1e-4] * 98, 2e-3, 4e-3, 1e-4, 0.9],
    'command_received_s': [0.015, 0.2, 1.5],
    'command_to_wire_s': [0.010, 0.020, 0.9],
}


def test_known_answers():
    result = summary(LOG, seconds=1.01)
    assert result['ticks'] == 101
    assert result['tick_p50_ms'] == pytest.approx(0.1)
    assert result['tick_p99_ms'] == pytest.approx(2.0)
    assert result['tick_max_ms'] == pytest.approx(4.0)
    assert result['late_ticks'] == 2
    assert result['commands'] == 2
    assert result['command_to_wire_p50_ms'] == pytest.approx(15.0)
    assert result['command_to_wire_p99_ms'] == pytest.approx(19.9)
    assert result['realtime_granted'] is False


def test_without_a_command_nothing_was_measured():
    with pytest.raises(IbcError, match='no command'):
        summary({**LOG, 'command_received_s': [], 'command_to_wire_s': []}, seconds=1.0)
