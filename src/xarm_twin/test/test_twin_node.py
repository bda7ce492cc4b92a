"""The twin's process: physics in real time, ground truth on topics, the controller's protocol."""

import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseArray
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import Float64, Int64
from std_srvs.srv import Trigger

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.messages import poses_array, stamp_ns
from ibc_contract.ros import latched, newest
from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from waiting import wait_for
from xarm_twin.node import XarmTwinNode
from xarm_twin.real_time import RealTimeTwin
from xarm_twin.scene_state import SceneState, SceneStateClient
from xarm_twin.tasks import get_task
from xarm_twin.world import World

ANY_PORTS = {'control_port': 0, 'report_port_base': 0, 'scene_port': 0, 'fault_port': 0}


@pytest.fixture
def world() -> Iterator[World]:
    world = World(get_task('push_red'), seed=0)
    yield world
    world.close()


@pytest.fixture
def make_node(ros: Any) -> Iterator[Callable[..., XarmTwinNode]]:
    nodes: list[XarmTwinNode] = []

    def make(**parameters: Any) -> XarmTwinNode:
        overrides = [Parameter(name, value=v) for name, v in {**ANY_PORTS, **parameters}.items()]
        nodes.append(XarmTwinNode(context=ros.context, parameter_overrides=overrides))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()
        node.destroy_node()


class Probe(Node):
    """Listens to the ground truth."""

    def __init__(self, ros: Any) -> None:
        super().__init__('probe', context=ros.context)
        self.objects: list[PoseArray] = []
        self.scores: list[float] = []
        self.create_subscription(PoseArray, topics.TWIN_OBJECTS, self.objects.append, newest(10))
        self.create_subscription(
            Float64, topics.TWIN_SCORE, lambda message: self.scores.append(message.data), newest(10)
        )
        self.seeds: list[int] = []
        self.create_subscription(
            Int64, topics.TWIN_SEED, lambda message: self.seeds.append(message.data), latched()
        )
        self.reset = self.create_client(Trigger, topics.TWIN_RESET)


@pytest.fixture
def probe(ros: Any) -> Iterator[Probe]:
    probe = Probe(ros)
    yield probe
    probe.destroy_node()


def test_physics_keeps_real_time_and_counts_what_it_skips(world: World) -> None:
    stalls = iter([0.1])
    states: list[SceneState] = []

    def on_state(state: SceneState) -> None:
        states.append(state)
        time.sleep(next(stalls, 0.0))

    twin = RealTimeTwin(world, on_state)
    twin.start()
    try:
        assert wait_for(lambda: len(states) >= 20)
        pace = twin.take_pace()
        assert pace.missed >= 15
        assert pace.real_time_factor < 1.0
        stamps = [state.stamp_ns for state in states]
        assert stamps == sorted(set(stamps))
    finally:
        twin.stop()
    steps = world.time / world.dt
    time.sleep(0.05)
    assert world.time / world.dt == steps


def test_joint_targets_move_the_arm_and_reset_leaves_it(world: World) -> None:
    twin = RealTimeTwin(world)
    twin.start()
    try:
        target = np.add(xarm6.HOME_Q, (0.1, 0.05, -0.05, 0.0, 0.0, 0.2))
        twin.set_joint_targets(target)
        assert wait_for(lambda: np.abs(twin.joint_positions() - target).max() < 2e-3)
        before = twin.newest().objects
        twin.reset(5)
        after = twin.newest().objects
        assert np.abs(after - before).max() > 0.005
        expected = world.task.sample_layout(np.random.default_rng(5))
        np.testing.assert_allclose(after[:, :2], expected[:, :2], atol=2e-3)
        assert np.abs(twin.joint_positions() - target).max() < 2e-3
    finally:
        twin.stop()


def test_a_delay_put_in_by_hand_holds_joint_targets_back(world: World) -> None:
    twin = RealTimeTwin(world, arm_delay=0.3)
    twin.start()
    try:
        told = time.monotonic()
        twin.set_joint_targets(np.add(xarm6.HOME_Q, 0.05))
        assert wait_for(lambda: np.abs(twin.joint_positions() - xarm6.HOME_Q).max() > 2e-3)
        assert time.monotonic() - told >= 0.3
    finally:
        twin.stop()


def put_tool_on_a_block(world: World, seed: int) -> None:
    """Stand the tool where the layout of `seed` has its first block."""
    x, y = world.task.sample_layout(np.random.default_rng(seed))[0, :2]
    kinematics = Xarm6Kinematics()
    world.set_joint_positions(kinematics.planar((x, y), xarm6.HOME_Q))
    kinematics.close()


def test_no_object_is_laid_onto_the_tool(world: World) -> None:
    put_tool_on_a_block(world, 5)
    twin = RealTimeTwin(world)
    before = twin.newest().objects
    with pytest.raises(IbcError, match='layout of seed 5 has an object: call arm/home first'):
        twin.reset(5)
    np.testing.assert_allclose(world.object_poses(), before, atol=1e-9)
    world.set_joint_positions(xarm6.HOME_Q)
    twin.reset(5)
    expected = world.task.sample_layout(np.random.default_rng(5))
    np.testing.assert_allclose(world.object_poses(), expected, atol=1e-9)


