"""A person leads the arm while faults happen: how far it goes, what is said."""

import threading
import time

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray

from driver_stage import QOS, Stage
from ibc_contract import topics
from planar_arm import xarm6
from waiting import PATIENCE_S
from xarm_planar_driver.arbitration import LET_GO
from xarm_twin.controller import EmulatedController, Identity, LagPlant, inject
from xarm_twin.controller.flange import tcp_pose_mm

STOP_DISTANCE = 0.01
"""How far a stop takes at most [m]: what the emulated joints lag behind, and one tick."""
TOP_SPEED = 0.3
"""The gate's ceiling, with what unsteady ticks of a busy machine add [m/s]."""

TOOL_MM = (0.0, 0.0, xarm6.TOOL_LENGTH * 1e3, 0.0, 0.0, 0.0)
PATH_STEP = 0.002
SPEED_WINDOW = 0.1
"""Speeds are means over this long [s]: a tick that comes late is no faster motion."""
REST_S = 0.3
"""A tool that has not moved for so long is at rest [s]."""

LEAD_SPEED = 0.12
LEAD_PERIOD = 0.05
LEAD_REACH = 0.12
"""How a person leads: [m/s], [s], [m] to either side."""


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
        """Whether the tool follows a person who has let go and begins anew."""
        self.stage.until(lambda: False, timeout=1.2 * LET_GO)
        begin = time.monotonic()
        while time.monotonic() < begin + PATIENCE_S:
            self.lead(0.25)
            if self.stage.in_phase('active') and self.travel(begin)[0] > 0.01:
                return True
        return False

    def rests(self) -> bool:
        """Whether the tool comes to rest."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            begin = time.monotonic()
            self.stage.until(lambda: False, timeout=REST_S)
            if self.travel(begin)[0] <= 1e-4:
                return True
        return False

    def close(self) -> None:
        if hasattr(self, 'stage'):
            self.stage.close()
        threading.Thread(target=self.controller.stop, daemon=True).start()
