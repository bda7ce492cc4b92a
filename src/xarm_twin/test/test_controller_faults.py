"""Faults of the emulated controller: by call, over their port, and what clients see of them."""

import json
import math
import socket
import time
from collections.abc import Iterator

import numpy as np
import pytest

from ibc_contract.errors import IbcError
from planar_arm import xarm6
from waiting import wait_for
from xarm_twin.controller import EmulatedController, FaultPort, Identity, LagPlant, PortUnavailable
from xarm_twin.controller.fault_port import ask
from xarm_twin.controller.faults import FAULTS, inject
from xarm_twin.loopback import receive_exactly

GET_STATE = bytes.fromhex('0001 0002 0001 0d')


@pytest.fixture
def controller() -> Iterator[EmulatedController]:
    with EmulatedController(LagPlant(xarm6.HOME_Q)) as controller:
        yield controller


@pytest.fixture
def port(controller: EmulatedController) -> Iterator[int]:
    with FaultPort(controller) as faults:
        yield faults.port


@pytest.fixture
def client(controller: EmulatedController) -> Iterator[socket.socket]:
    with connect(controller, controller.port) as client:
        yield client


def connect(controller: EmulatedController, port: int) -> socket.socket:
    client = socket.create_connection((controller.host, port), timeout=5.0)
    client.settimeout(5.0)
    return client


def answers(client: socket.socket, within: float = 5.0) -> bool:
    """Whether a question is answered in time."""
    client.settimeout(within)
    try:
        client.sendall(GET_STATE)
        return receive_exactly(client, 9) is not None
    except TimeoutError:
        return False


def read_on(client: socket.socket) -> None:
    """Read until something ends that."""
    while receive_exactly(client, 1):
        pass
    raise ConnectionAbortedError('ended in order')


def test_error_and_collision_stop_the_arm(controller: EmulatedController) -> None:
    inject(controller, 'error', 24)
    assert controller.state.snapshot().error == 24
    inject(controller, 'collision')
    assert (controller.state.snapshot().error, controller.state.snapshot().state) == (31, 4)
    inject(controller, 'warning', 14)
    assert controller.state.snapshot().warning == 14


def test_the_emergency_stop_lasts_while_it_is_pressed(controller: EmulatedController) -> None:
    state = controller.state
    state.enable(8, True)
    state.set_mode(1)
    state.set_state(0)
    inject(controller, 'press-estop')
    for _ in range(2):
        shot = state.snapshot()
        assert (shot.error, shot.state, shot.enabled, shot.emergency_stop) == (1, 4, 0, True)
        state.clean_error()
        state.enable(8, True)
    inject(controller, 'release-estop')
    assert state.snapshot().error == 1
    state.clean_error()
    state.enable(8, True)
    state.set_mode(1)
    state.set_state(0)
    assert state.takes(1)


def test_dropped_connections_are_reset_and_new_ones_work(
    controller: EmulatedController, client: socket.socket
) -> None:
    assert answers(client)
    with connect(controller, controller.report_ports['real']) as reports:
        assert receive_exactly(reports, 87)
        inject(controller, 'drop')
        for dropped in (client, reports):
            with pytest.raises(ConnectionResetError):
                read_on(dropped)
    with connect(controller, controller.port) as again:
        assert answers(again)


def test_a_frozen_link_delivers_later_what_was_sent(
    controller: EmulatedController, client: socket.socket
) -> None:
    assert answers(client)
    inject(controller, 'freeze', seconds=0.3)
    assert not answers(client, within=0.1)
    client.settimeout(5.0)
    assert receive_exactly(client, 9)
    inject(controller, 'freeze')
    assert not answers(client, within=0.1)
    inject(controller, 'mend')
    client.settimeout(5.0)
    assert receive_exactly(client, 9)


def test_a_muted_controller_obeys_without_a_word(
    controller: EmulatedController, client: socket.socket
) -> None:
    inject(controller, 'mute')
    client.sendall(bytes.fromhex('0001 0002 0003 0b 08 01'))  # enable all joints
    assert wait_for(lambda: controller.state.snapshot().enabled != 0)
    assert not answers(client, within=0.1)
    inject(controller, 'mend')
    assert answers(client)


def test_slow_replies_are_late_by_the_delay(
    controller: EmulatedController, client: socket.socket
) -> None:
    inject(controller, 'slow', 0.2, seconds=30.0)
    begin = time.monotonic()
    assert answers(client)
    assert time.monotonic() - begin >= 0.2


def test_frozen_reports_leave_replies_alone(
    controller: EmulatedController, client: socket.socket
) -> None:
    with connect(controller, controller.report_ports['real']) as reports:
        assert receive_exactly(reports, 87)
        inject(controller, 'freeze-reports')
        time.sleep(0.05)
        reports.settimeout(0.15)
        with pytest.raises(TimeoutError):
            read_on(reports)
        assert answers(client)
        inject(controller, 'mend')
        reports.settimeout(5.0)
        assert receive_exactly(reports, 87)


