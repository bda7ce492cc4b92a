"""The node on a private ROS graph, with a tiny bundle."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseArray, PoseStamped, Vector3Stamped
from lifecycle_msgs.msg import State
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool

from ibc_contract import topics
from ibc_contract.contract import load_contract
from ibc_contract.errors import ContractMismatch, IbcError
from ibc_contract.images import encode_jpeg
from ibc_contract.observation import observation_window
from ibc_contract.ros import latched, newest, to_ns
from ibc_policy_node.node import PolicyNode
from implicit_bc.bundle import load_bundle
from implicit_bc.policy import LearnedPolicy

PERIOD_NS = 200_000_000


class World(Node):
    """Camera, driver and operator around the policy."""

    def __init__(self, ros, rgb) -> None:
        super().__init__('world', context=ros.context)
        self._ros, self._rgb = ros, rgb
        self.sent: list[CompressedImage] = []
        self.actions: list[Vector3Stamped] = []
        self.diagnoses: list[DiagnosticStatus] = []
        self.camera = self.create_publisher(CompressedImage, topics.CAMERA_COMPRESSED, newest())
        self.setpoint = self.create_publisher(PoseStamped, topics.TCP_SETPOINT, newest(10))
        self.objects = self.create_publisher(PoseArray, topics.TWIN_OBJECTS, newest(10))
        self.create_subscription(
            Vector3Stamped, topics.POLICY_DELTA, self.actions.append, newest(50)
        )
        self.create_subscription(
            DiagnosticArray,
            topics.DIAGNOSTICS,
            lambda array: self.diagnoses.extend(array.status),
            newest(50),
        )
        self._switch = self.create_client(SetBool, topics.POLICY_ENABLE)
        self.requests: list[Bool] = []
        self.create_subscription(Bool, topics.POLICY_ENABLED, self.requests.append, newest(10))
        self._timer = None
        self.ahead_ns = 0

    def stream_frames(self) -> None:
        self._timer = self.create_timer(0.05, self._send_frame)

    def stream_states(self) -> None:
        self._timer = self.create_timer(0.05, self._send_state)

    def pause(self) -> None:
        self._timer.cancel()

    def _send_frame(self) -> None:
        message = CompressedImage(format='jpeg')
        stamp = self.get_clock().now() + Duration(nanoseconds=self.ahead_ns)
        message.header.stamp = stamp.to_msg()
        shifted = np.roll(self._rgb, 3 * len(self.sent), axis=1)
        message.data = encode_jpeg(shifted)
        self.sent.append(message)
        self.camera.publish(message)

    def _send_state(self) -> None:
        pose, poses = PoseStamped(), PoseArray()
        pose.header.stamp = poses.header.stamp = self.get_clock().now().to_msg()
        pose.pose.position.x = 0.3
        poses.poses = [pose.pose] * 4
        self.setpoint.publish(pose)
        self.objects.publish(poses)

    def switch(self, node: PolicyNode, on: bool) -> SetBool.Response:
        assert self._ros.spin_until(self._switch.service_is_ready, self, node)
        future = self._switch.call_async(SetBool.Request(data=on))
        assert self._ros.spin_until(future.done, self, node)
        return future.result()

    def says(self, text: str) -> bool:
        return bool(self.diagnoses) and text in self.diagnoses[-1].message

    def values(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.diagnoses[-1].values}


@pytest.fixture
def world(ros, rgb):
    node = World(ros, rgb)
    yield node
    node.destroy_node()


@pytest.fixture
def start(ros):
    nodes = []

    def make(**parameters):
        overrides = [
            Parameter(name, value=str(value) if name == 'model' else value)
            for name, value in parameters.items()
        ]
        nodes.append(PolicyNode(context=ros.context, parameter_overrides=overrides))
        return nodes[-1]

    yield make
    for node in nodes:
        node.close()
        node.destroy_node()


def test_it_acts_on_frames_only_while_enabled(ros, world, start, make_bundle):
    node = start(model=make_bundle())
    world.stream_frames()
    assert ros.spin_until(lambda: len(world.diagnoses) > 1, world, node)
    assert world.diagnoses[-1].message == 'watching'
    assert not world.actions
    response = world.switch(node, True)
    assert response.success
    assert response.message == 'tiny acts'
    assert ros.spin_until(lambda: len(world.actions) >= 4, world, node)
    action = world.actions[0]
    assert action.header.frame_id == topics.LINK_BASE
    assert action.vector.z == 0.0
    assert -0.031 < action.vector.x < 0.021
    stamps = np.array([to_ns(message.header.stamp) for message in world.actions])
    periods = np.diff(stamps) / PERIOD_NS
    assert np.abs(periods - periods.round()).max() < 0.05
    assert world.switch(node, False).message == 'tiny watches'


def test_a_stop_of_the_arm_makes_it_watch_until_it_is_enabled_anew(ros, world, start, make_bundle):
    node = start(model=make_bundle(), enabled=True)
    world.stream_frames()
    arm = world.create_publisher(String, topics.ARM_STATE, latched())
    arm.publish(String(data='idle'))  # as of a driver that starts
    assert ros.spin_until(lambda: len(world.actions) >= 2, world, node)
    arm.publish(String(data='stopped'))
    arm.publish(String(data='active'))  # a person was quick
    assert ros.spin_until(lambda: world.says('the arm was stopped'), world, node)
    assert world.diagnoses[-1].level == DiagnosticStatus.WARN
    assert world.values()['enabled'] == 'False'
    assert ros.spin_until(lambda: not world.requests[-1].data, world, node)
    sent = len(world.actions)
    ros.spin_until(lambda: len(world.actions) > sent, world, node, timeout=1.0)
    assert len(world.actions) == sent
    assert world.switch(node, True).success
    assert ros.spin_until(lambda: len(world.actions) > sent, world, node)
    assert ros.spin_until(lambda: world.requests[-1].data, world, node)
    assert ros.spin_until(lambda: world.says('acting'), world, node)


def test_it_is_not_enabled_while_the_arm_is_stopped(ros, world, start, make_bundle):
    node = start(model=make_bundle())
    arm = world.create_publisher(String, topics.ARM_STATE, latched())
    arm.publish(String(data='stopped'))
    assert ros.spin_until(lambda: node._switch.refusal, world, node)
    refused = world.switch(node, True)
    assert (refused.success, refused.message) == (False, node._switch.refusal)
    assert 'arm/reset' in refused.message
    assert world.switch(node, False).success
    arm.publish(String(data='active'))
    assert ros.spin_until(lambda: not node._switch.refusal, world, node)
    assert world.switch(node, True).success


def test_an_arm_that_is_disabled_makes_it_watch(ros, world, start, make_bundle):
    node = start(model=make_bundle(), enabled=True)
    arm = world.create_publisher(String, topics.ARM_STATE, latched())
    for state in ('idle', 'homing', 'active'):
        arm.publish(String(data=state))
        assert ros.spin_until(lambda state=state: node._switch._arm_state == state, world, node)
        assert not node._switch.off_because
    arm.publish(String(data='idle'))
    assert ros.spin_until(lambda: world.says('the arm was stopped'), world, node)


def test_actions_equal_what_the_model_does_offline_on_the_same_frames(
    ros, world, start, make_bundle, monkeypatch
):
    infer = LearnedPolicy.infer
    # With time enough: on a busy machine, a search would be cut short.
    monkeypatch.setattr(
        LearnedPolicy, 'infer', lambda policy, seen, rng, _=None: infer(policy, seen, rng)
    )
    path = make_bundle()
    node = start(model=path, enabled=True, seed=3)
    # Stamped ahead, every frame has surely arrived by the first tick that may see it.
    world.ahead_ns = 100_000_000
    world.stream_frames()
    assert ros.spin_until(lambda: len(world.actions) >= 3, world, node)
    bundle = load_bundle(path)
    window = observation_window(bundle.contract)
    frames = list(world.sent)
    rng = np.random.default_rng(3)
    bundle.policy.reset(rng)
    for action in world.actions[:3]:
        tick = to_ns(action.header.stamp)
        while frames and to_ns(frames[0].header.stamp) <= tick:
            window.add(topics.CAMERA_COMPRESSED, frames.pop(0))
        expected = bundle.policy.act({'image': window.at(tick)}, rng)
        assert (action.vector.x, action.vector.y) == tuple(expected)


def test_stale_frames_skip_ticks_and_say_so(ros, world, start, make_bundle):
    node = start(model=make_bundle(), enabled=True)
    world.stream_frames()
    assert ros.spin_until(lambda: bool(world.actions), world, node)
    world.pause()
    assert ros.spin_until(
        lambda: bool(world.diagnoses) and world.diagnoses[-1].level == DiagnosticStatus.WARN,
        world,
        node,
    )
    assert topics.CAMERA_COMPRESSED in world.diagnoses[-1].message
    assert int(world.values()['skipped']) > 0
    count = len(world.actions)
    world.stream_frames()
    assert ros.spin_until(lambda: len(world.actions) > count, world, node)


def test_decisions_longer_than_the_period_are_warned_of(
    ros, world, start, make_bundle, monkeypatch
):
    decide = LearnedPolicy.infer

    def slowly(*arguments):
        time.sleep(1.2e-9 * PERIOD_NS)
        return decide(*arguments)

    monkeypatch.setattr(LearnedPolicy, 'infer', slowly)
    node = start(model=make_bundle(), enabled=True)
    world.stream_frames()
    assert ros.spin_until(
        lambda: bool(world.diagnoses) and 'longer than the period' in world.diagnoses[-1].message,
        world,
        node,
    )
    assert world.diagnoses[-1].level == DiagnosticStatus.WARN
    assert 'device:=cuda' in world.diagnoses[-1].message
    assert int(world.values()['slow']) > 0
    assert world.actions


def test_diagnostics(ros, world, start, make_bundle):
    node = start(model=make_bundle(), enabled=True)
    world.stream_frames()
    assert ros.spin_until(
        lambda: bool(world.diagnoses) and float(world.values()['inference_p50_ms']) > 0,
        world,
        node,
    )
    status = world.diagnoses[-1]
    assert status.name == 'ibc_policy: policy'
    assert (status.level, status.message) == (DiagnosticStatus.OK, 'acting')
    values = world.values()
    assert values['model'] == 'tiny'
    assert values['contract'] == load_contract('planar_rgb').hash
    assert float(values['inference_p99_ms']) >= float(values['inference_p50_ms'])
    assert {'ticks', 'skipped', 'missed', 'slow', 'cut_short', 'enabled'} <= values.keys()


def test_states(ros, world, start, make_bundle):
    node = start(model=make_bundle('planar_state'), enabled=True)
    world.stream_states()
    assert ros.spin_until(lambda: len(world.actions) >= 2, world, node)


def test_with_a_latency_it_sees_where_its_next_action_will_begin(
    ros, world, start, make_bundle, monkeypatch
):
    infer, seen, acted = LearnedPolicy.infer, [], []

    def note(policy, observation, *rest):
        decision = infer(policy, observation, *rest)
        seen.append(observation['state'][1, :2])
        acted.append(decision.action)
        return decision

    def foresees():
        """Whether an observation was ahead by more than half of the action before it."""
        for point, action in zip(seen[1:], acted, strict=False):
            ahead = point - (0.3, 0.0)
            share = ahead @ action / (action @ action)
            if 0.55 < share < 1.01 and np.allclose(ahead, share * action, atol=1e-6):
                return True
        return False

    monkeypatch.setattr(LearnedPolicy, 'infer', note)
    monkeypatch.setattr(LearnedPolicy, 'warm_up', lambda _: 0.02)
    node = start(model=make_bundle('planar_state'), enabled=True, command_latency=0.1)
    world.stream_states()
    # The setpoint that the world tells stands still. Of an action that begins 0.12 s after its
    # tick, 0.12 s of 0.2 s are still to come at the next one, and more where that setpoint is old;
    # where a busy machine leaves out ticks, nothing is, and of an older one, more than one action.
    assert ros.spin_until(foresees, world, node)
    np.testing.assert_allclose(seen[0], (0.3, 0.0), atol=1e-6)


def test_a_policy_of_pictures_is_told_what_it_was_trained_for(start, make_bundle, capfd):
    path = make_bundle()
    start(model=path, command_latency=0.1)
    assert 'but it was trained for 0 ms' in capfd.readouterr().err
    description = yaml.safe_load((path / 'policy.yaml').read_text())
    description['provenance'] = {'training': {'latency_s': 0.12}}
    (path / 'policy.yaml').write_text(yaml.safe_dump(description))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LearnedPolicy, 'warm_up', lambda _: 0.02)
        start(model=path, command_latency=0.1)
    said = capfd.readouterr().err
    assert 'actions begin 120 ms after their ticks, as it was trained' in said


def test_an_action_that_begins_too_late_to_be_foretold_is_refused(start, make_bundle, monkeypatch):
    monkeypatch.setattr(LearnedPolicy, 'warm_up', lambda _: 0.7)
    with pytest.raises(IbcError, match=r'takes 0\.20 s, so with command_latency 0\.1 s'):
        start(model=make_bundle('planar_state'), command_latency=0.1)


def test_a_frame_that_is_no_jpeg_is_skipped(ros, world, start, make_bundle):
    node = start(model=make_bundle(), enabled=True)
    broken = CompressedImage(format='jpeg', data=b'nonsense')

    def send():
        broken.header.stamp = world.get_clock().now().to_msg()
        world.camera.publish(broken)

    timer = world.create_timer(0.05, send)
    assert ros.spin_until(
        lambda: bool(world.diagnoses) and 'JPEG' in world.diagnoses[-1].message, world, node
    )
    timer.cancel()
    world.stream_frames()
    assert ros.spin_until(lambda: bool(world.actions), world, node)


def test_lifecycle(ros, world, start, make_bundle):
    node = start(model=make_bundle(), enabled=True, autostart=False)
    world.stream_frames()
    assert not world.switch(node, True).success
    node.trigger_configure()
    node.trigger_activate()
    assert ros.spin_until(lambda: bool(world.actions), world, node)
    node.trigger_deactivate()
    node.trigger_activate()
    count = len(world.actions)
    assert ros.spin_until(lambda: len(world.actions) > count, world, node)
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert not world.switch(node, True).success


def test_closing_goes_through_the_lifecycle(start, make_bundle):
    node = start(model=make_bundle(), enabled=True)
    node.close()
    assert node._state_machine.current_state[0] == State.PRIMARY_STATE_FINALIZED


def test_a_bug_in_a_decision_ends_the_node_with_code_2(ros, world, start, make_bundle, monkeypatch):
    def infer(*_):
        raise ZeroDivisionError

    node = start(model=make_bundle(), enabled=True)
    monkeypatch.setattr(LearnedPolicy, 'infer', infer)
    world.stream_frames()
    assert ros.spin_until(lambda: node.exit_code is not None, world, node)
    assert node.exit_code == 2


def test_an_unknown_model_is_named_with_the_known_ones(start, make_bundle, monkeypatch):
    monkeypatch.setenv('IBC_MODELS', str(make_bundle().parent))
    with pytest.raises(IbcError, match=r"unknown model 'insert_read'; known: .*tiny"):
        start(model='insert_read')
    assert start(model='tiny').exit_code is None


def test_a_model_for_another_contract_is_refused(start, make_bundle):
    path = make_bundle()
    file = path / 'policy.yaml'
    file.write_text(file.read_text().replace('period_s: 0.2', 'period_s: 0.1'))
    with pytest.raises(ContractMismatch):
        start(model=path)


def test_no_model(start):
    with pytest.raises(IbcError, match="parameter 'model'"):
        start()


def test_an_unknown_device(start, make_bundle):
    with pytest.raises(IbcError, match=r"device 'tpu9'.*device:=cpu"):
        start(model=make_bundle(), device='tpu9')


@pytest.mark.skipif(torch.cuda.is_available(), reason='this machine has a GPU')
def test_a_gpu_that_is_not_there_is_one_line(start, make_bundle, capfd):
    with pytest.raises(IbcError, match=r"^device 'cuda': .*: use device:=cpu") as error:
        start(model=make_bundle(), device='cuda')
    assert '\n' not in str(error.value)
    assert 'Traceback' not in capfd.readouterr().err


@pytest.mark.system
def test_the_process_ends_with_one_line_and_a_code(ros):
    command = [sys.executable, '-m', 'ibc_policy_node.node', '--ros-args', '-p', 'model:=nowhere']
    done = subprocess.run(command, env=ros.env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: unknown model 'nowhere'")
