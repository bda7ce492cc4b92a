"""One connected arm with everything that moves it: what the node configures and cleans up."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from planar_arm.calibration_file import age_warning
from planar_arm.errors import PlanarArmError
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import SafetyGate, load_safety_limits
from planar_arm.table import TWIN, TWIN_SERIAL
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_planar_driver.arbitration import Acts, Arbiter, Command
from xarm_planar_driver.arm import XarmArm
from xarm_planar_driver.config import NO_TABLE, DriverConfig
from xarm_planar_driver.driver_status import SHIPPED, DriverStatus, RecentStats
from xarm_planar_driver.errors import ArmError, ArmFault
from xarm_planar_driver.motion import ArmMotion
from xarm_planar_driver.motion_settings import MotionSettings
from xarm_planar_driver.phases import ENABLED, Outcome, Phase, Request
from xarm_planar_driver.servo_loop import LATE, ServoLoop, TickReport
from xarm_planar_driver.status_reports import VENDOR_PORT, StatusReports
from xarm_planar_driver.timing_log import TimingLog

log = logging.getLogger(__name__)

_POLL = 0.01


class PlanarDriver:
    """Connects on construction; moves nothing before a request to enable."""

    def __init__(
        self,
        config: DriverConfig,
        on_tick: Callable[[TickReport], None],
        on_end: Callable[[Exception], None],
        clock_ns: Callable[[], int] = time.time_ns,
        on_phase: Callable[[Phase], None] = lambda phase: None,
    ) -> None:
        """Callbacks come in the servo thread, as ServoLoop and ArmMotion say.

        Raises:
            ArmError: No arm answers, or safety limits or table are unusable; or the table is the
                twin's, and the arm is not.
        """
        if age := age_warning(config.table_file, config.table_max_age):
            log.warning('%s: if table, robot or tool was changed, ibc calibrate table again', age)
        table = config.table()
        self.has_table = table is not None
        """Without one the arm is only looked at: it must not be enabled."""
        workspace = DEFAULT_WORKSPACE if table is None else table.workspace
        try:
            limits = load_safety_limits(config.safety_limits or None)
        except PlanarArmError as error:
            raise ArmError(f'will not drive without limits: {error}') from None
        self._limits_file = config.safety_limits or SHIPPED
        self._reports = StatusReports(config.robot_ip, config.report_port or VENDOR_PORT)
        self._arm = XarmArm(config.robot_ip, config.control_port, self._reports)
        self._arm.connect(config.connect_wait)
        if config.table_file == TWIN:
            _require_twin(self._arm)
        log.info(
            'safety limits: %s, the tool at %g m/s at most', self._limits_file, limits.max_tcp_speed
        )
        self._reports.start()
        self._kinematics = Xarm6Kinematics(workspace, config.tool)
        self._gate = SafetyGate(limits, workspace)
        self._arbiter = Arbiter(config.teleop_hold)
        self._acts = Acts()
        settings = MotionSettings(
            config.period,
            config.home_speed,
            # As with the speed in the plane: a site that lowers its limits goes home more slowly.
            min(config.home_joint_speed, limits.max_joint_speed),
            config.collision_sensitivity,
            config.interpolation,
            config.tool,
        )
        self._motion = ArmMotion(
            self._arm, self._kinematics, self._gate, workspace, self._arbiter, settings, on_phase
        )
        self._timing_file = config.timing_file
        self._timing = TimingLog() if config.timing_file else None
        self._loop = ServoLoop(
            self._arm,
            self._motion,
            self._kinematics,
            self._reports,
            config.period,
            on_tick,
            on_end,
            clock_ns,
            config.realtime_priority,
            config.lock_memory,
            self._timing,
        )
        self._loop.start()
        self._counted: Counter[str] = Counter()
        self._recent = RecentStats()

    @property
    def phase(self) -> Phase:
        """What the arm is doing."""
        return self._motion.phase

    def submit(self, command: Command) -> None:
        """Queue a move of the setpoint. From one thread, as `policy_switched`."""
        self._loop.submit(self._acts.stamp(command))

    def policy_switched(self, on: bool) -> None:
        """Take note that a person has enabled or disabled the policy just now."""
        self._acts.policy_switched(on, time.monotonic())

    def request(self, request: Request) -> Future[Outcome]:
        """Queue a request; the future ends when the arm has done it, or cannot."""
        return self._loop.request(request)

    def enable(self, timeout: float) -> Future[Outcome]:
        """Ask for ENABLE and return when the arm is enabled; the future ends when it is at home.

        Raises:
            ArmFault: It refuses.
            ArmError: Its table is not known, or it is not enabled after `timeout` [s].
        """
        if not self.has_table:
            raise ArmError(NO_TABLE)
        at_home = self.request(Request.ENABLE)
        deadline = time.monotonic() + timeout
        while not at_home.done() and self.phase not in ENABLED:
            if time.monotonic() > deadline:
                self.request(Request.DISABLE)
                raise ArmError(
                    f'the arm was not enabled within {timeout:.0f} s: look at its screen'
                )
            time.sleep(_POLL)
        if at_home.done() and not at_home.result().success:
            raise ArmFault(at_home.result().message)
        return at_home

    def close(self) -> None:
        """Stop the arm and disconnect. Bounded in time."""
        self._loop.close()
        if self._timing is not None:
            self._write(self._timing)
        self._reports.close()
        self._arm.disconnect()
        self._kinematics.close()

    def status(self) -> DriverStatus:
        """Sum up the time since the last call."""
        stats = self._loop.take_stats()
        counted = self._gate.interventions + self._arbiter.ignored
        lately, self._counted = counted - self._counted, counted
        joint_error, height_error = self._motion.following.take_worst()
        return DriverStatus(
            phase=self._motion.phase,
            activity=str(self._motion.activity),
            fault=self._motion.fault,
            reason=self._motion.reason,
            stats=stats,
            recently=self._recent.add(stats, time.monotonic()),
            report=self._reports.newest(),
            lately=lately,
            interventions=dict(self._gate.interventions),
            ignored=dict(self._arbiter.ignored),
            limits=self._limits_file,
            max_tcp_speed=self._gate.limits.max_tcp_speed,
            worst_joint_error=joint_error,
            worst_height_error=height_error,
            is_reached=self._motion.is_reached,
            priority=self._loop.priority_right,
            memory=self._loop.memory_right,
        )

    def _write(self, timing: TimingLog) -> None:
        rights = self._loop.priority_right, self._loop.memory_right
        try:
            timing.write(Path(self._timing_file), LATE, *rights)
        except OSError as error:  # the arm is stopped all the same
            log.error('timing_file %s: %s', self._timing_file, error.strerror)


def _require_twin(arm: XarmArm) -> None:
    serial = arm.serial_number()
    if not serial.endswith(TWIN_SERIAL):
        arm.disconnect()
        raise ArmError(
            f"table_file:=twin is the twin's, and the arm at {arm.address} ({serial}) is none: "
            'ibc calibrate table SITE --robot-ip IP, then table_file:=SITE/calibration/table.yaml'
        )
