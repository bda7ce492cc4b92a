"""What a renderer needs to know of the world, sent from the physics process to the camera process.

Rendering holds the interpreter for tens of milliseconds, which the physics thread cannot afford, so
the two live in different processes. Only the newest state matters: a slow client misses states, it
never delays them.
"""

import logging
import socket
import struct
import threading
from collections import deque
from dataclasses import dataclass
from typing import Self

import numpy as np

from ibc_contract.errors import IbcError
from xarm_twin.loopback import accept, close_socket, listen, receive_exactly

log = logging.getLogger(__name__)

MAGIC = b'XTW1'
_HEADER = struct.Struct('<4sqHH')
"""Magic, stamp [ns], number of objects, bytes of the task's name."""
_LENGTH = struct.Struct('<I')
_JOINTS = 6
_POSE = 7

RETRY_S = 0.5
"""Time between a client's attempts to connect [s]."""

REMEMBERED_STATES = 64
"""States that a client keeps: more than a second of the twin's 50 a second."""
CONNECT_TIMEOUT_S = 2.0
SEND_TIMEOUT_S = 1.0
JOIN_TIMEOUT_S = 2.0


class BadSceneState(IbcError):
    """Received bytes are not a scene state: something else listens on that port."""


@dataclass(frozen=True, eq=False)
class SceneState:
    """The world at one moment."""

    stamp_ns: int
    """Time of the state, ROS clock [ns]."""
    q: np.ndarray
    """Joint positions, shape (6,) [rad]."""
    objects: np.ndarray
    """Poses in `link_base` in the order of the task's objects, shape (n, 7): x, y, z [m], xyzw."""
    task: str
    """Name of the task, which says what the objects look like."""

    def pack(self) -> bytes:
        """Return the state as bytes."""
        name = self.task.encode()
        header = _HEADER.pack(MAGIC, self.stamp_ns, len(self.objects), len(name))
        numbers = np.concatenate([self.q, self.objects.ravel()]).astype('<f8')
        return header + name + numbers.tobytes()

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Read a state back; BadSceneState when `data` is something else."""
        if len(data) < _HEADER.size or data[:4] != MAGIC:
            raise BadSceneState(f'not a scene state: {data[:8]!r}; check the scene port')
        _, stamp_ns, count, name_bytes = _HEADER.unpack_from(data)
        numbers = data[_HEADER.size + name_bytes :]
        if len(numbers) != 8 * (_JOINTS + _POSE * count):
            raise BadSceneState(f'scene state of {count} objects has {len(numbers)} bytes')
        values = np.frombuffer(numbers, '<f8')
        task = data[_HEADER.size : _HEADER.size + name_bytes].decode(errors='replace')
        return cls(stamp_ns, values[:_JOINTS], values[_JOINTS:].reshape(count, _POSE), task)


class SceneStateServer:
    """Pushes the newest published state to every client. Use as a context manager."""

    def __init__(self, host: str = '127.0.0.1', port: int = 0) -> None:
        """Listen; port 0 picks a free one, then in `port`. PortUnavailable when it is taken."""
        self._listener = listen(host, port, 'scene states of the twin')
        self.port: int = self._listener.getsockname()[1]
        self._changed = threading.Condition()
        self._newest = b''
        self._version = 0
        self._stopped = False
        self._clients: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, name='scene accept', daemon=True)
        self._thread.start()

    def publish(self, state: SceneState) -> None:
        """Make `state` the newest one. Never waits for a client."""
        with self._changed:
            if self._clients:
                self._newest = state.pack()
                self._version += 1
                self._changed.notify_all()

    def stop(self) -> None:
        """Close the port and every connection."""
        close_socket(self._listener)
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            for client in self._clients:
                close_socket(client)
        self._thread.join(JOIN_TIMEOUT_S)

    def __enter__(self) -> Self:
        """Return the server, which already listens."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop."""
        self.stop()

    def _accept(self) -> None:
        while (client := accept(self._listener)) is not None:
            client.settimeout(SEND_TIMEOUT_S)
            # A small buffer: states that wait in it are stale when the client reads them.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            threading.Thread(
                target=self._serve, args=(client,), name='scene client', daemon=True
            ).start()

    def _serve(self, client: socket.socket) -> None:
        with self._changed:
            self._clients.add(client)
            sent = self._version
        try:
            while True:
                with self._changed:
                    while self._version == sent and not self._stopped:
                        self._changed.wait()
                    if self._stopped:
                        return
                    data, sent = self._newest, self._version
                client.sendall(_LENGTH.pack(len(data)) + data)
        except OSError as error:
            log.debug('scene client left: %s', error)
        finally:
            with self._changed:
                self._clients.discard(client)
            close_socket(client)


class SceneStateClient:
    """Keeps the newest state of a server, reconnecting when it goes away."""

    def __init__(self, host: str = '127.0.0.1', port: int = 15600) -> None:
        """Connect in the background; nothing is raised while the server is not there."""
        self._address = (host, port)
        self._changed = threading.Condition()
        self._states: deque[SceneState] = deque(maxlen=REMEMBERED_STATES)
        self._connection: socket.socket | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='scene reader', daemon=True)
        self._thread.start()

    @property
    def connected(self) -> bool:
        """Whether a server is there."""
        return self._connection is not None

    def newest(self) -> SceneState | None:
        """Return the newest state; None before the first. Its stamp says how old it is."""
        with self._changed:
            return self._states[-1] if self._states else None

    def before(self, stamp_ns: int) -> SceneState | None:
        """Return the newest state stamped at or before `stamp_ns` [ns]; None if none is kept."""
        with self._changed:
            return next((s for s in reversed(self._states) if s.stamp_ns <= stamp_ns), None)

    def wait_newer(self, stamp_ns: int, timeout: float) -> SceneState | None:
        """Wait up to `timeout` [s] for a state stamped after `stamp_ns` [ns]; None if none came."""

        def is_newer() -> bool:
            return bool(self._states) and self._states[-1].stamp_ns > stamp_ns

        with self._changed:
            return self._states[-1] if self._changed.wait_for(is_newer, timeout) else None

    def close(self) -> None:
        """Disconnect and end the thread."""
        self._stop.set()
        connection = self._connection
        if connection is not None:
            close_socket(connection)
        self._thread.join(CONNECT_TIMEOUT_S + JOIN_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with socket.create_connection(self._address, CONNECT_TIMEOUT_S) as connection:
                    self._read(connection)
            except OSError as error:
                log.debug('no scene states from %s:%d: %s', *self._address, error)
            except BadSceneState as error:
                log.error('%s:%d: %s', *self._address, error)
            finally:
                self._connection = None
            self._stop.wait(RETRY_S)

    def _read(self, connection: socket.socket) -> None:
        connection.settimeout(None)
        self._connection = connection
        while not self._stop.is_set():
            head = receive_exactly(connection, _LENGTH.size)
            length = _LENGTH.unpack(head)[0] if head else 0
            if not 0 < length < 1 << 20:
                return
            data = receive_exactly(connection, length)
            if data is None:
                return
            state = SceneState.unpack(data)
            with self._changed:
                self._states.append(state)
                self._changed.notify_all()
