"""What the arm is doing: idle, moving home, following commands, holding, or stopped until a reset.

Free of threads and of clocks: the servo loop calls it once per tick.
"""

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from planar_arm.errors import PlanarArmError
from planar_arm.fence import fence_around
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import SafetyGate
from planar_arm.workspace import Workspace
from xarm_planar_driver.arbitration import Arbiter, Command
from xarm_planar_driver.arm import XarmArm
from xarm_planar_driver.course import Course
from xarm_planar_driver.errors import ArmError, ArmFault, ArmLost, fault_of
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.following_watch import FollowingWatch
from xarm_planar_driver.motion_settings import MotionSettings
from xarm_planar_driver.phases import ENABLED, Answer, Outcome, Phase, Request, Waiting
from xarm_planar_driver.report_watch import ReportWatch
from xarm_planar_driver.safeguards import Safeguards
from xarm_planar_driver.status_reports import StatusReport
from xarm_planar_driver.stopping import UNREACHED, Stop

log = logging.getLogger(__name__)

Vector = npt.NDArray[np.float64]

GO_HOME = 'arm/home, key H'
"""How a person sends an arm home that holds off its plane."""


class ArmMotion:
    """The phases of one arm and the ways between them. Not for use from two threads."""

    def __init__(
        self,
        arm: XarmArm,
        kinematics: Xarm6Kinematics,
        gate: SafetyGate,
        workspace: Workspace,
        arbiter: Arbiter,
        settings: MotionSettings,
        on_phase: Callable[[Phase], None] = lambda phase: None,
    ) -> None:
        """`on_phase` hears of each new phase, of a stop before the arm does."""
        self._arm = arm
        self._kinematics = kinematics
        self._gate = gate
        self._workspace = workspace
        self._arbiter = arbiter
        self._settings = settings
        self._course = Course(kinematics, gate, workspace, settings)
        self._sent: Vector | None = None
        """Joint positions that were sent last, since the arm was enabled."""
        self._is_answered = True
        """Whether they have arrived for certain."""
        self._waiting = Waiting()
        self._reset_says = ''
        """What the first tick after a reset answers; empty where there was none."""
        self._stop = Stop(arm)
        self._watch = ReportWatch()
        self.following = FollowingWatch(gate.limits)
        self._on_phase = on_phase
        self._phase = Phase.IDLE
        self.reason = 'not enabled yet'
        """Why the arm is idle or stopped, or holds off its plane."""
        self.fault: Fault | None = None
        """The same for programs, while it is stopped."""

    @property
    def phase(self) -> Phase:
        """What the arm is doing."""
        return self._phase

    @property
    def activity(self) -> str:
        """The phase, for people; moving home in the plane counts as homing."""
        is_homeward = self._phase is Phase.ACTIVE and self._course.is_homeward
        return Phase.HOMING if is_homeward else self._phase

    @property
    def tool_height(self) -> float:
        """Of the plane in which the tool works [m]."""
        return self._workspace.tool_height

    @property
    def is_reached(self) -> bool:
        """Whether the arm has taken the last stop that it was sent."""
        return not self._stop.is_pending

    def handle(self, request: Request, t: float, answer: Answer) -> None:
        """Act on `request` at time `t` [s] and answer, at once or when the arm has arrived.

        Raises:
            ArmLost: The connection is gone.
        """
        try:
            match request:
                case Request.STOP:
                    taken = self.trip(Fault.STOP_CALLED, 'arm/stop was called')
                    said = 'stopped; call arm/reset to go on' if taken else UNREACHED
                    answer(Outcome(taken, said))
                case Request.DISABLE:
                    answer(self._disable())
                case _ if self._stop.is_pending and not self._stop.send():
                    answer(Outcome(False, UNREACHED))
                case Request.ENABLE:
                    self._enable(t, answer)
                case Request.RESET:
                    self._reset(answer)
                case Request.HOME:
                    self._home(t, answer)
        except ArmLost:
            answer(Outcome(False, UNREACHED))
            raise
        except (ArmError, PlanarArmError) as error:
            try:
                self.trip(fault_of(error), str(error))
            finally:  # who hears of it finds the arm stopped
                answer(Outcome(False, str(error)))

    def command(self, command: Command, t: float, now_ns: int) -> bool:
        """Let `command` move the goal at time `t` [s], ROS time `now_ns`, if it may; say so."""
        if self._phase is not Phase.ACTIVE or self._course.is_homeward:
            self._arbiter.ignored[f'{command.source}_while_{self.activity}'] += 1
            return False
        if not self._arbiter.admit(command, t):
            return False
        if self._arbiter.active is not command.source:
            self._course.rest(t)  # what the other source still wanted no longer counts
        duration = self._arbiter.ramp_duration(command)
        age = (now_ns - command.stamp_ns) * 1e-9
        accepted = self._course.command(command.delta, t, duration, age)
        if accepted:
            self._arbiter.note(command)
        return accepted

    def measured(self, t: float, q: Vector, place: Vector) -> None:
        """Take note of joints (6,) [rad] and tool (3,) [m], measured at `t` [s].

        Commands wait for them; an arm that is elsewhere than where it was sent is stopped.
        """
        self._course.measured(q, place[:2])
        if self._phase not in ENABLED or self._sent is None:
            return
        is_in_plane = self._phase is Phase.ACTIVE
        height = float(place[2]) - self.tool_height if is_in_plane else 0.0
        try:
            self.following.check(t, self._sent, q, height)
        except ArmFault as error:
            self.trip(error.fault, str(error))

    def tick(self, t: float, report: StatusReport | None) -> Vector | None:
        """Send the joint positions of the tick at `t` [s]; return the setpoint (2,) [m], if any.

        Raises:
            ArmSilent: The reply did not come in time.
            ArmLost: The connection is gone.
        """
        if self._stop.is_pending:
            self._stop.send()
        if self._phase not in ENABLED:
            return None
        try:
            self._watch.check(t, report)
            self._rearm(t)
            if self._sent is None or self._is_answered:
                self._go_on(t)
            else:
                # A frozen link delivers at once whatever was sent meanwhile: no next point before
                # the arm has answered to this one.
                self._send(self._sent)
        except (ArmFault, PlanarArmError) as error:
            self.trip(fault_of(error), str(error))
            return None
        return self._course.setpoint

    def trip(self, fault: Fault, reason: str) -> bool:
        """Stop the arm and stay stopped until a reset; return whether it has taken that.

        If not, each tick sends it again.
        """
        if self._phase is not Phase.STOPPED:
            log.error('arm stopped: %s; once it may move again, call arm/reset', reason)
        self.fault, self.reason = fault, reason
        self._enter(Phase.STOPPED)
        return self._halt()

    def lose(self, fault: Fault, reason: str) -> None:
        """Be stopped, though the arm may be out of reach; then it holds what it was sent last."""
        try:
            self.trip(fault, reason)
        except ArmLost:  # a frozen link may deliver the stop later, a closed one cannot
            return

    def found(self, reason: str) -> None:
        """Stop the arm, which can be reached again, and stay stopped until a reset.

        Raises:
            ArmLost: The connection is gone again.
        """
        self._halt()
        self.reason = reason  # who reads it finds the arm stopped
        log.info('connected again; once the arm may move, call arm/reset')

    def shut_down(self) -> None:
        """Leave the arm stopped; errors no longer matter."""
        self.reason = 'shut down'
        self._enter(Phase.IDLE)
        try:
            taken = self._halt()
        except ArmLost:
            taken = False
        if not taken:
            log.error('the arm may not have stopped: %s', UNREACHED)

    def _enter(self, phase: Phase) -> None:
        if phase is not self._phase:
            self._phase = phase
            self._on_phase(phase)

    def _halt(self) -> bool:
        self._reset_says = ''
        self._arbiter.bar()
        self._waiting.tell(Outcome(False, f'{self._phase}: {self.reason}'))
        return self._stop.send()

    def _disable(self) -> Outcome:
        if self._phase is Phase.STOPPED:
            if self._stop.is_pending:
                return Outcome(False, UNREACHED)
            return Outcome(True, f'already stopped: {self.reason}')
        self.reason = 'disabled'
        self._enter(Phase.IDLE)
        if self._halt():
            return Outcome(True, 'disabled')
        self.trip(Fault.NO_ANSWER, 'the arm did not answer while it was being disabled')
        return Outcome(False, UNREACHED)

    def _enable(self, t: float, answer: Answer) -> None:
        if self._phase is Phase.STOPPED:
            answer(Outcome(False, f'stopped: {self.reason}; call arm/reset first'))
        elif self._phase is Phase.IDLE:
            # Nobody has looked yet at an error from before: only a reset clears it.
            if off_plane := self._arm_up(clear_errors=False):
                log.info('%s', off_plane)
            self._go_home(t, answer)
        else:
            answer(Outcome(True, 'already enabled'))

    def _reset(self, answer: Answer) -> None:
        if self._phase is not Phase.STOPPED:
            answer(Outcome(True, f'not stopped but {self.activity}: nothing to reset'))
            return
        self._reset_says = 'holding where the arm was'
        if off_plane := self._arm_up(clear_errors=True):
            self.reason = f'{off_plane} ({GO_HOME})'
            self._reset_says = f'holding where the arm is: {self.reason}'
        self._waiting.add(answer)
        self._enter(self._course.phase)

    def _home(self, t: float, answer: Answer) -> None:
        if self._phase in ENABLED:
            self._go_home(t, answer)
        else:
            remedy = 'arm/reset' if self._phase is Phase.STOPPED else 'arm/enable'
            answer(Outcome(False, f'{self._phase}: {self.reason}; call {remedy} first'))

    def _arm_up(self, clear_errors: bool) -> str:
        """Enable the arm, which holds where it is; return why it cannot follow commands there."""
        q = self._arm.enable(self._safeguards_at, clear_errors)
        self._watch.restart()
        self.following.restart()
        self._sent = None
        self.fault, self.reason = None, ''
        return self._course.begin(q)

    def _safeguards_at(self, q: Vector) -> Safeguards:
        fence = fence_around(self._kinematics, self._workspace, q)
        settings = self._settings
        return Safeguards.around(
            q, fence, self._gate.limits, settings.collision_sensitivity, settings.tool
        )

    def _go_home(self, t: float, answer: Answer) -> None:
        self._course.go_home(t)
        self.reason = ''
        self._waiting.add(answer)
        self._enter(self._course.phase)

    def _rearm(self, t: float) -> None:
        """After a stop: let count what is asked for from `t` [s] on, and say so."""
        if self._arbiter.is_barred:
            self._arbiter.rearm(t)
        if self._reset_says:
            says, self._reset_says = self._reset_says, ''
            self._waiting.tell(Outcome(True, says))

    def _go_on(self, t: float) -> None:
        self._send(self._course.next(t))
        self._enter(self._course.phase)
        if not self._course.is_homeward:
            self._waiting.tell(Outcome(True, 'at home'))

    def _send(self, q: Vector) -> None:
        self._sent, self._is_answered = q, False
        self._arm.send_joints(q)
        self._is_answered = True
