"""Ctrl-C on a whole stack while a person leads the arm and records."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from geometry_msgs.msg import Vector3Stamped
from rclpy.node import Node
from std_msgs.msg import String

from desktop import private_desktop
from ibc_bringup.ports import free_twin_ports
from ibc_contract import topics
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.errors import IbcError
from ibc_contract.ros import latched, newest
from teleop_mouse.keys import KEYS
from xarm_twin.controller.fault_port import ask
from xarm_twin.controller.firmware import State

pytestmark = [pytest.mark.system, pytest.mark.display]

PATIENCE_S = 120.0
RECORD = next(chr(key.code) for key in KEYS if key.action == topics.RECORDER_START)


class Listener(Node):
    """Hears what the recorder says, and counts the moves that lead the tool."""

    def __init__(self, context) -> None:
        super().__init__('listener', context=context)
        self.recorder = ''
        self.moves = 0
        self.create_subscription(String, topics.RECORDER_STATE, self._on_recorder, latched())
        self.create_subscription(Vector3Stamped, topics.TELEOP_DELTA, self._on_delta, newest(50))

    def _on_recorder(self, message: String) -> None:
        self.recorder = message.data

    def _on_delta(self, message: Vector3Stamped) -> None:
        self.moves += message.vector.x != 0 or message.vector.y != 0


class Stack:
    """`ibc up teleop_record` in the twin, with a hand at its mouse."""

    def __init__(self, ros, desktop, folder: Path) -> None:
        self._ros, self._desktop, self._log = ros, desktop, folder / 'log'
        self.bags = folder / 'bags'
        self._listener = Listener(ros.context)
        given = {**free_twin_ports(), 'root': str(self.bags)}
        self._fault_port = int(given['fault_port'])
        words = [f'{name}:={value}' for name, value in given.items()]
        with self._log.open('w') as log:
            self.process = subprocess.Popen(
                [sys.executable, '-m', 'ibc_bringup.main', 'up', 'teleop_record', *words],
                env=desktop.env(ros.env),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self._log.read_text()

    def nodes(self) -> set[int]:
        pid = self.process.pid
        return set(map(int, Path(f'/proc/{pid}/task/{pid}/children').read_text().split()))

    def records_while_it_is_led(self) -> bool:
        """Press the key for a new episode, and drag, until both have taken effect."""
        listener, deadline = self._listener, time.monotonic() + PATIENCE_S
        self._desktop.find_window(PATIENCE_S)
        width, height = self._desktop.window_size()
        while time.monotonic() < deadline:
            if not listener.recorder.startswith('recording'):
                self._desktop.key(RECORD)
            self._desktop.point(width / 2, height / 2)
            self._desktop.do('mouseup 1')
            self._desktop.do('mousedown 1')
            begin = listener.moves
            self._spin(lambda begin=begin: listener.moves > begin + 5, timeout=2.0)
            if listener.recorder.startswith('recording') and listener.moves > begin + 5:
                return True
        return False

    def states_until_it_ends(self) -> list[int]:
        """States of the emulated controller, for as long as there is one."""
        states, deadline = [], time.monotonic() + PATIENCE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(IbcError):
                states.append(ask({'do': 'state'}, self._fault_port)['state'])
            time.sleep(0.02)
        return states

    def _spin(self, predicate, timeout: float) -> bool:
        return self._ros.spin_until(predicate, self._listener, timeout=timeout)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self._listener.destroy_node()


@pytest.fixture
def stack(ros, tmp_path):
    with private_desktop() as desktop:
        stack = Stack(ros, desktop, tmp_path)
        yield stack
        stack.close()


def test_ctrl_c_in_the_middle_of_a_drag_saves_the_episode_and_stops_the_arm(stack):
    assert stack.records_while_it_is_led(), stack.said()
    nodes = stack.nodes()
    assert len(nodes) in (5, 6)  # the bring-up is about to end, or has
    before = len(stack.said())
    stack.process.send_signal(signal.SIGINT)
    states = stack.states_until_it_ends()
    said = stack.said()[before:]
    assert stack.process.wait(PATIENCE_S) == 0, said
    assert states[-1] == State.STOPPED
    assert 'Traceback' not in said
    assert 'error' not in said.lower()
    (episode,) = find_episodes(stack.bags)
    assert f'saved {episode.name}: unlabelled' in said
    assert EpisodeReader(episode).counts[topics.TELEOP_DELTA] > 0
    assert not any(Path(f'/proc/{node}').exists() for node in nodes)
