"""Faults and hands over a loopback port: one JSON object per line, one per answer.

{"do": "state"}                                    -> {"ok": true, "state": {...}}
{"do": "inject", "fault": "freeze", "seconds": 3}  -> {"ok": true, "state": {...}}
{"do": "guide", "position_mm": [300, 0, 20]}       -> {"ok": true, "state": {...}}
anything that cannot be done                       -> {"ok": false, "error": "one line"}
"""

import ipaddress
import json
import logging
import math
import socket
import threading
from typing import Any, Self

import numpy as np

from ibc_contract.errors import IbcError
from xarm_twin.controller.faults import UnknownFault, inject
from xarm_twin.controller.firmware import Mode
from xarm_twin.controller.goals import Pace, PoseGoal
from xarm_twin.controller.server import EmulatedController
from xarm_twin.loopback import PortUnavailable, accept, close_socket, listen

log = logging.getLogger(__name__)

LONGEST_LINE = 4096
IDLE_TIMEOUT = 60.0
"""A client that says nothing for this long is dropped [s]."""
ASK_TIMEOUT = 5.0
BY_HAND = Pace(1.0, 1.0)
"""A hand has no pace."""


class FaultPort:
    """Listens for faults to inject. Use as a context manager."""

    def __init__(
        self, controller: EmulatedController, port: int = 0, host: str = '127.0.0.1'
    ) -> None:
        """Bind the port; 0 picks a free one, then in `port`.

        Raises:
            PortUnavailable: It is taken or not allowed, or `host` is not a loopback address.
        """
        if not ipaddress.ip_address(host).is_loopback:
            raise PortUnavailable(f'faults are taken from this machine alone, not on {host}')
        self._controller = controller
        self._listener = listen(host, port, 'faults of the emulated controller')
        self._clients: set[socket.socket] = set()
        self.host = host
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._accept, name='xarm faults', daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the port and its connections."""
        close_socket(self._listener)
        for client in tuple(self._clients):
            close_socket(client)

    def _accept(self) -> None:
        while (client := accept(self._listener)) is not None:
            self._clients.add(client)
            threading.Thread(
                target=self._serve, args=(client,), name='xarm faults client', daemon=True
            ).start()

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(IDLE_TIMEOUT)
        try:
            with client, client.makefile('rb') as lines:
                while line := lines.readline(LONGEST_LINE):
                    answer = json.dumps(self._answer(line)) + '\n'
                    client.sendall(answer.encode())
        except OSError as error:  # gone, or silent
            log.debug('faults client: %s', error)
        finally:
            self._clients.discard(client)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            self._carry_out(json.loads(line))
        except UnknownFault as error:
            return {'ok': False, 'error': str(error)}
        except (ValueError, TypeError, KeyError) as error:
            return {'ok': False, 'error': f'not a request: {error}'}
        return {'ok': True, 'state': self._controller.describe()}

    def _carry_out(self, request: dict[str, Any]) -> None:
        match request['do']:
            case 'state':
                return
            case 'inject':
                value, seconds = (request.get(name) for name in ('value', 'seconds'))
                inject(
                    self._controller,
                    str(request['fault']),
                    None if value is None else float(value),
                    None if seconds is None else float(seconds),
                )
            case 'guide':
                x, y, z = (float(number) for number in request['position_mm'])
                self._guide(np.array((x, y, z, math.pi, 0.0, 0.0)))
            case other:
                raise ValueError(f'cannot do {other!r}, only state, inject and guide')

    def _guide(self, pose_mm: np.ndarray) -> None:
        if not np.isfinite(pose_mm).all():
            raise ValueError(f'position_mm is {pose_mm[:3].tolist()}')
        state = self._controller.state
        if not state.takes(Mode.MANUAL):
            raise UnknownFault('the arm cannot be moved by hand: it is not in manual mode')
        q = state.joints_at(PoseGoal(pose_mm, BY_HAND))
        if q is None:
            raise UnknownFault(f'the tool does not reach {pose_mm[:3].tolist()} mm')
        state.guide(q)


def ask(request: dict[str, Any], port: int, host: str = '127.0.0.1') -> dict[str, Any]:
    """Send one request to a fault port and return the state that it answers with.

    Raises:
        IbcError: Nobody listens there, or it refuses.
    """
    try:
        with socket.create_connection((host, port), ASK_TIMEOUT) as connection:
            connection.sendall((json.dumps(request) + '\n').encode())
            with connection.makefile('rb') as lines:
                answer = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error) or 'no answer'
        raise IbcError(
            f'no emulated controller takes faults at {host}:{port} ({reason.lower()}): '
            'start `ibc twin serve` or a stack with sim:=true, or give its fault port'
        ) from None
    if not answer['ok']:
        raise IbcError(answer['error'])
    return answer['state']
