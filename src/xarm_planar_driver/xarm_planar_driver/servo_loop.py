"""The thread that ticks: commands in, joint positions out, what was measured back to the node."""

import contextlib
import logging
import threading
import time
from bisect import bisect
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ibc_contract.pacing import ticks
from planar_arm.kinematics import Pose, Xarm6Kinematics
from xarm_planar_driver.arbitration import Command
from xarm_planar_driver.arm import XarmArm
from xarm_planar_driver.errors import ArmFault, ArmLost, ArmSilent
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.motion import ArmMotion
from xarm_planar_driver.phases import Outcome, Phase, Request
from xarm_planar_driver.real_time import NOT_ASKED, lock_memory, take_priority
from xarm_planar_driver.reconnection import Reconnection
from xarm_planar_driver.status_reports import StatusReports
from xarm_planar_driver.timing_log import TimingLog

log = logging.getLogger(__name__)

Vector = npt.NDArray[np.float64]

LONGEST_SILENCE = 2.0
"""An arm that answers nothing for this long is gone [s]; without points it holds meanwhile."""
LATE = 1e-3
"""A tick that begins later than this after its deadline counts as late [s]."""
SLOW_REPLY = 0.02
"""The arm itself answers within a millisecond; two periods make ticks miss [s]."""
LATENESS_EDGES = (1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)
"""Between the bins of the histogram of lateness [s]."""
NOT_CONNECTED = 'the driver is not connected to an arm: to stop it, use the emergency stop'
_QUEUED_COMMANDS = 16
_JOIN_TIMEOUT = 3.0


@dataclass(frozen=True, eq=False)
class TickReport:
    """What one tick commanded and measured; times are ROS time."""

    phase: Phase
    stamp_ns: int
    setpoint_xy: Vector | None
    """Commanded point (2,) [m]; None while no plane motion is commanded."""
    tool_height: float
    """Of the plane in which it lies [m]."""
    measured_ns: int
    q: Vector
    """Measured joint positions (6,) [rad]."""
    velocities: Vector
    """Measured joint velocities (6,) [rad/s]."""
    tcp: Pose
    """Forward kinematics of `q`."""


@dataclass
class LoopStats:
    """How the loop kept time, since `since` on the monotonic clock [s]."""

    since: float
    ticks: int = 0
    late: int = 0
    missed: int = 0
    """Whole periods without a tick."""
    silent: int = 0
    """Ticks without a reply from the arm."""
    worst_late: float = 0.0
    """[s]"""
    lateness: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_EDGES) + 1))
    """Ticks by how late they began, whole periods included; LATENESS_EDGES lie between."""
    worst_work: float = 0.0
    """Longest tick [s]."""
    slow: int = 0
    """Waits for the arm's measured joints that were longer than SLOW_REPLY."""
    worst_reply: float = 0.0
    """Longest wait for the arm's measured joints [s]."""


