"""The xArm behind the vendor's SDK; millimetres, codes and prints of the SDK stop here."""

import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

import planar_arm.xarm6 as xarm6
from ibc_contract.ending_signals import interruptible
from xarm_planar_driver.errors import ArmError, ArmFault, ArmLost, ArmSilent
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.handshake import NotAnArm, ask_version
from xarm_planar_driver.safeguards import (
    Safeguards,
    find_difference,
    find_reported_difference,
    set_safeguards,
)
from xarm_planar_driver.sdk import open_sdk, quiet
from xarm_planar_driver.status_reports import StatusReports

log = logging.getLogger(__name__)

Vector = npt.NDArray[np.float64]

REPLY_TIMEOUT = 0.1
"""How long one command waits for the controller's reply [s]; the SDK's own default is 2 s."""
SETUP_TIMEOUT = 2.0
"""The same while nothing moves: on first contact and when enabling [s]."""

REPORT_WAIT = 3.0
"""How long the controller's reports may take to show what was set; they come every 0.2 s [s]."""
FEWEST_REPORTS = 3
"""So many must show something else than was set: one may have been on its way before that."""

SERVO_MODE = 1
_RETRY = 0.2
_READY, _STOP = 0, 4
_MOVABLE_STATES = (0, 1, 2)
_MIN_FIRMWARE = (1, 9, 0)

# Return codes of the SDK (hardware facts; x3/code.py).
_REFUSED = (1, 2, 9)
_TIMEOUT = 3


