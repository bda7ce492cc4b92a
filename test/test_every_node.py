"""Every node as a process, at its work: what it tells of itself, and how a signal ends it.

One stack per signal: the commands of `ibc up`, real SDK, emulated controller, real window. The
nodes are ended in an order in which the others still have what they need.
"""

import contextlib
import itertools
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Vector3, Vector3Stamped
from rcl_interfaces.msg import ParameterType
from rcl_interfaces.srv import DescribeParameters, ListParameters
from rclpy.node import Node
from std_msgs.msg import Header, String
from std_srvs.srv import SetBool, Trigger

from desktop import private_desktop
from ibc_bringup.ports import free_twin_ports
from ibc_bringup.stack import NodeCall
from ibc_bringup.stacks import STACKS
from ibc_bringup.up import ros_environment
from ibc_contract import topics
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.ros import latched, newest
from planar_arm.kinematics import Xarm6Kinematics
from xarm_twin.controller.fault_port import ask
from xarm_twin.controller.firmware import State

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.system, pytest.mark.display]

GUESTS = ('demonstrator', 'trials', 'replay_bag')
"""They use the cell, and are ended before it."""
CELL = (
    'ibc_policy',
    'demo_recorder',
    'teleop_mouse',
    'realsense_capture',
    'xarm_planar_driver',
    'xarm_twin',
)
PATIENCE_S = 120.0
ENDS_WITHIN_S = 60.0
"""On a busy machine; docs/reliability.md has what was measured on a quiet one."""
COAST_M = 0.06
"""How far the tool goes on at most once its leader has ended: a policy's move and its lag."""
LEAD_STEP_M = 0.006