class ServoLoop:
    """Owns the arm while it runs."""

    def __init__(
        self,
        arm: XarmArm,
        motion: ArmMotion,
        kinematics: Xarm6Kinematics,
        reports: StatusReports,
        period: float,
        on_tick: Callable[[TickReport], None],
        on_end: Callable[[Exception], None],
        clock_ns: Callable[[], int] = time.time_ns,
        priority: int = 0,
        memory_lock: bool = False,
        timing: TimingLog | None = None,
    ) -> None:
        """Callbacks run in the loop's thread; `priority` is a SCHED_FIFO one, 0 for none.

        `memory_lock` keeps the process's memory from being swapped out. Both are asked for when the
        loop starts; `priority_right` and `memory_right` say what came of it. `timing` takes down
        every tick.

        `on_end` is called when the loop ends by itself, with what ended it. A lost connection
        does not: the motion is stopped, and the loop connects again.
        """
        self._arm = arm
        self._motion = motion
        self._kinematics = kinematics
        self._reports = reports
        self._period = period
        self._on_tick = on_tick
        self._on_end = on_end
        self._clock_ns = clock_ns
        self._priority = priority
        self._memory_lock = memory_lock
        self._timing = timing
        self.priority_right = NOT_ASKED
        self.memory_right = NOT_ASKED
        self._commands: deque[Command] = deque(maxlen=_QUEUED_COMMANDS)
        self._requests: deque[tuple[Request, Future[Outcome]]] = deque()
        self._stop = threading.Event()
        self._heard = 0.0
        self._blocked = False
        self._reconnection: Reconnection | None = None
        self._stats = LoopStats(time.monotonic())
        self._thread = threading.Thread(target=self._run, name='servo loop', daemon=True)

    def start(self) -> None:
        """Begin to tick."""
        self._thread.start()

    def close(self) -> None:
        """Stop the arm and the thread; the connection stays the caller's."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_TIMEOUT)

    def submit(self, command: Command) -> None:
        """Queue a move for the next tick. From any thread."""
        self._commands.append(command)

    def request(self, request: Request) -> Future[Outcome]:
        """Queue a request for the next tick. From any thread."""
        future: Future[Outcome] = Future()
        self._requests.append((request, future))
        if self._stop.is_set() or not self._thread.is_alive():
            self._refuse_requests()
        return future

    def take_stats(self) -> LoopStats:
        """Return the counts since the last call and begin new ones."""
        stats, self._stats = self._stats, LoopStats(time.monotonic())
        return stats

    def _run(self) -> None:
        self.priority_right = take_priority(self._priority)
        self.memory_right = lock_memory(self._memory_lock)
        log.info('SCHED_FIFO %s; memory lock %s', self.priority_right, self.memory_right)
        self._heard = time.monotonic()
        try:
            for deadline, missed in ticks(self._period, self._stop):
                try:
                    if self._reconnection is None:
                        self._tick(deadline, missed)
                    else:
                        self._wait_for(self._reconnection)
                except ArmLost as error:
                    self._lose(error)
        except Exception as error:
            log.exception('servo loop')
            self._motion.lose(Fault.BUG, f'error in the servo loop: {error!r}')
            self._on_end(error)
        finally:
            self._stop.set()
            if self._reconnection is not None:
                self._reconnection.give_up()
            self._motion.shut_down()
            self._refuse_requests()

    def _lose(self, error: ArmLost) -> None:
        self._motion.lose(Fault.LINK_LOST, f'{error}; trying to connect again')
        self._refuse_requests()
        self._reconnection = Reconnection(self._arm)

    def _wait_for(self, reconnection: Reconnection) -> None:
        if not reconnection.done:
            self._refuse_requests()
            return
        self._reconnection = None
        self._heard = time.monotonic()
        self._blocked = True  # the ticks meanwhile were not late, there were none
        self._motion.found(f'the connection to the arm at {self._arm.address} was lost')

    def _tick(self, deadline: float, missed: int) -> None:
        started = time.monotonic()
        stats = self._stats
        stats.ticks += 1
        if self._blocked:  # enabling the arm takes many periods, which is no fault
            self._blocked = False
        else:
            late = started - deadline
            stats.missed += missed
            stats.late += late > LATE
            stats.worst_late = max(stats.worst_late, late)
            since_due = late + missed * self._period
            stats.lateness[bisect(LATENESS_EDGES, since_due)] += 1
            if self._timing is not None:
                self._timing.tick(deadline, since_due)
        try:
            self._exchange(deadline)
            self._heard = time.monotonic()
        except ArmSilent as error:
            self._stats.silent += 1  # those of before the wait may have been taken
            if time.monotonic() - self._heard > LONGEST_SILENCE:
                raise ArmLost(f'{error}, for {LONGEST_SILENCE} s: check power and cable') from None
        if not self._blocked:
            stats = self._stats
            stats.worst_work = max(stats.worst_work, time.monotonic() - started)

    def _exchange(self, t: float) -> None:
        while self._requests:
            request, future = self._requests.popleft()
            self._blocked |= request in (Request.ENABLE, Request.RESET)
            self._motion.handle(request, t, future.set_result)
        if self._blocked:
            return  # by now `t` may be long past
        now_ns = self._clock_ns()
        while self._commands:
            command = self._commands.popleft()
            accepted = self._motion.command(command, t, now_ns)
            if accepted and self._timing is not None:
                self._timing.accepted(command.received)
        setpoint = self._motion.tick(t, self._reports.newest())
        if self._timing is not None:
            self._timing.answered(time.monotonic(), follows=setpoint is not None)
        measured_ns = self._clock_ns()
        asked = time.monotonic()
        try:
            q, velocities = self._arm.joint_states()
        except ArmFault as error:
            if self._motion.phase is not Phase.STOPPED:
                self._motion.trip(error.fault, str(error))
            return
        waited = time.monotonic() - asked
        self._stats.slow += waited > SLOW_REPLY
        self._stats.worst_reply = max(self._stats.worst_reply, waited)
        tcp = self._kinematics.forward(q)
        self._motion.measured(t, q, tcp.position)
        self._on_tick(
            TickReport(
                phase=self._motion.phase,
                stamp_ns=now_ns,
                setpoint_xy=setpoint,
                tool_height=self._motion.tool_height,
                measured_ns=measured_ns,
                q=q,
                velocities=velocities,
                tcp=tcp,
            )
        )

    def _refuse_requests(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                _, future = self._requests.popleft()
                future.set_result(Outcome(False, NOT_CONNECTED))
