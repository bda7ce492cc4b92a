"""Whatever listens at the arm's address, one line says what it is and what to do."""

import contextlib
import socket
import struct
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xarm_planar_driver import handshake
from xarm_planar_driver.arm import XarmArm
from xarm_planar_driver.errors import ArmError
from xarm_planar_driver.handshake import NotAnArm, ask_version

PATIENCE = 60.0
"""Of the tests, for a busy machine; the driver's own is shorter [s]."""
VERSION = b'6,6,XI1302,AC1302,v2.5.5'


def reply(body: bytes, transaction: int = 1) -> bytes:
    return struct.pack('>HHH', transaction, 2, len(body)) + body


@contextlib.contextmanager
def something_that(says: bytes, then_closes: bool = False):
    """Listen, and give every client the same answer; yields the port."""
    held = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                client.sendall(says)
                if then_closes:
                    client.close()
                held.append(client)

    with socket.create_server(('127.0.0.1', 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for client in held:
        client.close()


def refusal(port: int, timeout: float = PATIENCE) -> ArmError:
    with pytest.raises(ArmError) as caught:
        ask_version('127.0.0.1', port, timeout)
    assert '\n' not in str(caught.value)
    return caught.value


def test_a_controller_tells_its_version(emulator):
    assert ask_version(emulator.host, emulator.port, PATIENCE).startswith('6,6,XI')


def test_an_answer_to_somebody_else_is_passed_over():
    answers = reply(b'\xff\x00' + bytes(9), transaction=7) + reply(b'\x01\x40' + VERSION + bytes(9))
    with something_that(answers) as port:
        assert ask_version('127.0.0.1', port, PATIENCE) == VERSION.decode()


@pytest.mark.parametrize(
    'says',
    [
        b'SSH-2.0-OpenSSH_9.2p1\r\n',
        b'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n',
        b'220 \xff\xfe\x00\x01 ready\r\n',
        struct.pack('>HHHBBB', 1, 0, 3, 1, 0x84, 1),  # a Modbus device, whose port this is
        struct.pack('>HHHB', 1, 2, 0xFFFF, 1),
        reply(b'\x0d\x00\x02'),
    ],
    ids=['ssh', 'http', 'bytes', 'modbus', 'endless', 'another register'],
)
@pytest.mark.parametrize('then_closes', [False, True], ids=['stays', 'closes'])
def test_another_protocol_is_told_at_once_by_what_it_says(says, then_closes):
    with something_that(says, then_closes) as port:
        error = refusal(port)
    assert isinstance(error, NotAnArm)
    begin = says[: handshake._SHOWN].rstrip()
    assert str(error) == (
        f'127.0.0.1:{port} is no xArm controller, it answers {begin!r}: '
        'check robot_ip and control_port'
    )


def test_what_is_too_short_for_an_answer_is_none():
    with something_that(b'no\n') as port:
        assert isinstance(refusal(port, timeout=0.3), NotAnArm)


def test_one_that_closes_at_once_is_told_from_one_that_is_not_there():
    with something_that(b'', then_closes=True) as port:
        error = refusal(port)
    assert str(error).startswith(f'127.0.0.1:{port} closes the connection without an answer: ')
    assert str(error).endswith('check robot_ip and control_port')
    assert not isinstance(error, NotAnArm)  # a controller that is starting may do so
    error = refusal(port)
    assert str(error).startswith(f'no xArm at 127.0.0.1:{port}: connection refused; check power')


def test_one_that_says_nothing_is_not_waited_for_long():
    with something_that(b'') as port:
        error = refusal(port, timeout=0.2)
    assert str(error).startswith(f'the arm at 127.0.0.1:{port} does not answer; check power')


def test_one_that_never_comes_to_the_point_is_not_listened_to_for_ever():
    with something_that(reply(bytes(1000), transaction=9) * 5000) as port:
        assert 'does not answer' not in str(refusal(port, timeout=0.5))


def test_a_controller_without_a_version_is_not_given_to_the_sdk():
    # With an empty version and no error code, the SDK would ask for ever.
    with something_that(reply(b'\x01\x00' + bytes(40))) as port:
        assert 'tells no version: wait until it has started' in str(refusal(port))


@pytest.mark.parametrize('host', ['no..such.host', 'x' * 64])
def test_no_name_at_all_is_one_line(host):
    with pytest.raises(ArmError, match=r'no xArm at .*; check power, cable and robot_ip'):
        ask_version(host, 502, PATIENCE)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=80))
def test_no_answer_whatever_breaks_the_reading(data):
    try:
        version = handshake._find_version(data, 'it')
    except NotAnArm:
        return
    assert version is None or isinstance(version, str)


def test_what_is_no_arm_is_not_waited_for():
    with (
        something_that(b'SSH-2.0-OpenSSH_9.2p1\r\n') as port,
        pytest.raises(NotAnArm, match=r'answers b.SSH-2'),
    ):
        XarmArm('127.0.0.1', port).connect(wait=1e6)
