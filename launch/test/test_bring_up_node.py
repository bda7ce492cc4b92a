"""The bring-up among real nodes: the driver with an emulated arm, a camera, a policy to fail."""

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import State, TransitionEvent
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage

from driver_stage import make_driver
from ibc_bringup import bring_up_node
from ibc_bringup.bring_up_node import BringUpNode
from ibc_contract import topics
from ibc_contract.ros import Diagnostics, newest
from planar_arm import xarm6
from xarm_twin.controller import EmulatedController, LagPlant

DRIVER, POLICY = 'xarm_planar_driver', 'ibc_policy'


class Policy(LifecycleNode):
    """Does nothing, or fails in one transition and says why."""

    def __init__(self, ros, fails_to: str = '') -> None:
        super().__init__(POLICY, context=ros.context)
        self._fails_to = fails_to
        self._diagnostics = Diagnostics(self, 'policy')

    def on_configure(self, state):
        return self._end('configure')

    def on_activate(self, state):
        return self._end('activate')

    def _end(self, name):
        if name != self._fails_to:
            return TransitionCallbackReturn.SUCCESS
        self._diagnostics.publish(DiagnosticStatus.ERROR, f'the weights do not {name}', {})
        return TransitionCallbackReturn.FAILURE


class World(Node):
    """The camera, which may be blind, and who listens to the transitions of the others."""

    def __init__(self, ros, blind: bool) -> None:
        super().__init__('realsense_capture', context=ros.context)
        self.transitions: list[tuple[str, str]] = []
        self.pictures = 0
        self._diagnostics = Diagnostics(self, 'camera')
        self._publisher = self.create_publisher(CompressedImage, topics.CAMERA_COMPRESSED, newest())
        self.create_timer(0.1, self._complain if blind else self._show)
        for node in (DRIVER, POLICY):
            self.create_subscription(
                TransitionEvent, f'{node}/transition_event', self._noter(node), newest(50)
            )

    def _complain(self):
        self._diagnostics.publish(DiagnosticStatus.ERROR, 'no frames', {})

    def _show(self):
        self.pictures += 1
        self._publisher.publish(CompressedImage(format='jpeg'))

    def _noter(self, node):
        return lambda event: self.transitions.append((node, event.goal_state.label))


class Rehearsal:
    """Everything that a stack would start, in one process."""

    def __init__(self, ros, emulator, fails_to: str = '', blind: bool = False) -> None:
        self.ros, self.emulator = ros, emulator
        self.driver = make_driver(ros, emulator, autostart=False)
        self.policy = Policy(ros, fails_to)
        self.world = World(ros, blind)
        given = {
            'nodes': f'{DRIVER} {POLICY}',
            'pictures': topics.CAMERA_COMPRESSED,
            'patience': 3.0 if blind else 60.0,
        }
        self.bringup = BringUpNode(
            context=ros.context,
            parameter_overrides=[Parameter(name, value=value) for name, value in given.items()],
        )
        self.was_enabled = False

    @property
    def nodes(self):
        return self.driver, self.policy, self.world, self.bringup

    def run(self) -> int | None:
        """Spin until the bring-up has ended; return its exit code."""
        assert self.ros.spin_until(self._has_ended, *self.nodes)
        self.ros.spin_until(lambda: False, *self.nodes, timeout=0.3)  # events on their way
        return self.bringup.exit_code

    def _has_ended(self) -> bool:
        self.was_enabled |= bool(self.emulator.state.snapshot().enabled)
        return self.bringup.exit_code is not None

    def close(self) -> None:
        for node in (self.bringup, self.driver):
            node.close()
        for node in self.nodes:
            node.destroy_node()


@pytest.fixture
def rehearse(ros, monkeypatch):
    monkeypatch.setattr(bring_up_node, 'ACQUAINTANCE_S', 0.0)  # of nodes in one process
    made = []
    with EmulatedController(LagPlant(xarm6.HOME_Q)) as emulator:

        def make(**how):
            made.append(Rehearsal(ros, emulator, **how))
            return made[-1]

        yield make
        for rehearsal in made:
            rehearsal.close()


def test_the_arm_is_enabled_once_all_are_configured_and_the_policy_active_after_it(rehearse):
    rehearsal = rehearse()
    assert rehearsal.run() == 0
    assert rehearsal.world.pictures > 0
    seen = [step for step in rehearsal.world.transitions if step[1] in ('inactive', 'active')]
    assert sorted(seen[:2]) == [(POLICY, 'inactive'), (DRIVER, 'inactive')]
    assert seen[2:] == [(DRIVER, 'active'), (POLICY, 'active')]
    assert rehearsal.emulator.state.snapshot().enabled


@pytest.mark.parametrize(
    ('how', 'said'),
    [
        ({'fails_to': 'configure'}, f'{POLICY} does not configure: the weights do not configure'),
        (
            {'blind': True},
            f'realsense_capture shows nothing on {topics.CAMERA_COMPRESSED} within 3 s: no frames',
        ),
    ],
)
def test_no_arm_is_enabled_before_the_rest_is_ready(rehearse, how, said, capfd):
    rehearsal = rehearse(**how)
    assert rehearsal.run() == 1
    (line,) = [line for line in capfd.readouterr().err.splitlines() if '[ERROR]' in line]
    assert said in line
    assert not rehearsal.was_enabled


def test_an_arm_is_stopped_again_when_what_follows_cannot_be_activated(rehearse, capfd):
    rehearsal = rehearse(fails_to='activate')
    assert rehearsal.run() == 1
    assert rehearsal.was_enabled
    assert f'{POLICY} does not activate: the weights do not activate' in capfd.readouterr().err
    assert rehearsal.driver._state_machine.current_state[0] == State.PRIMARY_STATE_INACTIVE
    assert rehearsal.emulator.state.snapshot().state == 4


def test_a_node_that_is_not_there_is_named(ros):
    overrides = [Parameter('nodes', value=DRIVER), Parameter('patience', value=1.0)]
    bringup = BringUpNode(context=ros.context, parameter_overrides=overrides)
    assert ros.spin_until(lambda: bringup.exit_code is not None, bringup)
    assert bringup.exit_code == 1
    bringup.close()
    bringup.destroy_node()
