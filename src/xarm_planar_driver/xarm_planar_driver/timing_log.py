"""Times of every tick and command, kept in memory and written when the loop has ended."""

import json
from array import array
from pathlib import Path

from xarm_planar_driver.real_time import Right


class TimingLog:
    """Times are on the monotonic clock [s]. A tick only appends numbers; nothing is written then.

    A command moves the goal in one tick, where its ramp begins; the first joint positions that
    differ because of it are those of the next one.
    """

    def __init__(self) -> None:
        self._deadlines = array('d')
        self._lateness = array('d')
        self._received = array('d')
        self._to_wire = array('d')
        self._begun: list[float] = []
        self._included: list[float] = []

    def tick(self, deadline: float, late: float) -> None:
        """Note a tick that began `late` [s] after it was due; `deadline` is on the grid."""
        self._deadlines.append(deadline)
        self._lateness.append(late)

    def accepted(self, received: float) -> None:
        """Note that a command which came at `received` begins to move the goal in this tick."""
        self._begun.append(received)

    def answered(self, now: float, follows: bool) -> None:
        """Note that at `now` the arm has acknowledged this tick's joint positions.

        An arm that no longer `follows` commands drops those on their way. Not called for a tick
        without an answer: its joint positions are sent again in the next.
        """
        if not follows:
            self._begun, self._included = [], []
        for received in self._included:
            self._received.append(received)
            self._to_wire.append(now - received)
        self._begun, self._included = [], self._begun

    def write(self, path: Path, late_after: float, priority: Right, memory: Right) -> None:
        """Write a JSON object of arrays; `late_after` [s] is where a tick counts as late.

        Raises:
            OSError: The file cannot be written.
        """
        content = {
            'late_after_s': late_after,
            'realtime_granted': priority.granted,
            'realtime_priority': str(priority),
            'memory_lock': str(memory),
            'deadline_s': self._deadlines.tolist(),
            'late_s': self._lateness.tolist(),
            'command_received_s': self._received.tolist(),
            'command_to_wire_s': self._to_wire.tolist(),
        }
        path.write_text(json.dumps(content))
