"""Whether an xArm listens at an address: one question of its protocol, bounded in time.

The vendor's SDK believes whoever accepts its connection, and would ask for minutes.
"""

import socket
import struct
import time

from xarm_planar_driver.errors import ArmError

# Transaction, protocol, how many bytes follow (big-endian), and the first of those: the register.
_FRAME = struct.Struct('>HHHB')
_TRANSACTION, _PROTOCOL, _GET_VERSION = 1, 2, 1
_STATUS = 1  # bytes between the register and the version
_LONGEST = 1024
_SHOWN = 24
_ELSEWHERE = 'check robot_ip and control_port'
_NOT_YET = 'check power, cable and robot_ip, or start the twin'


class NotAnArm(ArmError):
    """Something else listens there: no use in trying again."""


def ask_version(host: str, port: int, timeout: float) -> str:
    """Return what the controller says about its version.

    Raises:
        NotAnArm: What answers is no xArm controller.
        ArmError: Nothing answers within `timeout` [s]; it may later.
    """
    address = f'{host}:{port}'
    deadline = time.monotonic() + timeout
    received = b''
    try:
        with socket.create_connection((host, port), timeout) as sock:
            sock.sendall(_FRAME.pack(_TRANSACTION, _PROTOCOL, 1, _GET_VERSION))
            while (version := _find_version(received, address)) is None:
                left = deadline - time.monotonic()
                if left <= 0:  # however much it sends
                    raise TimeoutError
                sock.settimeout(left)
                more = sock.recv(_LONGEST)
                if not more:
                    raise ConnectionResetError
                received += more
    except TimeoutError:
        if received:
            raise _not_an_arm(address, received) from None
        raise ArmError(f'the arm at {address} does not answer; {_NOT_YET}') from None
    except (ConnectionResetError, BrokenPipeError):
        if received:
            raise _not_an_arm(address, received) from None
        raise ArmError(
            f'{address} closes the connection without an answer: if it is an xArm, wait until it '
            f'has started, else {_ELSEWHERE}'
        ) from None
    except (OSError, UnicodeError) as error:  # the latter: no name that could be looked up
        reason = (getattr(error, 'strerror', None) or str(error)).lower()
        raise ArmError(f'no xArm at {address}: {reason}; {_NOT_YET}') from None
    if not version:
        raise ArmError(f'the arm at {address} tells no version: wait until it has started')
    return version


def _find_version(received: bytes, address: str) -> str | None:
    """Return the version among the frames received so far; None while more is to come."""
    rest = received
    while len(rest) >= _FRAME.size:
        transaction, protocol, length, register = _FRAME.unpack_from(rest)
        if protocol != _PROTOCOL or not 1 <= length <= _LONGEST:
            raise _not_an_arm(address, received)
        end = _FRAME.size - 1 + length
        if len(rest) < end:
            return None
        if transaction == _TRANSACTION:  # else it answers nothing that was asked
            if register != _GET_VERSION:
                raise _not_an_arm(address, received)
            text = rest[_FRAME.size + _STATUS : end].split(b'\0')[0]
            return text.decode('ascii', 'replace').strip()
        rest = rest[end:]
    return None


def _not_an_arm(address: str, received: bytes) -> NotAnArm:
    begin = received[:_SHOWN].rstrip()
    return NotAnArm(f'{address} is no xArm controller, it answers {begin!r}: {_ELSEWHERE}')
