"""The real SDK against the emulated controller, a cable that can be pulled, and the node."""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from ibc_contract import topics
from ibc_contract.ros import newest
from planar_arm import xarm6
from waiting import wait_for
from xarm_planar_driver.arbitration import Command, Source
from xarm_planar_driver.config import DriverConfig
from xarm_planar_driver.driver import PlanarDriver
from xarm_planar_driver.node import XarmPlanarDriverNode
from xarm_planar_driver.phases import Outcome, Request
from xarm_planar_driver.servo_loop import TickReport
from xarm_twin.controller import EmulatedController, Identity, LagPlant, inject
from xarm_twin.controller.flange import tcp_pose_mm

QOS: QoSProfile = newest(50)

TOOL_MM = (0.0, 0.0, xarm6.TOOL_LENGTH * 1e3, 0.0, 0.0, 0.0)
PATH_STEP = 0.002
SPEED_WINDOW = 0.1
"""Speeds are means over this long [s]: a tick that comes late is no faster motion."""

LEAD_SPEED = 0.12
LEAD_PERIOD = 0.05
LEAD_REACH = 0.12
"""How a person leads: [m/s], [s], [m] to either side."""


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
        return self.driver.request(request).result(30.0)

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


class Operator(Node):
    """What stands around the driver: commands, services, and what it publishes."""

    def __init__(self, ros) -> None:
        super().__init__('operator', context=ros.context)
        self._ros = ros
        self.newest: dict[str, object] = {}
        self.counts: dict[str, int] = {}
        self._commands = {
            name: self.create_publisher(Vector3Stamped, name, QOS)
            for name in (topics.TELEOP_DELTA, topics.POLICY_DELTA)
        }
        for kind, name in (
            (JointState, topics.JOINT_STATES),
            (PoseStamped, topics.TCP_POSE),
            (PoseStamped, topics.TCP_SETPOINT),
            (DiagnosticArray, topics.DIAGNOSTICS),
        ):
            self.create_subscription(kind, name, self._keeper(name), QOS)

    def _keeper(self, name):
        def keep(message):
            self.newest[name] = message
            self.counts[name] = self.counts.get(name, 0) + 1

        return keep

    def move(self, x, y, topic=topics.TELEOP_DELTA):
        message = Vector3Stamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = topics.LINK_BASE
        message.vector.x, message.vector.y = float(x), float(y)
        self._commands[topic].publish(message)

    def point(self, name):
        """(x, y) of the newest pose on a topic, relative to home [m]."""
        position = self.newest[name].pose.position
        return position.x - xarm6.HOME_XY[0], position.y - xarm6.HOME_XY[1]

    @property
    def diagnosis(self):
        status = self.newest[topics.DIAGNOSTICS].status[0]
        return status.level, status.message, {pair.key: pair.value for pair in status.values}


class Stage:
    """Driver node and operator, spun together; or an operator whose driver runs elsewhere."""

    def __init__(self, ros, emulator=None, **settings) -> None:
        self._ros = ros
        self.driver = None if emulator is None else make_driver(ros, emulator, **settings)
        self.operator = Operator(ros)

    @property
    def _nodes(self):
        return [node for node in (self.driver, self.operator) if node is not None]

    def until(self, predicate, timeout=20.0):
        return self._ros.spin_until(predicate, *self._nodes, timeout=timeout)

    def call(self, name, kind=Trigger, **fields):
        client = self.operator.create_client(kind, name)
        assert self.until(client.service_is_ready)
        future = client.call_async(kind.Request(**fields))
        assert self.until(future.done, timeout=40.0)
        return future.result()

    def ready(self):
        """Whether the driver follows commands and the operator is heard."""
        publishers = self.operator._commands.values()
        return self.until(
            lambda: (
                topics.TCP_SETPOINT in self.operator.newest
                and self.in_phase('active')
                and all(publisher.get_subscription_count() for publisher in publishers)
            )
        )

    def diagnosed(self, text):
        operator = self.operator
        return topics.DIAGNOSTICS in operator.newest and text in operator.diagnosis[1]

    def in_phase(self, phase):
        operator = self.operator
        return topics.DIAGNOSTICS in operator.newest and operator.diagnosis[2].get('phase') == phase

    def at(self, x, y, within=1e-6):
        """Whether setpoint and measured pose arrive at (x, y) relative to home [m]."""

        def there():
            setpoint = self.operator.point(topics.TCP_SETPOINT)
            measured = self.operator.point(topics.TCP_POSE)
            return (
                math.dist(setpoint, (x, y)) < within and math.dist(measured, (x, y)) < within + 1e-4
            )

        return self.until(there)

    @property
    def state(self):
        """Id of the driver's lifecycle state."""
        return self.driver._state_machine.current_state[0]

    def close(self):
        if self.driver is not None:
            self.driver.close()
        for node in self._nodes:
            node.destroy_node()


