"""Whether the controller's own status reports let an enabled arm go on moving."""

from xarm_planar_driver.arm import SERVO_MODE, describe_error
from xarm_planar_driver.errors import ArmFault
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.status_reports import StatusReport

SETTLES = 0.5
"""How long after enabling a report may still show the state before it [s]."""
LONGEST_WITHOUT_REPORT = 3.0
"""Reports come every 0.2 s; without them nobody would tell what another client does [s].

Longer than an arm may be silent: if nothing comes at all, that is the better reason.
"""
_MOVABLE_STATES = (0, 1, 2)


class ReportWatch:
    """Looks at the newest report once per tick."""

    def __init__(self) -> None:
        self._since: float | None = None

    def restart(self) -> None:
        """Begin anew with the next tick: the arm has just been enabled."""
        self._since = None

    def check(self, t: float, report: StatusReport | None) -> None:
        """Judge the newest report at time `t`, on the clock of its arrival [s].

        Raises:
            ArmFault: It names an error, or another client's doing, or is too old.
        """
        if self._since is None:
            self._since = t
        heard = self._since if report is None else max(report.received, self._since)
        if t - heard > LONGEST_WITHOUT_REPORT:
            raise ArmFault(
                f'the arm has sent no status report for {LONGEST_WITHOUT_REPORT:.0f} s: check its '
                'cable, its report port, and how many programs are connected to it',
                Fault.NO_REPORTS,
            )
        if report is None or report.received < self._since + SETTLES:
            return
        if report.error:
            raise ArmFault(
                f'controller error {describe_error(report.error)}', Fault.CONTROLLER_ERROR
            )
        if report.mode != SERVO_MODE:
            raise ArmFault(f'another client put the arm into mode {report.mode}', Fault.TAKEN_OVER)
        if report.state not in _MOVABLE_STATES:
            raise ArmFault(
                f'another client put the arm into state {report.state}', Fault.TAKEN_OVER
            )
