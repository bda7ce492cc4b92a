"""The real SDK against the emulated controller, a cable that can be pulled, and the node."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from driver_bench import Bench
from driver_stage import Stage, config_for
from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from waiting import PATIENCE_S, wait_for
from xarm_planar_driver.arbitration import Command, Source
from xarm_planar_driver.config import DriverConfig
from xarm_planar_driver.driver import PlanarDriver
from xarm_planar_driver.phases import Outcome, Request
from xarm_planar_driver.servo_loop import TickReport
from xarm_twin.controller import EmulatedController, LagPlant


class Cable:
    """Forwards TCP to a port; frozen, it swallows everything and closes nothing."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._sockets: list[socket.socket] = []
        self.frozen = threading.Event()
        self._listener = socket.create_server(('127.0.0.1', 0))
        self._listener.settimeout(None)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(('127.0.0.1', self._target))
                for sock in (client, server):
                    sock.settimeout(None)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [client, server]
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._forward, args=pair, daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if not self.frozen.is_set():
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)


class DriverUnderTest:
    """A driver, what it said, and what tests ask of it.

    Timeouts are generous: the machine that runs the tests may be busy.
    """

    def __init__(self, config: DriverConfig) -> None:
        self.reports: list[TickReport] = []
        self.ended: list[Exception] = []
        self.driver = PlanarDriver(config, self.reports.append, self.ended.append)

    @property
    def newest(self) -> TickReport:
        assert wait_for(lambda: bool(self.reports))
        return self.reports[-1]

    @property
    def interventions(self) -> dict[str, int]:
        return self.driver.status().interventions

    def ask(self, request: Request) -> Outcome:
        return self.driver.request(request).result(PATIENCE_S)

    def move(self, x: float, y: float, source: Source = Source.TELEOP) -> None:
        self.driver.submit(Command(source, np.array((x, y)), time.time_ns()))

    def settles_at(self, x: float, y: float, within: float = 1e-6) -> bool:
        """Whether setpoint and measured tool get to (x, y) relative to home [m]."""
        point = (xarm6.HOME_XY[0] + x, xarm6.HOME_XY[1] + y)

        def there() -> bool:
            newest = self.newest
            return (
                newest.setpoint_xy is not None
                and math.dist(newest.setpoint_xy, point) < within
                and math.dist(newest.tcp.position[:2], point) < within + 1e-4
            )

        return wait_for(there)


@pytest.fixture(scope='module')
def kinematics():
    solver = Xarm6Kinematics()
    yield solver
    solver.close()


@pytest.fixture(name='config_for')
def config_for_fixture() -> Callable[..., DriverConfig]:
    return config_for


@pytest.fixture
def emulator() -> Iterator[EmulatedController]:
    """An emulated arm with the tool at home."""
    controller = EmulatedController(LagPlant(xarm6.HOME_Q))
    controller.start()
    yield controller
    # The next test has ports of its own and need not wait until every thread here has woken up.
    threading.Thread(target=controller.stop, daemon=True).start()


@pytest.fixture
def cable(emulator: EmulatedController) -> Iterator[Cable]:
    made = Cable(emulator.port)
    yield made
    made.close()


@pytest.fixture
def connect() -> Iterator[Callable[..., DriverUnderTest]]:
    """Make drivers for an emulator; they are closed after the test."""
    made: list[DriverUnderTest] = []

    def make(controller: EmulatedController, **settings) -> DriverUnderTest:
        under_test = DriverUnderTest(config_for(controller, **settings))
        made.append(under_test)
        return under_test

    yield make
    for under_test in made:
        under_test.driver.close()


@pytest.fixture(scope='module')
def benches(make_ros) -> Iterator[Callable[..., Bench]]:
    """Make benches; they are closed after the module."""
    made: list[Bench] = []

    def make(**settings) -> Bench:
        made.append(Bench(make_ros(), **settings))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('xarm_planar_driver.node.DIAGNOSE_PERIOD', 0.1)
        yield make
        for bench in made:
            bench.close()


@pytest.fixture(scope='module')
def shared(benches) -> Bench:
    """A bench whose arm is ready, shared by the faults that it survives."""
    bench = benches()
    assert bench.start().ready()
    return bench


@pytest.fixture
def make_stage(ros, emulator, monkeypatch):
    # Most tests wait for the first diagnostics, and then for the next.
    monkeypatch.setattr('xarm_planar_driver.node.DIAGNOSE_PERIOD', 0.1)
    made = []

    def make(**settings):
        made.append(Stage(ros, emulator, **settings))
        return made[-1]

    yield make
    for stage in made:
        stage.close()


@pytest.fixture
def stage(make_stage):
    return make_stage()