def make_driver(ros, emulator, **settings) -> XarmPlanarDriverNode:
    values = vars(config_for(emulator, **settings))
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    return XarmPlanarDriverNode(context=ros.context, parameter_overrides=overrides)


class TrackedPlant(LagPlant):
    """An emulated arm that remembers what it was told, so that its motion can be replayed."""

    def __init__(self, q) -> None:
        super().__init__(q)
        self._start = np.array(q, float)
        self._told: list[tuple[float, np.ndarray]] = [(time.monotonic(), self._start)]

    def set_joint_targets(self, q) -> None:
        super().set_joint_targets(q)
        self._told.append((time.monotonic(), np.array(q, float)))

    def path(self, begin: float, end: float) -> np.ndarray:
        """Tool positions (N, 3) [m] every PATH_STEP from `begin` to `end` [s]."""
        now = self._told[0][0]
        plant = LagPlant(self._start, clock=lambda: now)
        told, points = list(self._told), []
        for t in np.arange(begin, end, PATH_STEP):
            while told and told[0][0] <= t:
                now, target = told.pop(0)
                plant.set_joint_targets(target)
            now = t
            points.append(tcp_pose_mm(plant.joint_positions(), TOOL_MM)[:3] * 1e-3)
        return np.array(points)


class Bench:
    """An emulated arm, the driver's node, and an operator who leads the tool about."""

    def __init__(self, ros, identity: Identity | None = None, **settings) -> None:
        self.arm = TrackedPlant(xarm6.HOME_Q)
        self.controller = EmulatedController(self.arm, identity=identity)
        self.controller.start()
        self._settings = settings
        self.ros = ros
        self.said: list[tuple[int, str]] = []
        """Level and message of every diagnostics."""

    def start(self, driver: bool = True) -> Stage:
        """Start operator and node, or the operator alone."""
        emulator = self.controller if driver else None
        self.stage = Stage(self.ros, emulator, **self._settings)
        self.stage.operator.create_subscription(
            DiagnosticArray, topics.DIAGNOSTICS, self._hear, QOS
        )
        return self.stage

    def _hear(self, message: DiagnosticArray) -> None:
        self.said += [(status.level[0], status.message) for status in message.status]

    def inject(self, name: str, value: float | None = None, seconds: float | None = None) -> float:
        """Let a fault happen; return when [s]."""
        self.said.clear()
        now = time.monotonic()
        inject(self.controller, name, value, seconds)
        return now

    def lead(self, seconds: float) -> None:
        """Lead the tool to and fro at LEAD_SPEED, whatever the driver makes of it."""
        end = time.monotonic() + seconds
        y, step = self.stage.operator.point(topics.TCP_SETPOINT)[1], LEAD_SPEED * LEAD_PERIOD
        while time.monotonic() < end:
            self._sign = -1 if y > LEAD_REACH else 1 if y < -LEAD_REACH else self._sign
            self.stage.operator.move(0.0, self._sign * step)
            self.stage.until(lambda: False, timeout=LEAD_PERIOD)
            y = self.stage.operator.point(topics.TCP_SETPOINT)[1]

    _sign = 1

    def hears(self, text: str, level: int | None = None) -> bool:
        """Whether diagnostics say `text` in time, at that level."""
        return self.stage.until(
            lambda: any(text in said and level in (None, at) for at, said in self.said)
        )

    def travel(self, begin: float, end: float | None = None) -> tuple[float, float]:
        """How far the tool got from where it was [m], and its top speed [m/s]."""
        path = self.arm.path(begin, time.monotonic() if end is None else end)
        window = round(SPEED_WINDOW / PATH_STEP)
        steps = np.linalg.norm(path[window:] - path[:-window], axis=1) / SPEED_WINDOW
        return float(np.linalg.norm(path - path[0], axis=1).max()), float(steps.max())

    def goes_on(self) -> bool:
        """Whether the tool follows again."""
        begin = time.monotonic()
        while time.monotonic() < begin + 15.0:  # a busy machine makes the motion slow
            self.lead(0.5)
            if self.stage.in_phase('active') and self.travel(begin)[0] > 0.01:
                return True
        return False

    def close(self) -> None:
        if hasattr(self, 'stage'):
            self.stage.close()
        threading.Thread(target=self.controller.stop, daemon=True).start()


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


def config_for(controller: EmulatedController, **settings) -> DriverConfig:
    values = {
        'robot_ip': controller.host,
        'control_port': controller.port,
        'report_port_base': controller.report_ports['normal'] - 1,
        'realtime_priority': 0,
        'connect_wait': 0.0,
        'home_joint_speed': 1.0,
        'table_file': 'twin',
        **settings,
    }
    return DriverConfig(**values)
