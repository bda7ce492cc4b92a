"""What a policy sees when its actions take effect some time after the tick. Knows no ROS.

An action is a move of the setpoint, relative to where the setpoint is when the move begins. In
demonstrations that is the tick itself: the contract pairs what is seen at t with the setpoint's
move from t on. Live, the action is decided first and travels to the driver: its ramp begins
`latency` later. By then the rest of the last action has been carried out too, which the setpoint at
the tick does not contain yet; a policy that sees that setpoint asks for the rest once more, and
goes too far.

So a tick at t acts for t + latency: the setpoint in its observation is the one at which its action
will begin. That is known, since only the policy's own actions move the setpoint until then: the
newest setpoint, and what is still to come of the actions that were sent. Where the driver does
otherwise, as at the workspace's edge or while a person steers, the next setpoints tell.

What happens between setpoint and picture, the arm's lag and the camera's age, is not compensated:
demonstrations hold it as well. Pictures and objects cannot be foretold; they are as at the tick. A
policy that sees them learns to act `latency` ahead from data built with the same latency
(`ibc_contract.episode_arrays.read_steps`), where this same rule pairs what is seen at t with the
setpoint's move from t + latency on.
"""

from collections import deque

import numpy as np

from ibc_contract.contract import Contract
from ibc_contract.observation import StateWindow
from ibc_contract.state import state_vector

REMEMBERED_NS = 2_000_000_000
"""Actions that began longer ago have been carried out [ns]."""


class EffectTimeWindow(StateWindow):
    """State observations whose setpoint is the one at which the tick's action will begin."""

    def __init__(self, contract: Contract, latency_ns: int) -> None:
        """`latency_ns` [ns] is from a tick to where its action begins."""
        super().__init__(contract, latency_ns)
        self._period_ns = contract.period_ns
        self._newest_ns = 0
        self._actions: deque[tuple[int, np.ndarray]] = deque()
        """When each action begins to take effect [ns], and its move (2,) [m]."""

    def add_setpoint(self, stamp: int, xy: np.ndarray) -> None:
        """Take a setpoint, shape (2,) [m], at `stamp` [ns]."""
        super().add_setpoint(stamp, xy)
        self._newest_ns = stamp

    def act(self, tick_ns: int, action: np.ndarray) -> None:
        """Note that the tick's `action`, shape (2,) [m], is on its way."""
        self._actions.append((tick_ns + self._latency_ns, action))
        while self._actions[0][0] < tick_ns - REMEMBERED_NS:
            self._actions.popleft()

    def at(self, tick_ns: int) -> np.ndarray:
        """Time steps of the tick, shape (history, D) float32."""
        history = self._contract.history
        steps = []
        for index, (objects, setpoint) in enumerate(self.select(tick_ns)):
            back = (history - 1 - index) * self._period_ns
            xy = self._setpoints.value(setpoint)
            if setpoint == self._newest_ns:
                xy = xy + self._planned(setpoint, tick_ns + self._latency_ns - back)
            steps.append(state_vector(xy, self._objects.value(objects), self._contract))
        return np.stack(steps)

    def _planned(self, begin_ns: int, end_ns: int) -> np.ndarray:
        """Move of the setpoint between two times [ns] by the actions on their way, (2,) [m]."""
        move = np.zeros(2)
        for start, action in self._actions:
            share = min(end_ns, start + self._period_ns) - max(begin_ns, start)
            move += max(0, share) / self._period_ns * action
        return move
