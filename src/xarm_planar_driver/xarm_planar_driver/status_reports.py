"""The controller's own status, pushed five times a second on its 'normal' report port.

Replies to servo commands already carry errors; reports add what replies lack (the mode, which
another client may change) and go on while nothing is commanded. Reading them here costs five
wake-ups a second, the SDK's report thread a thousand.
"""

import logging
import socket
import struct
import threading
import time
from dataclasses import dataclass

log = logging.getLogger(__name__)

VENDOR_PORT = 30001
PERIOD = 0.2
"""Between two reports [s]."""

# Offsets in the frame (hardware facts; vendor's port documentation).
_LENGTH = struct.Struct('>I')
_STATE_MODE, _ERROR, _WARNING, _SENSITIVITY = 4, 89, 90, 131
_TOOL = struct.Struct('<6f4f')
_TOOL_AT = 91
_SHORTEST, _LONGEST = 132, 4096
_TIMEOUT = 1.0
_RETRY = 0.2
_POLL = 0.01


@dataclass(frozen=True)
class StatusReport:
    """What the controller said about itself."""

    received: float
    """`time.monotonic()` of its arrival [s]."""
    state: int
    mode: int
    error: int
    warning: int
    collision_sensitivity: int = 0
    tcp_offset_mm: tuple[float, ...] = ()
    """Tool in the flange frame: x, y, z [mm], roll, pitch, yaw [rad]."""
    tcp_load_mm: tuple[float, ...] = ()
    """Mass [kg] and its centre x, y, z [mm]."""


class StatusReports:
    """Keeps the newest report, reconnecting when the port goes away."""

    def __init__(self, host: str, port: int = VENDOR_PORT) -> None:
        self._address = (host, port)
        self._newest: StatusReport | None = None
        self._stop = threading.Event()
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name='arm reports', daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        connection = self._socket
        if connection is not None:
            _shut(connection)
        self._thread.join(_TIMEOUT + _RETRY)

    def newest(self) -> StatusReport | None:
        """Return the last report, None before the first."""
        return self._newest

    def after(self, since: float, deadline: float) -> StatusReport | None:
        """Wait for a report received after `since`; None if there is none at `deadline` [s]."""
        while (report := self._newest) is None or report.received <= since:
            if time.monotonic() >= deadline:
                return None
            time.sleep(_POLL)
        return report

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(self._address, _TIMEOUT) as connection:
                    self._socket = connection
                    self._listen(connection)
            except (OSError, ValueError) as error:
                log.debug('arm report port %s:%d: %s', *self._address, error)
            self._stop.wait(_RETRY)

    def _listen(self, connection: socket.socket) -> None:
        connection.settimeout(_TIMEOUT)
        while not self._stop.is_set():
            (length,) = _LENGTH.unpack(_receive(connection, _LENGTH.size))
            if not _SHORTEST <= length <= _LONGEST:
                raise ValueError(f'report of {length} bytes')
            frame = bytes(_LENGTH.size) + _receive(connection, length - _LENGTH.size)
            tool = _TOOL.unpack_from(frame, _TOOL_AT)
            self._newest = StatusReport(
                received=time.monotonic(),
                state=frame[_STATE_MODE] & 0x0F,
                mode=frame[_STATE_MODE] >> 4,
                error=frame[_ERROR],
                warning=frame[_WARNING],
                collision_sensitivity=frame[_SENSITIVITY],
                tcp_offset_mm=tool[:6],
                tcp_load_mm=tool[6:],
            )


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b''
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise ConnectionResetError('closed by the controller')
        data += piece
    return data


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # already gone
        return