class Observer(Node):
    """Hears what the nodes say, and leads the tool to and fro when it is told to."""

    def __init__(self, context) -> None:
        super().__init__('observer', context=context)
        self.statuses: dict[str, DiagnosticStatus] = {}
        self.recorder = ''
        self.moves = 0
        self.leading = False
        self._step = LEAD_STEP_M
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_status, 50)
        self.create_subscription(String, topics.RECORDER_STATE, self._on_recorder, latched())
        self.create_subscription(Vector3Stamped, topics.TELEOP_DELTA, self._on_delta, newest(50))
        self._deltas = self.create_publisher(Vector3Stamped, topics.TELEOP_DELTA, newest(10))
        # There before the nodes are: a server that answers knows its client.
        self.asking = {
            service: self.create_client(kind, service)
            for service, kind in (
                (topics.POLICY_ENABLE, SetBool),
                (topics.RECORDER_START, Trigger),
                (topics.RECORDER_STOP, Trigger),
                *((f'{name}/list_parameters', ListParameters) for name in (*GUESTS, *CELL)),
                *((f'{name}/describe_parameters', DescribeParameters) for name in (*GUESTS, *CELL)),
            )
        }
        self.create_timer(0.05, self._lead)
        self.create_timer(1.0, self._turn)

    def _on_status(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.statuses[status.name.partition(':')[0]] = status

    def _on_recorder(self, message: String) -> None:
        self.recorder = message.data

    def _on_delta(self, message: Vector3Stamped) -> None:
        self.moves += message.vector.x != 0 or message.vector.y != 0

    def _turn(self) -> None:
        self._step = -self._step

    def _lead(self) -> None:
        if self.leading:
            header = Header(stamp=self.get_clock().now().to_msg(), frame_id=topics.LINK_BASE)
            self._deltas.publish(Vector3Stamped(header=header, vector=Vector3(y=self._step)))


class Cell:
    """A whole stack, its nodes started one by one as `ibc up` starts them."""

    def __init__(self, ros, desktop, folder: Path, number: signal.Signals) -> None:
        """`number` is the signal that ends its nodes."""
        self._ros, self._desktop, self._folder, self._number = ros, desktop, folder, number
        self.bags = folder / 'bags'
        self._ports = free_twin_ports()
        self._kinematics = Xarm6Kinematics()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.observer = Observer(ros.context)
        for name in (*reversed(CELL), 'bringup'):
            self._start(name)
        assert self.until(lambda: self.observer.statuses.keys() >= set(CELL)), self.said()
        assert self.until(lambda: 'active' in self._phase()), self.said()
        desktop.find_window()

    def _phase(self) -> str:
        values = self.observer.statuses['xarm_planar_driver'].values
        return next((pair.value for pair in values if pair.key == 'phase'), '')

    def _calls(self) -> Iterator[NodeCall]:
        common = {**self._ports, 'task': 'push_red'}
        shown = {'demonstrator': 'true', 'episodes': '100', 'root': str(self.bags)}
        tried = {'model': 'push_red_then_green', 'enabled': 'false', 'trials': '100'}
        given = {'run_policy': {**tried, 'teleop': 'true'}, 'teleop_record': shown}
        for bag in self.episodes():
            given['replay_bag'] = {'bag': str(bag)}
        for name, values in given.items():
            yield from STACKS[name].calls(STACKS[name].values({**common, **values}))

    def _start(self, name: str) -> None:
        call = next(call for call in self._calls() if call.process.name == name)
        with self._log(name).open('wb') as log:
            self._processes[name] = subprocess.Popen(
                call.command(),
                cwd=self._folder,
                env=self._desktop.env(ros_environment(self._ros.env)),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _log(self, name: str) -> Path:
        return self._folder / f'{name}.log'

    def said(self, *names: str) -> str:
        """What these nodes have written; all of them if none is named."""
        chosen = names or tuple(self._processes)
        return '\n'.join(f'{n}: {self._log(n).read_text(errors="replace")}' for n in chosen)

    def until(self, predicate: Callable[[], bool], timeout: float = PATIENCE_S) -> bool:
        return self._ros.spin_until(predicate, self.observer, timeout=timeout)

    def call(self, service: str, **fields):
        client = self.observer.asking[service]
        assert self.until(client.service_is_ready), service
        future = client.call_async(client.srv_type.Request(**fields))
        assert self.until(future.done), service
        return future.result()

    def bring_to_work(self, name: str) -> None:
        """Start a guest, and wait until the node does what it is there for."""
        assert name not in self._processes or self._processes[name].poll() is None
        if name in GUESTS:
            if name == 'replay_bag':
                self._record()
            self._start(name)
            assert self.until(lambda: name in self.observer.statuses), self.said(name)
        match name:
            case 'demonstrator':
                assert self.until(lambda: self.observer.recorder.startswith('recording'))
                self._moves()
            case 'trials':
                assert self.until(self.policy_acts), self.said()
            case 'replay_bag':
                self._moves()
            case 'ibc_policy':
                assert self.call(topics.POLICY_ENABLE, data=True).success
                assert self.until(self.policy_acts), self.said()
            case 'demo_recorder':
                self._open_episode()
                self.observer.leading = True
                self._moves()
            case 'teleop_mouse':
                self._drag()
            case 'xarm_planar_driver':
                self.observer.leading = True
                self._moves()

    def policy_acts(self) -> bool:
        """Whether it is enabled; on a busy machine frames may be too old for it to move."""
        values = self.observer.statuses['ibc_policy'].values
        return ('enabled', 'True') in {(pair.key, pair.value) for pair in values}

    def _moves(self) -> None:
        """Wait until somebody has led the tool for a while."""
        before = self.observer.moves
        assert self.until(lambda: self.observer.moves >= before + 3), self.said()

    def _drag(self) -> None:
        """Hold the mouse button, again where a late picture has made the window let go of it."""
        width, height = self._desktop.window_size()
        shares = itertools.cycle((0.5, 0.4))  # the tool may be at one of them already
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._desktop.do('mouseup 1')
            self._desktop.point(width * next(shares), height / 2)
            self._desktop.do('mousedown 1')
            before = self.observer.moves
            if self.until(lambda before=before: self.observer.moves >= before + 3, timeout=2.0):
                return
        pytest.fail(self.said('teleop_mouse'))

    def _open_episode(self) -> None:
        if not self.observer.recorder.startswith('recording'):
            assert self.call(topics.RECORDER_START).success

    def _record(self) -> None:
        """Have an episode to replay."""
        self._open_episode()
        self.observer.leading = True
        self.until(lambda: False, timeout=1.5)
        self.observer.leading = False
        assert self.call(topics.RECORDER_STOP).success

    def end(self, name: str) -> tuple[int | None, float]:
        """Send the signal; return the exit code and how long it took [s]."""
        process, begin = self._processes[name], time.monotonic()
        process.send_signal(self._number)
        self.until(lambda: process.poll() is not None, timeout=ENDS_WITHIN_S)
        took_s = time.monotonic() - begin
        self.observer.leading = False
        return process.returncode, took_s

    def leaves_nothing_behind(self, name: str) -> bool:
        """Whether no process of the node's session runs."""
        return self._processes[name].pid not in map(session_of, processes())

    def tool(self) -> np.ndarray:
        """Where the emulated arm has its tool, (3,) [m]."""
        joints = ask({'do': 'state'}, int(self._ports['fault_port']))['joints_deg']
        return np.asarray(self._kinematics.forward(np.radians(joints)).position)

    def arm_state(self) -> int:
        return ask({'do': 'state'}, int(self._ports['fault_port']))['state']

    def coasts(self) -> float:
        """Wait until the tool is at rest; return how far it was from there [m]."""
        begin = here = self.tool()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.until(lambda: False, timeout=0.15)
            before, here = here, self.tool()
            if np.linalg.norm(here - before) < 1e-4:
                return float(np.linalg.norm(here - begin))
        pytest.fail('the tool does not come to rest')

    def episodes(self) -> set[Path]:
        return set(find_episodes(self.bags)) if self.bags.exists() else set()

    def close(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.observer.destroy_node()


def processes() -> list[int]:
    return [int(entry) for entry in os.listdir('/proc') if entry.isdigit()]


def session_of(pid: int) -> int:
    """Session of a process that is not yet over, else 0."""
    try:
        state, _, _, session = Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[:4]
    except OSError:
        return 0
    return 0 if state == 'Z' else int(session)


@pytest.fixture(scope='module', params=[signal.SIGINT, signal.SIGTERM], ids=['SIGINT', 'SIGTERM'])
def cell(request, make_ros, tmp_path_factory) -> Iterator[Cell]:
    with private_desktop() as desktop:
        cell = Cell(make_ros(), desktop, tmp_path_factory.mktemp('cell'), request.param)
        yield cell
        cell.close()


@pytest.mark.parametrize('name', [*GUESTS, *CELL])
def test_a_node_says_what_it_is_and_ends_on_a_signal_while_the_arm_is_held(cell, name):
    cell.bring_to_work(name)
    every_parameter_is_described(cell, name)
    diagnostics_have_numbers(cell, name)
    episodes = cell.episodes()
    recording = cell.observer.recorder.startswith('recording')

    began_at = cell.tool()
    code, took_s = cell.end(name)
    said = cell.said(name)
    assert code == 0, said
    assert took_s < ENDS_WITHIN_S
    assert 'Traceback' not in said
    assert 'error' not in said.lower()
    assert cell.leaves_nothing_behind(name)
    if name == 'demo_recorder':
        assert recording
        (saved,) = cell.episodes() - episodes
        assert EpisodeReader(saved).counts[topics.TCP_SETPOINT] > 0
        assert not list(cell.bags.glob('*.partial'))
    if name == 'trials':
        assert cell.until(lambda: not cell.policy_acts())
    if name == 'xarm_planar_driver':
        assert cell.arm_state() == State.STOPPED
    if name != 'xarm_twin':
        coasted_m = cell.coasts()
        moved_m = float(np.linalg.norm(cell.tool() - began_at))
        log.info(
            '%s: ended after %.2f s; the tool came to rest %.0f mm from where it was at the signal '
            'and %.0f mm from where it was then',
            name,
            took_s,
            moved_m * 1e3,
            coasted_m * 1e3,
        )
        assert coasted_m < COAST_M


def every_parameter_is_described(cell: Cell, name: str) -> None:
    names = set(cell.call(f'{name}/list_parameters').result.names)
    names -= topics.PARAMETERS_OF_EVERY_NODE
    assert names
    described = cell.call(f'{name}/describe_parameters', names=sorted(names))
    for descriptor in described.descriptors:
        assert descriptor.description, descriptor.name
        if descriptor.type == ParameterType.PARAMETER_INTEGER:
            (span,) = descriptor.integer_range
            assert span.from_value < span.to_value, descriptor.name
        if descriptor.type == ParameterType.PARAMETER_DOUBLE:
            (span,) = descriptor.floating_point_range
            assert span.from_value < span.to_value, descriptor.name
            assert '[' in descriptor.description, f'{descriptor.name}: no unit'


def diagnostics_have_numbers(cell: Cell, name: str) -> None:
    status = cell.observer.statuses[name]
    assert status.message
    numbers = [pair.key for pair in status.values if any(c.isdigit() for c in pair.value)]
    assert len(numbers) >= 2, status.values
