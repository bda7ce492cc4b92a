"""What the arm is doing: idle, moving home, following commands, or stopped until a reset.

Free of threads and of clocks: the servo loop calls it once per tick.
"""

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from planar_arm.errors import PlanarArmError
from planar_arm.fence import fence_around
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import SafetyGate
from planar_arm.servo import PlanarServo
from planar_arm.setpoint_motion import Interpolation
from planar_arm.tool import DEFAULT_TOOL, Tool
from planar_arm.workspace import Workspace
from xarm_planar_driver.arbitration import Arbiter, Command
from xarm_planar_driver.arm import XarmArm
from xarm_planar_driver.errors import ArmError, ArmFault, ArmLost, fault_of
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.phases import Answer, Outcome, Phase, Request, Waiting
from xarm_planar_driver.report_watch import ReportWatch
from xarm_planar_driver.safeguards import Safeguards
from xarm_planar_driver.status_reports import StatusReport
from xarm_planar_driver.stopping import UNREACHED, Stop
from xarm_planar_driver.way_home import WayHome

log = logging.getLogger(__name__)

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MotionSettings:
    """Speeds of what the driver does by itself."""

    period: float
    """Between two ticks [s]."""
    home_speed: float
    """Of the tool in its plane [m/s]."""
    home_joint_speed: float
    """Of the fastest joint on the way to the plane [rad/s]."""
    collision_sensitivity: int = 3
    """Of the controller, 1 to 5."""
    interpolation: Interpolation = Interpolation.LINEAR
    """Between commands."""
    tool: Tool = DEFAULT_TOOL


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
    ) -> None:
        self._arm = arm
        self._kinematics = kinematics
        self._gate = gate
        self._workspace = workspace
        self._arbiter = arbiter
        self._settings = settings
        self._servo = PlanarServo(kinematics, gate, workspace, settings.interpolation)
        self._way_home: WayHome | None = None
        self._q_measured, self._tool = np.zeros(xarm6.JOINTS), np.zeros(2)
        self._unanswered: Vector | None = None
        """Joint positions that were sent and may not have arrived."""
        self._going_home = False
        self._waiting = Waiting()
        self._stop = Stop(arm)
        self._watch = ReportWatch()
        self.phase = Phase.IDLE
        self.reason = 'not enabled yet'
        """Why the arm is idle or stopped."""
        self.fault: Fault | None = None
        """The same for programs, while it is stopped."""

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
        if self.phase is not Phase.ACTIVE or self._going_home:
            self._arbiter.ignored[f'{command.source}_while_{self.activity}'] += 1
            return False
        if not self._arbiter.admit(command, t):
            return False
        if self._arbiter.active is not command.source:
            self._servo.hold(t)  # what the other source still wanted no longer counts
        duration = self._arbiter.ramp_duration(command)
        age = (now_ns - command.stamp_ns) * 1e-9
        accepted = self._servo.command(command.delta, t, duration, age).accepted
        if accepted:
            self._arbiter.note(command)
        return accepted

    def measured(self, q: Vector, tool: Vector) -> None:
        """Take note of joints (6,) [rad] and tool (2,) [m] in its plane: commands wait for them."""
        self._q_measured, self._tool = q, tool

    def tick(self, t: float, report: StatusReport | None) -> Vector | None:
        """Send the joint positions of the tick at `t` [s]; return the setpoint (2,) [m], if any.

        Raises:
            ArmSilent: The reply did not come in time.
            ArmLost: The connection is gone.
        """
        if self._stop.is_pending:
            self._stop.send()
        if self.phase not in (Phase.HOMING, Phase.ACTIVE):
            return None
        try:
            self._watch.check(t, report)
            if self._unanswered is not None:
                # A frozen link delivers at once whatever was sent meanwhile: no next point before
                # the arm has answered to this one.
                self._send(self._unanswered)
                return self._servo.setpoint if self.phase is Phase.ACTIVE else None
            if self._way_home is not None and self.phase is Phase.HOMING:
                self._step_home(self._way_home)
                return None
            step = self._servo.step(t, self._settings.period, self._tool)
            self._send(step.q_command)
        except (ArmFault, PlanarArmError) as error:
            self.trip(fault_of(error), str(error))
            return None
        if self._going_home and not self._servo.moving:
            self._arrive('at home')
        return step.setpoint_xy

    @property
    def tool_height(self) -> float:
        """Of the plane in which the tool works [m]."""
        return self._workspace.tool_height

    @property
    def activity(self) -> str:
        """The phase, for people; moving home in the plane counts as homing."""
        return Phase.HOMING if self._going_home else self.phase

    @property
    def is_reached(self) -> bool:
        """Whether the arm has taken the last stop that it was sent."""
        return not self._stop.is_pending

    def trip(self, fault: Fault, reason: str) -> bool:
        """Stop the arm and stay stopped until a reset; return whether it has taken that.

        If not, each tick sends it again.
        """
        if self.phase is not Phase.STOPPED:
            log.error('arm stopped: %s; once it may move again, call arm/reset', reason)
        self.phase, self.fault, self.reason = Phase.STOPPED, fault, reason
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
        self.phase, self.reason = Phase.IDLE, 'shut down'
        try:
            taken = self._halt()
        except ArmLost:
            taken = False
        if not taken:
            log.error('the arm may not have stopped: %s', UNREACHED)

    def _halt(self) -> bool:
        self._going_home = False
        self._waiting.tell(Outcome(False, f'{self.phase}: {self.reason}'))
        return self._stop.send()

    def _disable(self) -> Outcome:
        if self.phase is Phase.STOPPED:
            if self._stop.is_pending:
                return Outcome(False, UNREACHED)
            return Outcome(True, f'already stopped: {self.reason}')
        self.phase, self.reason = Phase.IDLE, 'disabled'
        if self._halt():
            return Outcome(True, 'disabled')
        self.trip(Fault.NO_ANSWER, 'the arm did not answer while it was being disabled')
        return Outcome(False, UNREACHED)

    def _enable(self, t: float, answer: Answer) -> None:
        if self.phase is Phase.STOPPED:
            answer(Outcome(False, f'stopped: {self.reason}; call arm/reset first'))
        elif self.phase is Phase.IDLE:
            # Nobody has looked yet at an error from before: only a reset clears it.
            self._arm_up(answer, clear_errors=False)
            if self.phase is Phase.ACTIVE:
                self._go_home(t)
        else:
            answer(Outcome(True, 'already enabled'))

    def _reset(self, answer: Answer) -> None:
        if self.phase is not Phase.STOPPED:
            answer(Outcome(True, f'not stopped but {self.activity}: nothing to reset'))
            return
        self._arm_up(answer, clear_errors=True)
        if self.phase is Phase.ACTIVE:
            self._arrive('holding where the arm was')

    def _home(self, t: float, answer: Answer) -> None:
        if self.phase in (Phase.IDLE, Phase.STOPPED):
            remedy = 'arm/reset' if self.phase is Phase.STOPPED else 'arm/enable'
            answer(Outcome(False, f'{self.phase}: {self.reason}; call {remedy} first'))
            return
        self._waiting.add(answer)
        if self.phase is Phase.ACTIVE:
            self._go_home(t)

    def _arm_up(self, answer: Answer, clear_errors: bool) -> None:
        """Enable the arm; then hold on the plane where it is, or set out for home."""
        q = self._arm.enable(self._safeguards_at, clear_errors)
        self._watch.restart()
        self._unanswered = None
        self._arbiter.forget()
        self._q_measured = q
        self._tool = self._kinematics.forward(q).position[:2]
        try:
            self._servo.start(q)
            self.phase = Phase.ACTIVE
        except PlanarArmError as error:
            log.info('%s', error)
            speed, period = self._settings.home_joint_speed, self._settings.period
            self._way_home = WayHome(
                self._kinematics, self._workspace, self._gate, q, speed, period
            )
            self.phase = Phase.HOMING
        self.fault, self.reason = None, ''
        self._waiting.add(answer)

    def _safeguards_at(self, q: Vector) -> Safeguards:
        fence = fence_around(self._kinematics, self._workspace, q)
        settings = self._settings
        return Safeguards.around(
            q, fence, self._gate.limits, settings.collision_sensitivity, settings.tool
        )

    def _go_home(self, t: float) -> None:
        self._going_home = True
        self._servo.goto(self._workspace.home, t, self._settings.home_speed)

    def _step_home(self, way: WayHome) -> None:
        q = way.step(self._q_measured)
        if q is not None:
            self._send(q)
            return
        self._servo.start(way.q)
        self.phase = Phase.ACTIVE
        self._arrive('at home')

    def _send(self, q: Vector) -> None:
        self._unanswered = q
        self._arm.send_joints(q)
        self._unanswered = None

    def _arrive(self, message: str) -> None:
        self._going_home = False
        self._waiting.tell(Outcome(True, message))