class XarmArm:
    """One xArm6, streamed to in servo mode. Every failure is an ArmError of one line."""

    def __init__(
        self, ip: str, control_port: int = 502, reports: StatusReports | None = None
    ) -> None:
        """`reports` of the same controller are needed to enable the arm, and for nothing else."""
        self.ip = ip
        self.control_port = control_port
        self._reports = reports
        self._api: Any = None

    @property
    def address(self) -> str:
        """Where the controller is, for messages."""
        return f'{self.ip}:{self.control_port}'

    def connect(self, wait: float = 0.0) -> None:
        """Open the connection and check that an xArm6 answers.

        Args:
            wait: How long to go on trying [s]: a controller, or the twin, may still be starting.

        Raises:
            ArmError: Nothing listens, nothing answers, or it is another robot.
            KeyboardInterrupt: A signal came while it waited.
        """
        with interruptible():
            self._wait_for_answer(wait)
            self._api = open_sdk(self.ip, self.control_port)
        self._api.set_timeout(REPLY_TIMEOUT)
        if self._api.axis != xarm6.JOINTS:
            raise ArmError(f'{self.address} is an arm of {self._api.axis} joints, not an xArm6')
        if self._api.device_type != xarm6.DEVICE_TYPE:
            raise ArmError(
                f'{self.address} is not an xArm6 but says it is {self._api.version!r} (type '
                f'{self._api.device_type}): its joints and limits differ'
            )
        if tuple(self._api.version_number) < _MIN_FIRMWARE:
            raise ArmError(
                f'{self.address} has firmware {self._api.version}: measured joint positions '
                f'need {".".join(map(str, _MIN_FIRMWARE))} or newer, update it in UFACTORY Studio'
            )

    def serial_number(self) -> str:
        """Return the number of the arm, as its controller tells it."""
        return str(self._require('get_robot_sn', *self._connected().get_robot_sn()))

    def reconnect(self) -> None:
        """Open a new connection in the place of a lost one.

        Raises:
            ArmError: As `connect`.
        """
        self.disconnect()
        self.connect()

    def enable(self, safeguards_at: Callable[[Vector], Safeguards], clear_errors: bool) -> Vector:
        """Set safeguards, release the brakes and enter servo mode; the arm holds where it is.

        Args:
            safeguards_at: Limits for a controller whose arm stands at these joints (6,) [rad].
            clear_errors: Whether a person has seen to what an error says.

        Returns:
            The measured joints that it holds, (6,) [rad].

        Raises:
            ArmFault: The controller is in error, is not ready after that, for instance by an
                e-stop, or keeps other limits than it was told.
            PlanarArmError: From there is no safe way.
        """
        api = self._connected()
        api.set_timeout(SETUP_TIMEOUT)
        try:
            if clear_errors:
                self._expect(('clean_error', api.clean_error()))
            self._expect(('clean_warn', api.clean_warn()))
            error = self._controller_error()
            if error:  # pressed e-stop, collision: nothing that follows would be taken
                raise self._not_ready(error, _STOP)
            q, _ = self.joint_states()
            self._set_safeguards(api, safeguards_at(q))
            return self._enter_servo_mode(api)
        finally:
            api.set_timeout(REPLY_TIMEOUT)

    def _set_safeguards(self, api: Any, safeguards: Safeguards) -> None:
        # They reset mode and state, so they go first.
        self._expect(*set_safeguards(api, safeguards))
        set_at = time.monotonic()
        states = self._require('get_reduced_states', *api.get_reduced_states())
        difference = find_difference(states, safeguards)
        if difference is None:
            difference = self._reported_difference(safeguards, set_at)
        if difference is not None:
            raise ArmFault(
                f'arm at {self.address} did not take its safety limits: {difference}; check that '
                'no other program sets them, and the firmware',
                Fault.LIMITS_NOT_KEPT,
            )

    def _reported_difference(self, safeguards: Safeguards, since: float) -> str | None:
        """Return what the controller reports later than `since` [s] that was not set so."""
        if self._reports is None:
            raise ArmFault(f'arm at {self.address} cannot be enabled without its reports')
        deadline, difference = since + REPORT_WAIT, None
        for _ in range(FEWEST_REPORTS):
            report = self._reports.after(since, deadline)
            if report is None:
                raise ArmFault(
                    f'arm at {self.address} sends no status reports, which would tell whether it '
                    'took its safety limits: check its report port, and how many programs are '
                    'connected to it',
                    Fault.NO_REPORTS,
                )
            difference = find_reported_difference(report, safeguards)
            if difference is None:
                return None
            since = report.received
        return difference

    def _enter_servo_mode(self, api: Any) -> Vector:
        self._expect(
            ('motion_enable', api.motion_enable(True)),
            ('set_mode', api.set_mode(SERVO_MODE)),
            ('set_state', api.set_state(_READY)),
        )
        time.sleep(0.1)  # the vendor's example waits as long before the first point
        state = self._require('get_state', *api.get_state())
        error = self._controller_error()
        if error or state not in _MOVABLE_STATES:
            raise self._not_ready(error, state)
        # A resumed arm jumps to the newest point it was given: make that the measured one.
        q, _ = self.joint_states()
        self.send_joints(q)
        return q

    def _expect(self, *calls: tuple[str, int]) -> None:
        for name, code in calls:
            if code not in (0, *_REFUSED):  # refusals show in what is checked after them
                raise self._error(name, code)

    def joint_states(self) -> tuple[Vector, Vector]:
        """Return measured positions (6,) [rad] and velocities (6,) [rad/s]."""
        states = self._require('get_joint_states', *self._connected().get_joint_states(num=2))
        positions, velocities = np.array(states)[:, : xarm6.JOINTS]
        if not (np.isfinite(positions).all() and np.isfinite(velocities).all()):
            raise ArmFault(
                f'arm at {self.address} reports joint positions {positions}', Fault.BAD_MEASUREMENT
            )
        return positions, velocities

    def send_joints(self, q: Vector) -> None:
        """Command joint positions (6,) [rad], executed at once."""
        if not np.isfinite(q).all():  # the SDK would send NaN on
            raise ArmError(f'refused to send joint positions {q}')
        code = self._connected().set_servo_angle_j(q.tolist())
        if code != 0:
            raise self._error('set_servo_angle_j', code)

    def stop(self) -> None:
        """Stop moving and ignore further points until `enable`.

        Raises:
            ArmError: It did not answer, or it answers that it may still move.
        """
        code = self._connected().set_state(_STOP)
        if code in _REFUSED:
            state = self._require('get_state', *self._connected().get_state())
            if state in _MOVABLE_STATES:
                raise ArmFault(f'arm at {self.address} did not stop: it is in state {state}')
        elif code != 0:
            raise self._error('set_state', code)

    def disconnect(self) -> None:
        """Close the connection. It does not stop the arm: call `stop` first."""
        if self._api is not None:
            with quiet():
                self._api.disconnect()
            self._api = None

    def _connected(self) -> Any:
        if self._api is None:
            raise ArmLost(f'not connected to an arm at {self.address}')
        return self._api

    def _wait_for_answer(self, wait: float) -> None:
        deadline = time.monotonic() + wait
        said = False
        while True:
            try:
                ask_version(self.ip, self.control_port, SETUP_TIMEOUT)
                return
            except ArmError as error:
                if isinstance(error, NotAnArm) or time.monotonic() >= deadline:
                    raise
                if not said:
                    log.info('%s (trying for %.0f s)', error, wait)
                    said = True
            time.sleep(_RETRY)

    def _require(self, name: str, code: int, value: Any) -> Any:
        if code != 0:
            raise self._error(name, code)
        return value

    def _controller_error(self) -> int:
        error, _ = self._require('get_err_warn_code', *self._connected().get_err_warn_code())
        return int(error)

    def _not_ready(self, error: int, state: int) -> ArmFault:
        reason, fault = _reason(error, state)
        return ArmFault(f'arm at {self.address} is not ready: {reason}', fault)

    def _error(self, name: str, code: int) -> ArmError:
        if code == _TIMEOUT and self._connected().connected:
            return ArmSilent(f'arm at {self.address} did not answer {name} in {REPLY_TIMEOUT} s')
        if code in _REFUSED:
            error = self._controller_error()
            state = self._require('get_state', *self._connected().get_state())
            reason, fault = _reason(error, state)
            return ArmFault(f'arm at {self.address} refused to move: {reason}', fault)
        if not self._connected().connected:
            return ArmLost(f'lost the connection to the arm at {self.address}')
        return ArmFault(f'arm at {self.address}: {name} failed with SDK code {code}')


def describe_error(code: int) -> str:
    """Return number and English name of a controller error, as in `C31 Collision ...`."""
    from xarm.core.config.x_code import ControllerError

    title = ControllerError(code).title['en']
    return f'C{code} {title}'


def _reason(error: int, state: int) -> tuple[str, Fault]:
    if error:
        return f'controller error {describe_error(error)}', Fault.CONTROLLER_ERROR
    if state in _MOVABLE_STATES:
        return 'another program changed its mode', Fault.TAKEN_OVER
    return f'controller state {state}, set by another program or by itself', Fault.TAKEN_OVER
