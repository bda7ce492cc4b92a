"""State machine of the emulated controller: enable mask, mode, state, error, warning, motion."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xarm_twin.controller.checks import outside_fence, outside_limits, step_fault
from xarm_twin.controller.firmware import Fault, Mode, Settings, State, Warn
from xarm_twin.controller.flange import tcp_pose_mm
from xarm_twin.controller.motion import JointMove
from xarm_twin.controller.plant import MAX_JOINT_SPEED, ArmPlant
from xarm_twin.controller.protocol import Status

ALL_AXES = 8
"""Axis number that stands for every joint in enable and brake commands."""

MODES = range(12)
"""Mode numbers that the controller takes; the emulated arm moves in 0 and 1 only."""

EVERY_MOTOR = 0x3F
"""Enable mask of the six joints."""

STILL = 1e-3
"""Slower joints count as standing still [rad/s]."""


@dataclass(frozen=True)
class Snapshot:
    """One consistent look at the controller, for reports."""

    mode: int
    state: int
    error: int
    warning: int
    commands: int
    """Moves waiting or running."""
    enabled: int
    """Bit mask of enabled joints; brakes are released with them."""
    q_command: np.ndarray
    """Commanded joints, shape (6,) [rad]: reports carry these, not the measured ones."""
    velocities: np.ndarray
    """Measured joint velocities, shape (6,) [rad/s]."""
    pose_mm: np.ndarray
    """Commanded tool pose: x, y, z [mm], roll, pitch, yaw [rad]."""
    settings: Settings


class ControllerState:
    """Everything the control box remembers. Methods are safe to call from any thread.

    Commands return nothing: as on the wire, whether one took effect shows in `status()`.
    """

    def __init__(self, arm: ArmPlant, clock: Callable[[], float] = time.monotonic) -> None:
        """Power up: motors off, stopped, mode 0, holding where `arm` is."""
        self.settings = Settings()
        self._arm = arm
        self._clock = clock
        self._lock = threading.RLock()
        self._mode: int = Mode.POSITION
        self._state: int = State.STOPPED
        self._error = 0
        self._warning = 0
        self._enabled = 0
        self._moves: deque[JointMove] = deque()
        self._has_moves = threading.Event()
        self._paused_target: np.ndarray | None = None
        self._q_command = np.array(arm.joint_positions(), float)
        self._pose_mm = tcp_pose_mm(self._q_command)
        self._commanded_at = clock()

    def status(self) -> Status:
        """Status byte that a reply carries now."""
        with self._lock:
            status = Status(0)
            if self._error:
                status |= Status.ERROR
            if self._warning:
                status |= Status.WARNING
            if not self._is_ready():
                status |= Status.NOT_READY
            return status

    def snapshot(self) -> Snapshot:
        """Return one consistent look at everything that reports carry."""
        with self._lock:
            velocities = self._arm.joint_velocities()
            state = self._state
            if state == State.READY and (self._moves or np.abs(velocities).max() > STILL):
                state = State.MOVING
            return Snapshot(
                mode=self._mode,
                state=state,
                error=self._error,
                warning=self._warning,
                commands=len(self._moves),
                enabled=self._enabled,
                q_command=self._q_command,
                velocities=velocities,
                pose_mm=self._pose_mm,
                settings=self.settings,
            )

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """Measured joint positions [rad] and velocities [rad/s], shapes (6,)."""
        return self._arm.joint_positions(), self._arm.joint_velocities()

    def configure(self, **values: Any) -> None:
        """Change fields of `settings` that do not disturb motion."""
        with self._lock:
            self.settings = replace(self.settings, **values)

    def reconfigure(self, **values: Any) -> None:
        """Change fields of `settings` that reset motion, as payload and sensitivity do."""
        with self._lock:
            self.configure(**values)
            self._reset()
            self._pose_mm = tcp_pose_mm(self._q_command, self.settings.tcp_offset)

    def enable(self, axis: int, on: bool) -> None:
        """Switch the motor of `axis` 1 to 6, or of all with 8; resets motion."""
        with self._lock:
            if not 1 <= axis <= ALL_AXES:
                self.warn(Warn.BAD_PARAMETER)
                return
            mask = 0xFF if axis == ALL_AXES else 1 << (axis - 1)
            self._enabled = self._enabled | mask if on else self._enabled & ~mask
            self._reset()

    def set_mode(self, mode: int) -> None:
        """Select the motion mode; needs `set_state(0)` afterwards."""
        with self._lock:
            if mode not in MODES:
                self.warn(Warn.BAD_PARAMETER)
                return
            self._reset()
            self._mode = mode

    def set_state(self, value: int) -> None:
        """Act on a state command: 0 ready, 3 pause, 4 stop, 6 decelerating stop."""
        with self._lock:
            match value:
                case 0:
                    self._become_ready()
                case 3:
                    if self._is_ready():
                        self._state = State.PAUSED
                case 4 | 6:
                    self._hold()
                    self._state = State.STOPPED
                case _:
                    self.warn(Warn.BAD_PARAMETER)

    def fault(self, code: int) -> None:
        """Raise controller error `code`: stop, mode 0, hold where the arm is."""
        with self._lock:
            self._hold()
            self._error = code
            self._mode = Mode.POSITION
            self._state = State.STOPPED

    def warn(self, code: int) -> None:
        """Raise controller warning `code`."""
        with self._lock:
            self._warning = code

    def clean_error(self) -> None:
        """Forget the error; resets motion, so mode and state have to be set again."""
        with self._lock:
            self._error = 0
            self._reset()

    def clean_warn(self) -> None:
        """Forget the warning."""
        with self._lock:
            self._warning = 0

    def servo_joints(self, q: npt.ArrayLike) -> None:
        """Go to `q`, shape (6,) [rad], at once. Ignored unless ready in servo mode."""
        target = np.array(q, float)
        with self._lock:
            if not self.can_servo():
                return
            if self._state == State.PAUSED:
                # As on the arm: the newest command waits and is executed on resume.
                self._paused_target = target
                return
            fault = self._servo_fault(target)
            if fault is None:
                self._send(target)
            else:
                self.fault(fault)

    def can_servo(self) -> bool:
        """Whether a servo command would be taken."""
        with self._lock:
            return self._is_ready() and self._mode == Mode.SERVO

    def move_joints(self, q: npt.ArrayLike, speed: float) -> None:
        """Queue a move to `q`, shape (6,) [rad], led by a joint at `speed` [rad/s], in mode 0."""
        target = np.array(q, float)
        with self._lock:
            if not self.can_plan():
                return
            if not speed > 0:  # also true of NaN
                self.warn(Warn.BAD_PARAMETER)
                return
            if outside_limits(target):
                self.fault(Fault.JOINT_LIMIT)
                return
            start = self._moves[-1].goal if self._moves else self._q_command
            self._moves.append(JointMove.between(start, target, min(speed, MAX_JOINT_SPEED)))
            self._has_moves.set()

    def can_plan(self) -> bool:
        """Whether a mode 0 move would be taken."""
        with self._lock:
            return self._is_ready() and self._mode == Mode.POSITION

    def wait_for_move(self, timeout: float) -> bool:
        """Wait up to `timeout` [s] for a queued move; return whether there is one."""
        return self._has_moves.wait(timeout)

    def advance(self, dt: float) -> None:
        """Let a queued move progress by `dt` [s]."""
        with self._lock:
            if self._moves and self._state != State.PAUSED:
                move = self._moves[0].after(dt)
                self._send(move.point())
                if move.done:
                    self._moves.popleft()
                else:
                    self._moves[0] = move
            if not self._moves:
                self._has_moves.clear()

    def _servo_fault(self, target: np.ndarray) -> Fault | None:
        if outside_limits(target):
            return Fault.JOINT_LIMIT
        tcp_mm = tcp_pose_mm(target, self.settings.tcp_offset)[:3]
        if outside_fence(tcp_mm, self.settings):
            return Fault.FENCE
        return step_fault(
            target - self._q_command,
            tcp_mm - self._pose_mm[:3],
            self._clock() - self._commanded_at,
            self.settings,
        )

    def _is_ready(self) -> bool:
        return (
            not self._error
            and self._state <= State.PAUSED
            and self._enabled & EVERY_MOTOR == EVERY_MOTOR
        )

    def _become_ready(self) -> None:
        if self._error or self._enabled & EVERY_MOTOR != EVERY_MOTOR:
            return
        was_paused = self._state == State.PAUSED
        self._state = State.READY
        if was_paused and self._paused_target is not None:
            self.servo_joints(self._paused_target)
        self._paused_target = None

    def _reset(self) -> None:
        """System reset: buffer cleared, mode 0, state 5 unless an error keeps it stopped."""
        self._hold()
        self._mode = Mode.POSITION
        self._state = State.STOPPED if self._error else State.NEEDS_READY

    def _hold(self) -> None:
        self._moves.clear()
        self._paused_target = None
        self._send(self._arm.joint_positions())

    def _send(self, q: np.ndarray) -> None:
        self._arm.set_joint_targets(q)
        self._q_command = q
        self._pose_mm = tcp_pose_mm(q, self.settings.tcp_offset)
        self._commanded_at = self._clock()
