"""The scripted hand: order of services, moves from the goal, exit codes."""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseArray, PoseStamped, Vector3Stamped
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Float64, String
from std_srvs.srv import Trigger

from ibc_contract import topics
from ibc_contract.messages import pose_array_cdr, pose_stamped_cdr, vector_xy
from ibc_contract.ros import latched, newest
from planar_arm.interpolation import SetpointRamp
from planar_arm.xarm6 import HOME_XY
from xarm_twin import demonstrator_node
from xarm_twin.demonstrator_node import DemonstratorNode
from xarm_twin.demonstrators import PERIOD, make_demonstrator
from xarm_twin.showing import GoalTracker
from xarm_twin.tasks import get_task

TASK = get_task('push_red')
LAYOUT = TASK.sample_layout(np.random.default_rng(0))
LATENCY = 0.02

point = st.tuples(st.floats(0.2, 0.6), st.floats(-0.28, 0.28))
move = st.tuples(st.floats(-0.04, 0.04), st.floats(-0.04, 0.04))


class StandIn(Node):
    """Driver, twin and recorder in one: counts what it is asked for, moves the setpoint."""

    def __init__(
        self, ros: Any, score_after: int = 3, broken: str = '', full_after: int = 10**6
    ) -> None:
        """`broken` names a service that refuses; the disk is full after `full_after` commands."""
        super().__init__('stand_in', context=ros.context)
        self.calls: list[str] = []
        self.commands: list[tuple[np.ndarray, np.ndarray]] = []
        """Goal before each command, and the command."""
        self._score_after = score_after
        self._broken = broken
        self._full_after = full_after
        self._ramp = SetpointRamp.holding(HOME_XY, 0.0)
        self._objects = self.create_publisher(PoseArray, topics.TWIN_OBJECTS, newest())
        self._score = self.create_publisher(Float64, topics.TWIN_SCORE, newest())
        self._setpoint = self.create_publisher(PoseStamped, topics.TCP_SETPOINT, newest())
        self._camera = self.create_publisher(CameraInfo, topics.CAMERA_INFO, newest())
        self._state = self.create_publisher(String, topics.RECORDER_STATE, latched())
        self._state.publish(String(data='idle push_red - left from before'))
        self.create_subscription(Vector3Stamped, topics.TELEOP_DELTA, self._on_delta, newest(10))
        for name in (
            topics.ARM_HOME,
            topics.TWIN_RESET,
            topics.RECORDER_START,
            topics.RECORDER_STOP,
            topics.RECORDER_DISCARD,
            topics.RECORDER_MARK_SUCCESS,
            topics.RECORDER_MARK_FAILURE,
        ):
            self.create_service(Trigger, name, self._responder(name))
        self.create_timer(0.02, self._publish)

    def _responder(self, name: str) -> Callable[[Any, Any], Any]:
        def respond(_: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
            self.calls.append(name)
            response.success, response.message = name != self._broken, 'as told'
            if name == topics.ARM_HOME:
                self._ramp = SetpointRamp.holding(HOME_XY, 0.0)
            if name == topics.TWIN_RESET:
                self.commands.clear()
            if name == topics.RECORDER_DISCARD:
                response.message = 'discarded bags/discarded/a'
            if name == topics.RECORDER_START:
                self._state.publish(String(data='recording push_red 0.0 s (a) - no joint_states'))
            return response

        return respond

    def _on_delta(self, message: Vector3Stamped) -> None:
        delta, goal = vector_xy(message), self._ramp.goal
        self.commands.append((goal, delta))
        # As in the driver: a ramp of one period that begins a little later.
        self._ramp = self._ramp.toward(goal + delta, time.monotonic(), PERIOD + LATENCY)
        if len(self.commands) == self._full_after:
            self._state.publish(String(data='idle push_red - the disk is full: bags/a'))

    def _publish(self) -> None:
        now = time.time_ns()
        setpoint = (*self._ramp.at(time.monotonic()), 0.03)
        self._setpoint.publish(pose_stamped_cdr(now, setpoint, (1.0, 0.0, 0.0, 0.0)))
        self._objects.publish(pose_array_cdr(now, LAYOUT))
        self._camera.publish(CameraInfo())
        self._score.publish(Float64(data=float(len(self.commands) >= self._score_after)))


@pytest.fixture
def show(
    ros: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., tuple[DemonstratorNode, StandIn]]]:
    """Run a demonstrator against a stand-in until it has an exit code."""
    monkeypatch.setattr(demonstrator_node, 'ACQUAINTANCE_S', 0.0)  # of nodes in one process
    nodes: list[Any] = []

    def run(
        stand_in: dict[str, Any] | None = None, **parameters: Any
    ) -> tuple[DemonstratorNode, StandIn]:
        stack = StandIn(ros, **(stand_in or {}))
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        node = DemonstratorNode(context=ros.context, parameter_overrides=overrides)
        nodes.extend((node, stack))
        assert ros.spin_until(lambda: node.exit_code is not None, node, stack)
        return node, stack

    yield run
    for node in nodes:
        if isinstance(node, DemonstratorNode):
            node.close()
        node.destroy_node()


@settings(deadline=None)
@given(start=point, deltas=st.lists(move, min_size=1, max_size=8), share=st.floats(0.55, 1.0))
def test_goal_is_known_while_the_driver_is_still_on_its_way(
    start: tuple[float, float], deltas: list[tuple[float, float]], share: float
) -> None:
    goal = np.array(start)
    tracker = GoalTracker(goal)
    for delta in map(np.array, deltas):
        before, goal = goal, goal + delta
        tracker.sent(delta)
        seen = before + share * delta
        np.testing.assert_allclose(tracker.goal(seen), goal, atol=1e-9)