@pytest.mark.parametrize(
    ('name', 'value', 'seconds', 'said'),
    [
        ('gremlins', None, None, 'known: error'),
        ('error', None, None, 'needs a value: code'),
        ('error', 999, None, 'must be 1 to 255'),
        ('error', float('nan'), None, 'must be 1 to 255'),
        ('collision', 3, None, 'takes no value'),
        ('collision', None, 3, 'leave out the seconds'),
        ('freeze', None, -1, 'more than 0'),
        ('slow', 60, None, 'must be 0 to 10'),
    ],
)
def test_what_makes_no_sense_is_one_line(
    controller: EmulatedController,
    name: str,
    value: float | None,
    seconds: float | None,
    said: str,
) -> None:
    with pytest.raises(IbcError, match=said) as caught:
        inject(controller, name, value, seconds)
    assert '\n' not in str(caught.value)
    assert controller.state.snapshot().error == 0


def test_the_port_tells_the_state_and_takes_faults(port: int) -> None:
    state = ask({'do': 'state'}, port)
    assert state['error'] == 0
    np.testing.assert_allclose(state['joints_deg'], np.degrees(xarm6.HOME_Q), atol=1e-2)
    state = ask({'do': 'inject', 'fault': 'error', 'value': 24}, port)
    assert (state['error'], state['state']) == (24, 4)
    state = ask({'do': 'inject', 'fault': 'freeze-reports', 'seconds': 60}, port)
    assert state['link']['reports_frozen']
    with pytest.raises(IbcError, match='no fault'):
        ask({'do': 'inject', 'fault': 'gremlins'}, port)


@pytest.mark.parametrize('line', ['', '[]', '{"do": "dance"}', '{}', 'null', '{"do": "inject"}'])
def test_nonsense_on_the_port_is_answered_and_survived(port: int, line: str) -> None:
    with socket.create_connection(('127.0.0.1', port), 5.0) as client:
        client.sendall(f'{line}\n{{"do": "state"}}\n'.encode())
        with client.makefile('rb') as lines:
            assert not json.loads(lines.readline())['ok']
            assert json.loads(lines.readline())['ok']


def test_faults_are_taken_from_this_machine_alone(controller: EmulatedController) -> None:
    with pytest.raises(PortUnavailable, match='from this machine alone'):
        FaultPort(controller, host='0.0.0.0')


def test_nobody_there_is_one_line_with_a_remedy() -> None:
    with pytest.raises(IbcError, match=r'no emulated controller .* refused.*ibc twin serve'):
        ask({'do': 'state'}, 1)


def test_every_fault_says_what_it_does() -> None:
    assert all(kind.help for kind in FAULTS.values())


def test_another_model_says_so() -> None:
    with EmulatedController(LagPlant(), identity=Identity(axes=7, device_type=7)) as controller:
        with connect(controller, controller.port) as client:
            client.sendall(bytes.fromhex('0001 0002 0001 01'))
            reply = receive_exactly(client, 48)
        assert reply is not None
        assert reply[8:].startswith(b'7,7,')


def test_an_arm_in_manual_mode_is_moved_by_hand(controller, port):
    state = controller.state
    there = {'do': 'guide', 'position_mm': [300.0, 50.0, 200.0]}
    with pytest.raises(IbcError, match='it is not in manual mode'):
        ask(there, port)
    state.enable(8, True)
    state.configure(tcp_offset=(0.0, 0.0, 1e3 * xarm6.TOOL_LENGTH, 0.0, 0.0, 0.0))
    state.set_mode(2)
    with pytest.raises(IbcError, match='it is not in manual mode'):  # not ready yet
        ask(there, port)
    state.set_state(0)
    told = ask(there, port)
    assert told['mode'] == 2
    np.testing.assert_allclose(told['commanded_pose_mm_deg'][:3], (300, 50, 200), atol=0.01)
    deadline = time.monotonic() + 10
    while np.abs(state.measured()[1]).max() > 1e-4 and time.monotonic() < deadline:
        time.sleep(0.02)
    np.testing.assert_allclose(state.measured()[0], state.snapshot().q_command, atol=1e-4)
    with pytest.raises(IbcError, match='does not reach'):
        ask({'do': 'guide', 'position_mm': [990.0, 0.0, 0.0]}, port)
    for nonsense in ([1, 2], [1, 2, math.nan], 3):
        with pytest.raises(IbcError, match='not a request'):
            ask({'do': 'guide', 'position_mm': nonsense}, port)
    state.set_mode(0)
    with pytest.raises(IbcError, match='it is not in manual mode'):
        ask(there, port)
