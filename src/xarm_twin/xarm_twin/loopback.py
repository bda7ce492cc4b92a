"""TCP between the processes of a twin."""

import contextlib
import errno
import socket

from ibc_contract.errors import IbcError


class PortUnavailable(IbcError):
    """A server of the twin cannot listen where it was told to."""

    def __init__(self, message: str, forbidden: bool = False) -> None:
        super().__init__(message)
        self.forbidden = forbidden
        """Whether the system keeps the port from this user, rather than another program."""


def listen(host: str, port: int, purpose: str) -> socket.socket:
    """Open a listening socket; port 0 picks a free one.

    Raises:
        PortUnavailable: The address is taken or not allowed; `purpose` says what wanted it.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # The vendor's SDK sets a process-wide default timeout when it shares our process.
    listener.settimeout(None)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        reason = {
            errno.EADDRINUSE: 'is in use: stop the other twin or choose another port',
            errno.EACCES: 'is not allowed: choose a port above 1023',
            errno.EADDRNOTAVAIL: 'is not an address of this machine: use one of 127.0.0.0/8',
        }.get(error.errno or 0, f'cannot be opened: {error.strerror}')
        forbidden = error.errno == errno.EACCES
        raise PortUnavailable(f'{purpose}: {host}:{port} {reason}', forbidden) from None
    return listener


def accept(listener: socket.socket) -> socket.socket | None:
    """Wait for the next client; None when the listener was closed."""
    try:
        connection, _ = listener.accept()
    except OSError:
        return None
    connection.settimeout(None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def receive_exactly(connection: socket.socket, count: int) -> bytes | None:
    """Read exactly `count` bytes; None when the other side closed the connection."""
    data = b''
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            return None
        data += piece
    return data


def close_socket(sock: socket.socket) -> None:
    """Close `sock` and wake whoever waits on it: a blocked accept would keep the port."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()