def test_an_error_in_the_physics_is_not_silent(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(state: SceneState) -> None:
        raise RuntimeError('broken on purpose')

    twin = RealTimeTwin(world, break_down)
    twin.start()
    assert wait_for(lambda: twin.failed)
    twin.stop()
    assert 'broken on purpose' in caplog.text


def test_ground_truth_and_reset(
    ros: Any, make_node: Callable[..., XarmTwinNode], probe: Probe
) -> None:
    node = make_node(task='insert_blue', seed=3)
    assert ros.spin_until(lambda: len(probe.objects) >= 5 and bool(probe.scores), node, probe)
    first = probe.objects[-1]
    assert first.header.frame_id == 'link_base'
    assert abs(stamp_ns(first) - time.time_ns()) < 5e9
    assert all(0.0 <= score <= 1.0 for score in probe.scores)
    task = get_task('insert_blue')
    layout = task.sample_layout(np.random.default_rng(3))
    np.testing.assert_allclose(poses_array(first)[:, :2], layout[:, :2], atol=2e-3)

    assert ros.spin_until(probe.reset.service_is_ready, node, probe)
    future = probe.reset.call_async(Trigger.Request())
    assert ros.spin_until(future.done, node, probe)
    response = future.result()
    assert (response.success, response.message) == (True, 'layout of seed 4')
    assert ros.spin_until(lambda: bool(probe.seeds) and probe.seeds[-1] == 4, node, probe)
    probe.objects.clear()
    assert ros.spin_until(lambda: len(probe.objects) >= 2, node, probe)
    layout = task.sample_layout(np.random.default_rng(4))
    np.testing.assert_allclose(poses_array(probe.objects[-1])[:, :2], layout[:, :2], atol=2e-3)


def test_a_reset_onto_the_tool_is_refused_and_uses_no_seed_up(
    ros: Any, make_node: Callable[..., XarmTwinNode], probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = make_node(task='push_red', seed=3)
    assert ros.spin_until(probe.reset.service_is_ready, node, probe)

    def ask() -> Trigger.Response:
        future = probe.reset.call_async(Trigger.Request())
        assert ros.spin_until(future.done, node, probe)
        return future.result()

    monkeypatch.setattr(World, 'tool_is_clear', lambda *_: False)
    refused = ask()
    assert not refused.success
    assert 'seed 4' in refused.message
    assert 'arm/home' in refused.message
    monkeypatch.undo()
    assert ask().message == 'layout of seed 4'


def test_an_error_in_the_physics_ends_the_node_with_code_2(
    ros: Any, make_node: Callable[..., XarmTwinNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    def step() -> None:
        raise RuntimeError('broken on purpose')

    node = make_node()
    monkeypatch.setattr(node.twin._world, 'step', step)
    assert ros.spin_until(lambda: node.exit_code is not None, node)
    assert node.exit_code == 2


def test_servo_commands_on_the_wire_move_the_simulated_arm(
    make_node: Callable[..., XarmTwinNode],
) -> None:
    node = make_node()
    client = SceneStateClient(port=node.scene.port)
    address = (node.controller.host, node.controller.port)
    with socket.create_connection(address, timeout=5.0) as controller:

        def request(register: int, params: bytes = b'') -> bytes:
            frame = struct.pack('>HHHB', 1, 2, 1 + len(params), register) + params
            controller.sendall(frame)
            return controller.recv(256)[7:]

        request(11, b'\x08\x01')
        request(19, b'\x01\x00')
        request(12, b'\x00')
        q = list(struct.unpack('<7f', request(42, b'\x01')[1:]))
        np.testing.assert_allclose(q[:6], xarm6.HOME_Q, atol=2e-3)
        for _ in range(30):
            q[0] += 0.005
            assert request(29, struct.pack('<10f', *q, 0.0, 0.0, 0.0)) == b'\x00'
            time.sleep(0.01)
        try:
            assert wait_for(lambda: abs(node.twin.joint_positions()[0] - q[0]) < 2e-3)
            assert wait_for(lambda: client.newest() is not None)
            state = client.wait_newer(time.time_ns(), timeout=5.0)
            assert state is not None
            assert state.task == 'push_red'
            assert state.q[0] == pytest.approx(q[0], abs=2e-3)
        finally:
            client.close()


@pytest.mark.parametrize('parameter', ['control_port', 'scene_port', 'fault_port'])
def test_a_taken_port_is_one_line(make_node: Callable[..., XarmTwinNode], parameter: str) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(IbcError, match=f'127.0.0.1:{port} is in use'):
            make_node(**{parameter: port})


@pytest.mark.parametrize(('name', 'value'), [('task', 'juggle'), ('host', '0.0.0.0'), ('task', '')])
def test_wrong_parameters_are_refused(
    make_node: Callable[..., XarmTwinNode], name: str, value: str
) -> None:
    with pytest.raises(IbcError) as caught:
        make_node(**{name: value})
    assert '\n' not in str(caught.value)
