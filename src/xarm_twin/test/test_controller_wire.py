"""The emulated controller's ports, with plain sockets."""

import socket
import struct
from collections.abc import Iterator

import pytest

from xarm_twin.controller import EmulatedController, LagPlant, PortUnavailable


@pytest.fixture
def controller() -> Iterator[EmulatedController]:
    with EmulatedController(LagPlant(), host='127.0.0.4') as controller:
        yield controller


def connect(host: str, port: int) -> socket.socket:
    client = socket.create_connection((host, port), timeout=5.0)
    client.settimeout(5.0)
    return client


def receive(client: socket.socket, count: int) -> bytes:
    data = b''
    while len(data) < count:
        data += client.recv(count - len(data))
    return data


def test_heartbeats_are_ignored_and_ids_are_echoed(controller: EmulatedController) -> None:
    with connect(controller.host, controller.port) as client:
        client.sendall(bytes.fromhex('0000 0001 0002 0000'))
        client.sendall(bytes.fromhex('1234 0003 0001 0d'))
        assert receive(client, 9) == bytes.fromhex('1234 0003 0003 0d 10 04')


def test_a_request_may_arrive_in_pieces(controller: EmulatedController) -> None:
    with connect(controller.host, controller.port) as client:
        for byte in bytes.fromhex('0001 0002 0001 0f'):
            client.sendall(bytes((byte,)))
        assert receive(client, 10) == bytes.fromhex('0001 0002 0004 0f 10 0000')


def test_garbage_closes_the_connection_and_not_the_controller(
    controller: EmulatedController,
) -> None:
    with connect(controller.host, controller.port) as client:
        client.sendall(bytes.fromhex('0001 0002 ffff'))
        assert client.recv(1) == b''
    with connect(controller.host, controller.port) as client:
        client.sendall(bytes.fromhex('0001 0002 0001 0d'))
        assert len(receive(client, 9)) == 9


@pytest.mark.parametrize(('kind', 'size'), [('normal', 145), ('rich', 574), ('real', 87)])
def test_report_ports_push_frames(controller: EmulatedController, kind: str, size: int) -> None:
    with connect(controller.host, controller.report_ports[kind]) as client:
        for _ in range(3):
            frame = receive(client, size)
            assert struct.unpack('>I', frame[:4])[0] == size


def test_a_taken_port_is_one_line_that_says_what_to_do(controller: EmulatedController) -> None:
    with pytest.raises(PortUnavailable) as caught:
        EmulatedController(LagPlant(), controller.host, controller.port)
    message = str(caught.value)
    assert f'{controller.host}:{controller.port} is in use' in message
    assert '\n' not in message


def test_a_foreign_address_is_refused() -> None:
    with pytest.raises(PortUnavailable, match='not an address of this machine'):
        EmulatedController(LagPlant(), '203.0.113.1')


def test_ports_can_be_bound_again_after_stop() -> None:
    first = EmulatedController(LagPlant(), '127.0.0.5')
    with first, connect(first.host, first.port):
        pass
    with EmulatedController(LagPlant(), '127.0.0.5', first.port, first.report_ports) as second:
        assert second.port == first.port
