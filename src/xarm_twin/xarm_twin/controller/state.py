"""State machine of the emulated controller: enable mask, mode, state, error, warning, settings."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from xarm_twin.controller import firmware
from xarm_twin.controller.firmware import Fault, Identity, Mode, Settings, State, Warn
from xarm_twin.controller.goals import Goal, PoseGoal
from xarm_twin.controller.motion import Motion
from xarm_twin.controller.moves import MotionFailed
from xarm_twin.controller.plant import ArmPlant
from xarm_twin.controller.protocol import Status
from xarm_twin.controller.snapshot import Snapshot

ALL_AXES = 8
"""Axis number that stands for every joint in enable and brake commands."""

MODES = range(12)
"""Mode numbers that the controller takes; the emulated arm stands still in 3 and above 7."""

EVERY_MOTOR = 0x3F
"""Enable mask of the six joints."""

STILL = 1e-3
"""Slower joints count as standing still [rad/s]."""


class ControllerState:
    """Everything the control box remembers. Methods are safe to call from any thread.

    Commands return nothing: as on the wire, whether one took effect shows in `status()`. Motion
    commands take effect only while `takes` says so.
    """

    def __init__(
        self,
        arm: ArmPlant,
        clock: Callable[[], float] = time.monotonic,
        identity: Identity | None = None,
    ) -> None:
        """Power up: motors off, stopped, mode 0, holding where `arm` is."""
        self.identity = identity or Identity()
        self.settings = Settings()
        self._arm = arm
        self._lock = threading.RLock()
        self._mode: int = Mode.POSITION
        self._state: int = State.STOPPED
        self._error = 0
        self._warning = 0
        self._enabled = 0
        self._pressed = False
        self._motion = Motion(arm, clock)
        self._paused_target: np.ndarray | None = None

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
            state, pending = self._state, self._motion.planner.pending
            if state == State.READY and (pending or np.abs(velocities).max() > STILL):
                state = State.MOVING
            return Snapshot(
                identity=self.identity,
                mode=self._mode,
                state=state,
                error=self._error,
                warning=self._warning,
                commands=pending,
                enabled=self._enabled,
                emergency_stop=self._pressed,
                command=self._motion.command,
                command_velocities=self._motion.speeds,
                q=self._arm.joint_positions(),
                velocities=velocities,
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

    def enable(self, axis: int, on: bool) -> None:
        """Switch the motor of `axis` 1 to 6, or of all with 8; resets motion."""
        with self._lock:
            if not 1 <= axis <= ALL_AXES:
                self.warn(Warn.BAD_PARAMETER)
                return
            if on and self._pressed:  # the button cuts the motors' power
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

    def press_emergency_stop(self) -> None:
        """Push the button in: error 1, the motors lose their power and the brakes hold."""
        with self._lock:
            self._pressed = True
            self._enabled = 0
            self.fault(Fault.EMERGENCY_STOP)

    def release_emergency_stop(self) -> None:
        """Let the button out. The error stays until a client cleans it."""
        with self._lock:
            self._pressed = False

    def warn(self, code: int) -> None:
        """Raise controller warning `code`."""
        with self._lock:
            self._warning = code

    def clean_error(self) -> None:
        """Forget the error; resets motion, so mode and state have to be set again.

        While the emergency stop is pressed its error stays.
        """
        with self._lock:
            if not self._pressed:
                self._error = 0
                self._reset()

    def clean_warn(self) -> None:
        """Forget the warning."""
        with self._lock:
            self._warning = 0

    def takes(self, *modes: int) -> bool:
        """Whether the arm is ready and in one of `modes`."""
        with self._lock:
            return self._is_ready() and self._mode in modes

    def servo_joints(self, q: npt.ArrayLike) -> None:
        """Mode 1: go to `q`, shape (6,) [rad], at once."""
        target = np.array(q, float)
        with self._lock:
            if not self.takes(Mode.SERVO):
                return
            if self._state == State.PAUSED:
                # As on the arm: the newest command waits and is executed on resume.
                self._paused_target = target
            else:
                self._attempt(lambda: self._motion.servo_joints(target, self.settings))

    def guide(self, q: npt.ArrayLike) -> None:
        """Mode 2: be moved to `q`, shape (6,) [rad], by hand.

        Assumed: joint limits and fence hold, speeds are not looked at.
        """
        target = np.array(q, float)
        with self._lock:
            if self.takes(Mode.MANUAL):
                self._attempt(lambda: self._motion.guide(target, self.settings))

    def servo_pose(self, goal: PoseGoal) -> None:
        """Mode 1: take the tool to a pose at once."""
        with self._lock:
            if self.takes(Mode.SERVO):
                self._attempt(lambda: self.servo_joints(self._motion.joints_at(goal)))

    def plan(self, goal: Goal) -> None:
        """Modes 0, 6, 7: go to `goal`, after other moves (0) or instead of them (6, 7)."""
        with self._lock:
            if not self.takes(Mode.POSITION, Mode.JOINT_ONLINE, Mode.TCP_ONLINE):
                return
            if self._motion.planner.pending >= firmware.LONGEST_QUEUE:
                self.warn(Warn.QUEUE_FULL)
            else:
                self._attempt(lambda: self._motion.plan(goal, self._mode, self.settings))

    def joint_velocity(self, speeds: npt.ArrayLike, together: bool, seconds: float) -> None:
        """Mode 4: joint speeds (6,) [rad/s] for `seconds`, infinite for good."""
        with self._lock:
            if self.takes(Mode.JOINT_VELOCITY):
                self._motion.joint_velocity(np.array(speeds, float), together, seconds)

    def tcp_velocity(self, twist_mm: npt.ArrayLike, in_tool_frame: bool, seconds: float) -> None:
        """Mode 5: velocity of the tool (6,) [mm/s, rad/s] for `seconds`, infinite for good."""
        with self._lock:
            if self.takes(Mode.TCP_VELOCITY):
                self._motion.tcp_velocity(np.array(twist_mm, float), in_tool_frame, seconds)

    def joints_at(self, goal: PoseGoal) -> np.ndarray | None:
        """Return the joints (6,) [rad] that put the tool there; None if it is out of reach."""
        with self._lock:
            try:
                return self._motion.joints_at(goal)
            except MotionFailed:
                return None

    def wait_for_motion(self, timeout: float) -> bool:
        """Wait up to `timeout` [s] for planned motion; return whether there is some."""
        return self._motion.planner.wait(timeout)

    def advance(self, dt: float) -> None:
        """Let planned motion progress by `dt` [s]."""
        with self._lock:
            if self._state != State.PAUSED:
                self._attempt(lambda: self._motion.advance(dt, self.settings))

    def _attempt(self, motion: Callable[[], None]) -> None:
        try:
            motion()
        except MotionFailed as failure:
            self.fault(failure.fault)

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
        self._paused_target = None
        self._motion.hold(self.settings)