def test_goal_follows_the_driver_when_commands_were_dropped() -> None:
    tracker = GoalTracker(np.array((0.3, 0.0)))
    for _ in range(5):
        tracker.sent(np.array((0.02, 0.0)))
        # A driver that ignores commands stays; the estimate never runs away from it.
        assert np.abs(tracker.goal(np.array((0.3, 0.0))) - (0.3, 0.0)).max() <= 0.0101


def test_episode_calls_services_in_order(
    show: Callable[..., tuple[DemonstratorNode, StandIn]],
) -> None:
    node, stack = show(episodes=2)
    assert node.exit_code == 0
    episode = [
        topics.ARM_HOME,
        topics.TWIN_RESET,
        topics.RECORDER_START,
        topics.RECORDER_MARK_SUCCESS,
        topics.RECORDER_STOP,
    ]
    assert stack.calls == episode * 2
    assert len(stack.commands) == 3


def test_without_recording_the_recorder_is_left_alone(
    show: Callable[..., tuple[DemonstratorNode, StandIn]],
) -> None:
    node, stack = show(record=False)
    assert node.exit_code == 0
    assert stack.calls == [topics.ARM_HOME, topics.TWIN_RESET]


def test_moves_start_from_where_the_setpoint_will_be(
    show: Callable[..., tuple[DemonstratorNode, StandIn]],
) -> None:
    _, stack = show({'score_after': 12}, record=False, seed=4)
    demonstrator = make_demonstrator(TASK.name, np.random.default_rng((4, 0)))
    goals = np.array([goal for goal, _ in stack.commands])
    assert np.linalg.norm(goals[-1] - goals[0]) > 0.05
    for goal, delta in stack.commands:
        wanted = demonstrator.act(goal, LAYOUT)
        np.testing.assert_allclose(delta, wanted, atol=2e-3)


def test_horizon_ends_an_episode_as_a_failure(
    show: Callable[..., tuple[DemonstratorNode, StandIn]], monkeypatch: pytest.MonkeyPatch
) -> None:
    short = dataclasses.replace(TASK, horizon_s=1.0)  # type: ignore[type-var]
    monkeypatch.setattr(demonstrator_node, 'get_task', lambda name: short)
    node, stack = show({'score_after': 1000})
    assert node.exit_code == 0
    assert stack.calls[-2:] == [topics.RECORDER_MARK_FAILURE, topics.RECORDER_STOP]
    assert 3 <= len(stack.commands) <= 6


@pytest.mark.parametrize(
    'name',
    [
        topics.ARM_HOME,
        topics.TWIN_RESET,
        topics.RECORDER_START,
        topics.RECORDER_MARK_SUCCESS,
        topics.RECORDER_STOP,
    ],
)
def test_a_refused_service_ends_with_an_error(
    show: Callable[..., tuple[DemonstratorNode, StandIn]],
    name: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    node, stack = show({'broken': name})
    assert node.exit_code == 1
    assert stack.calls[-1] == name
    assert f'{name} failed: as told' in capfd.readouterr().err


def test_a_recorder_that_fails_ends_the_demonstration_at_once(
    show: Callable[..., tuple[DemonstratorNode, StandIn]], capfd: pytest.CaptureFixture[str]
) -> None:
    node, stack = show({'score_after': 1000, 'full_after': 3}, episodes=5)
    assert node.exit_code == 1
    assert stack.calls.count(topics.RECORDER_START) == 1
    assert stack.calls[-1] == topics.RECORDER_DISCARD
    assert len(stack.commands) < 10
    error = capfd.readouterr().err
    # The recorder has told where it lay; the discarded one lies elsewhere.
    assert (
        'the recorder ended the episode: the disk is full: bags/a, then discarded bags/d' in error
    )


@pytest.mark.parametrize('multimodal', [False, True])
def test_the_hand_is_as_the_parameters_say(
    show: Callable[..., tuple[DemonstratorNode, StandIn]],
    monkeypatch: pytest.MonkeyPatch,
    multimodal: bool,
) -> None:
    hands = []

    def make(task: str, rng: np.random.Generator, *style: object) -> object:
        hands.append((task, *style))
        return make_demonstrator(task, rng)

    monkeypatch.setattr('xarm_twin.showing.make_demonstrator', make)
    show(record=False, noise=0.25, multimodal=multimodal)
    assert hands == [('push_red', 0.25, multimodal)]


def test_another_task_than_the_twins_is_refused(
    show: Callable[..., tuple[DemonstratorNode, StandIn]], capfd: pytest.CaptureFixture[str]
) -> None:
    node, stack = show(task='push_red_then_green')
    assert node.exit_code == 1
    assert 'start both with the same task' in capfd.readouterr().err
    assert topics.RECORDER_START not in stack.calls


def test_absent_nodes_are_named(ros: Any, capfd: pytest.CaptureFixture[str]) -> None:
    overrides = [Parameter('startup_timeout', value=1.0)]
    node = DemonstratorNode(context=ros.context, parameter_overrides=overrides)
    try:
        assert ros.spin_until(lambda: node.exit_code is not None, node)
        assert node.exit_code == 1
        error = capfd.readouterr().err
        assert re.search(
            'waited 1 s for .*arm/home.*recorder/start.*tcp_setpoint.*camera_info', error
        )
    finally:
        node.close()
        node.destroy_node()
