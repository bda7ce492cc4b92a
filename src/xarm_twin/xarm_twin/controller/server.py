"""The emulated controller on the network: one control port, four report ports."""

import contextlib
import logging
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from typing import Any, Self

from ibc_contract.pacing import ticks
from xarm_twin.controller.commands import CommandTable
from xarm_twin.controller.firmware import Identity
from xarm_twin.controller.link import Link
from xarm_twin.controller.plant import ArmPlant
from xarm_twin.controller.protocol import HEADER, MAX_BODY, PROTOCOLS, parse_request
from xarm_twin.controller.reports import KINDS, ReportKind
from xarm_twin.controller.state import ControllerState
from xarm_twin.loopback import PortUnavailable, accept, close_socket, listen, receive_exactly

log = logging.getLogger(__name__)

PLANNER_PERIOD = 0.01
"""Time between the points of planned motion [s]."""

PLANNER_IDLE = 0.1
"""How often the planner looks whether it shall end while nothing moves [s]."""

REPORT_TIMEOUT = 1.0
"""A client that takes no report for this long is dropped [s]."""

JOIN_TIMEOUT = 1.0

RESET_ON_CLOSE = struct.pack('ii', 1, 0)
"""Socket option SO_LINGER: on, for no time."""


class EmulatedController:
    """An xArm controller for the vendor's SDK to connect to. Use as a context manager."""

    def __init__(
        self,
        arm: ArmPlant,
        host: str = '127.0.0.1',
        port: int = 0,
        report_ports: Mapping[str, int] | None = None,
        identity: Identity | None = None,
    ) -> None:
        """Bind the ports; nothing is answered before `start`.

        Args:
            arm: What moves.
            host: Address to listen on; several emulators take several of 127.0.0.0/8.
            port: Control port; 0 picks a free one, then in `port`.
            report_ports: Report ports by kind, as in KINDS; missing or 0 picks a free one.
            identity: What it says it is; an xArm6 when left out.

        Raises:
            PortUnavailable: A port is taken or not allowed.
        """
        self.state = ControllerState(arm, identity=identity)
        self.link = Link()
        self._commands = CommandTable(self.state)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listeners: dict[str, socket.socket] = {}
        wanted = {'control': port, **{kind: (report_ports or {}).get(kind, 0) for kind in KINDS}}
        try:
            for name, number in wanted.items():
                self._listeners[name] = listen(host, number, 'emulated xArm controller')
        except PortUnavailable:
            self._close_listeners()
            raise
        self.host = host
        self.port: int = self._listeners['control'].getsockname()[1]
        self.report_ports = {kind: self._listeners[kind].getsockname()[1] for kind in KINDS}

    def start(self) -> None:
        """Begin to accept clients."""
        self._spawn('planner', self._plan)
        for name, listener in self._listeners.items():
            self._spawn(f'accept {name}', self._accept, name, listener)

    def stop(self) -> None:
        """Close every port and connection and end the threads."""
        self._stop.set()
        self._close_listeners()
        with self._lock:
            for connection in self._connections:
                close_socket(connection)
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT)

    def drop_connections(self) -> None:
        """Reset every connection; the ports stay open."""
        with self._lock:
            for connection in self._connections:
                # Closed with this option, a connection is reset instead of ended in order.
                with contextlib.suppress(OSError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                    connection.shutdown(socket.SHUT_RD)

    def describe(self) -> dict[str, Any]:
        """Return state, link and clients, for a person."""
        with self._lock:
            clients = len(self._connections)
        return {**self.state.snapshot().to_dict(), 'clients': clients, 'link': self.link.to_dict()}

    def __enter__(self) -> Self:
        """Start, then return the controller."""
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop."""
        self.stop()

    def _close_listeners(self) -> None:
        for listener in self._listeners.values():
            close_socket(listener)

    def _spawn(self, name: str, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, name=f'xarm {name}', daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _accept(self, name: str, listener: socket.socket) -> None:
        while (connection := accept(listener)) is not None:
            self._spawn(f'{name} client', self._serve, name, connection)

    def _serve(self, name: str, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            if name == 'control':
                self._answer(connection)
            else:
                self._report(connection, KINDS[name])
        except OSError as error:  # the client went away
            log.debug('%s client: %s', name, error)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _answer(self, connection: socket.socket) -> None:
        while not self._stop.is_set():
            header = receive_exactly(connection, HEADER.size)
            if header is None:
                return
            _, protocol, length = HEADER.unpack(header)
            if not 1 <= length <= MAX_BODY:
                log.warning('control client sent a frame of %d bytes: closing', length)
                return
            body = receive_exactly(connection, length)
            if body is None:
                return
            if protocol in PROTOCOLS:
                self.link.wait_while_frozen(self._stop)
                self._reply(connection, self._commands.answer(parse_request(header, body)))

    def _reply(self, connection: socket.socket, frame: bytes) -> None:
        if delay := self.link.reply_delay:
            self._stop.wait(delay)
        self.link.wait_while_frozen(self._stop)
        if not self.link.muted:
            connection.sendall(frame)

    def _report(self, connection: socket.socket, kind: ReportKind) -> None:
        connection.settimeout(REPORT_TIMEOUT)
        for _ in ticks(kind.period, self._stop):
            if _hung_up(connection):
                return
            if self.link.pushes_reports:
                connection.sendall(kind.pack(self.state.snapshot()))

    def _plan(self) -> None:
        while not self._stop.is_set():
            if not self.state.wait_for_motion(PLANNER_IDLE):
                continue
            for _ in ticks(PLANNER_PERIOD, self._stop):
                self.state.advance(PLANNER_PERIOD)
                if not self.state.wait_for_motion(0.0):
                    break


def _hung_up(connection: socket.socket) -> bool:
    """Whether the client of a report port has gone; it has nothing to say."""
    readable, _, _ = select.select((connection,), (), (), 0.0)
    return bool(readable) and not connection.recv(MAX_BODY)
