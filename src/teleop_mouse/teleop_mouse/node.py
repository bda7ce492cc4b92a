"""The teleoperation node: window in one thread, commands in another, callbacks only store."""

import sys
import threading
import time
import traceback
from collections import deque
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_msgs.msg import String

from ibc_contract import topics
from ibc_contract.errors import IbcError
from ibc_contract.images import decode_jpeg
from ibc_contract.messages import pose_xy
from ibc_contract.pacing import ticks
from ibc_contract.ros import Diagnostics, declare_config, latched, newest, status_name, to_ns
from ibc_contract.runner import run
from planar_arm.calibration_file import age_warning
from planar_arm.camera_model import CameraModel
from planar_arm.errors import PlanarArmError
from planar_arm.lens import Lens
from teleop_mouse.config import TeleopConfig, camera_pose, table
from teleop_mouse.keys import QUIT, find_key
from teleop_mouse.overlay import Marks
from teleop_mouse.pointer import Lead, Point, Pointer, board_point
from teleop_mouse.recorder_state import RecorderState
from teleop_mouse.screen import FROZEN_S, PolicyState, Screen, fitting_scale, render
from teleop_mouse.service_keys_node import ServiceKeys
from teleop_mouse.window import Window, check_display

COMMAND_RATE_HZ = 20.0
POLL_MS = 15
"""Share of a window turn spent on events; also its longest delay of a key."""
REDRAW_S = 0.05
REDRAW_IDLE_S = 0.25
SETPOINT_TIMEOUT_S = 0.5
WINDOW_TIMEOUT_S = 0.5
"""A window that is stuck for longer cannot tell that the button was released."""
NO_IMAGE_SIZE = (640, 360)
DRIVER, POLICY = 'xarm_planar_driver', 'ibc_policy'


class TeleopMouse(Node):
    """Shows the camera, leads the tool with the mouse, obeys the keys."""

    def __init__(self, **kwargs: Any) -> None:
        """Check the display and the camera pose, then open the window in its own thread."""
        super().__init__('teleop_mouse', **kwargs)
        self.exit_code: int | None = None
        self._display = check_display()
        self._config = declare_config(self, TeleopConfig)
        self._pose = camera_pose(self._config)
        if age := age_warning(self._config.camera_pose_file, self._config.camera_max_age):
            self.get_logger().warning(
                f'{age}: if the camera may have moved, ibc calibrate camera again'
            )
        self._table = table(self._config)
        self._workspace = self._table.workspace
        self._lead = Lead(self._workspace, self._config.max_speed)
        self._init_state()
        self._deltas = self.create_publisher(Vector3Stamped, topics.TELEOP_DELTA, newest())
        self._subscribe()
        self._keys = ServiceKeys(self)
        self._diagnostics = Diagnostics(self, 'window')
        self.create_timer(1.0, self._report, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(loop,), name=loop.__name__, daemon=True)
            for loop in (self._window_loop, self._command_loop)
        ]
        for thread in self._threads:
            thread.start()

    def _init_state(self) -> None:
        self._image: CompressedImage | None = None
        self._info: CameraInfo | None = None
        self._arrivals: deque[float] = deque(maxlen=30)
        self._setpoint: tuple[Point, float] | None = None
        self._recorder = RecorderState()
        self._offered = frozenset((QUIT,))
        self._arm_trouble = self._arm_warning = ''
        self._driver = status_name(self, 'arm', DRIVER)
        self._policy = PolicyState()
        self._policy_status = status_name(self, 'policy', POLICY)
        self._view: CameraModel | None = None
        self._pointer = Pointer()
        self._window_turn_s = time.monotonic()
        self._speed: float | None = None
        self._let_go = False
        self._commands = 0

    def _subscribe(self) -> None:
        self.create_subscription(
            CompressedImage, topics.CAMERA_COMPRESSED, self._on_image, newest()
        )
        self.create_subscription(CameraInfo, topics.CAMERA_INFO, self._on_info, newest())
        self.create_subscription(PoseStamped, topics.TCP_SETPOINT, self._on_setpoint, newest())
        self.create_subscription(String, topics.RECORDER_STATE, self._on_recorder, latched())
        self.create_subscription(String, topics.ARM_STATE, self._on_arm_state, latched(depth=10))
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)

    def close(self) -> None:
        """Stop leading, make sure that the last move of zero arrives, close the window."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2.0)
        self._deltas.wait_for_all_acked(Duration(seconds=0.5))  # type: ignore[arg-type]

    # Callbacks: store the newest.

    def _on_image(self, message: CompressedImage) -> None:
        self._arrivals.append(time.monotonic())
        self._image = message

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message

    def _on_setpoint(self, message: PoseStamped) -> None:
        self._setpoint = (pose_xy(message), time.monotonic())

    def _on_recorder(self, message: String) -> None:
        self._recorder = RecorderState.parse(message.data)

    def _on_arm_state(self, message: String) -> None:
        if message.data in (topics.ARM_STOPPED, topics.ARM_IDLE):
            self._let_go = True

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name == self._driver:
                said = {status.level: status.message}
                self._arm_trouble = said.get(DiagnosticStatus.ERROR, '')
                self._arm_warning = said.get(DiagnosticStatus.WARN, '')
            elif status.name == self._policy_status:
                enabled = any(
                    (pair.key, pair.value) == ('enabled', 'True') for pair in status.values
                )
                self._policy = PolicyState(
                    status.message, enabled, status.level == DiagnosticStatus.OK
                )

    # What the newest messages say now.

    def _frame_age_s(self) -> float:
        """Age of the newest frame [s], also after the clock was set back behind its stamp."""
        if self._image is None:
            return np.inf
        now_ns = self.get_clock().now().nanoseconds
        by_stamp_s = (now_ns - to_ns(self._image.header.stamp)) * 1e-9
        return max(by_stamp_s, time.monotonic() - self._arrivals[-1])

    def _frame_rate_hz(self) -> float:
        now = time.monotonic()
        recent = [t for t in list(self._arrivals) if now - t < 2.0]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0

    def _fresh_setpoint(self) -> Point | None:
        if self._setpoint is None:
            return None
        point, received_s = self._setpoint
        return point if time.monotonic() - received_s < SETPOINT_TIMEOUT_S else None

    # Threads.

    def _guarded(self, loop: Any) -> None:
        try:
            loop()
        except IbcError as error:
            self.get_logger().error(str(error))
            self.exit_code = 1
        except Exception:
            if not self._stop.is_set():
                self.get_logger().error(f'{loop.__name__} failed:\n{traceback.format_exc()}')
                self.exit_code = 2

    def _command_loop(self) -> None:
        period = 1.0 / COMMAND_RATE_HZ
        for _ in ticks(period, self._stop):
            pointer, view = self._pointer, self._view
            if time.monotonic() - self._window_turn_s > WINDOW_TIMEOUT_S:
                pointer = Pointer(press_id=pointer.press_id)
            setpoint = self._fresh_setpoint()
            blind = view is None or self._frame_age_s() > FROZEN_S
            if blind or self._let_go:
                setpoint, self._let_go = None, False
            aim = None
            if view is not None and pointer.pressed:
                aim = board_point(view, (pointer.x, pointer.y), self._workspace.tool_height)
            self._send(self._lead.step(pointer, aim, setpoint, period), period)
        self._send(self._lead.step(Pointer(), None, None, period), period)

    def _send(self, move: Point | None, period: float) -> None:
        led = self._lead.target is not None
        self._speed = float(np.linalg.norm(move)) / period if led and move is not None else None
        if move is None:
            return
        message = Vector3Stamped()
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = topics.LINK_BASE
        message.vector.x, message.vector.y = float(move[0]), float(move[1])
        self._deltas.publish(message)
        self._commands += 1

    def _window_loop(self) -> None:
        window = Window('teleop_mouse')
        drawn_s, drawn_image, rgb = 0.0, None, None
        try:
            while not self._stop.is_set():
                image, now = self._image, time.monotonic()
                self._window_turn_s = now
                if image is not None and image is not drawn_image:
                    rgb = self._decode(image, rgb)
                patience = REDRAW_S if self._speed is not None else REDRAW_IDLE_S
                if image is not drawn_image or now - drawn_s > patience:
                    self._show(window, rgb)
                    drawn_s, drawn_image = now, image
                code = window.poll(POLL_MS)
                self._pointer = window.pointer
                if window.closed or (code is not None and self._press(code)):
                    break
        finally:
            self._pointer = Pointer(press_id=self._pointer.press_id)
            window.close()
        if self.exit_code is None:
            self.exit_code = 0

    def _decode(self, image: CompressedImage, last: np.ndarray | None) -> np.ndarray | None:
        try:
            return decode_jpeg(bytes(image.data))
        except IbcError as error:
            self.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return last

    def _show(self, window: Window, rgb: np.ndarray | None) -> None:
        width, height = NO_IMAGE_SIZE if rgb is None else (rgb.shape[1], rgb.shape[0])
        scale = self._config.scale or fitting_scale((width, height), self._display)
        size = (round(width * scale), round(height * scale))
        info = self._info
        if info is not None:
            self._view = self._model(info).scaled(*size)
        screen = Screen(
            rgb=rgb,
            view=self._view,
            marks=self._marks(),
            frame_age_s=self._frame_age_s(),
            frame_rate_hz=self._frame_rate_hz(),
            speed=self._speed,
            recorder=self._recorder,
            arm_trouble=self._arm_trouble,
            arm_warning=self._arm_warning,
            policy=self._policy,
            message=self._keys.message(),
            offered=self._offered,
        )
        window.show(render(screen, size, self._workspace), size[1])

    def _model(self, info: CameraInfo) -> CameraModel:
        """Return the camera that `info` tells of; IbcError if a pixel of it cannot be placed."""
        try:
            lens = Lens(info.distortion_model, tuple(info.d))
            return CameraModel.from_info(info.width, info.height, info.k, self._pose, lens)
        except PlanarArmError as error:
            raise IbcError(f'nobody can be led by {topics.CAMERA_INFO}: {error}') from None

    def _marks(self) -> Marks:
        aim, target, view, pointer = None, self._lead.target, self._view, self._pointer
        if target is not None and view is not None:
            aim = board_point(view, (pointer.x, pointer.y), self._workspace.tool_height)
        return Marks(self._fresh_setpoint(), target, aim, self._table.tool_radius)

    def _press(self, code: int) -> bool:
        """Obey a key; return whether it asks to quit."""
        key = find_key(code)
        if key is None:
            return False
        if key.action == QUIT:
            return True
        if key.action == topics.ARM_STOP:
            self._let_go = True
        self._keys.call(key)
        return False

    def _report(self) -> None:
        self._offered = self._keys.offered()
        age_s = self._frame_age_s()
        level, message = DiagnosticStatus.OK, 'leading' if self._speed is not None else 'ready'
        if age_s > FROZEN_S:
            level, message = DiagnosticStatus.WARN, 'no camera image'
        elif self._fresh_setpoint() is None:
            level, message = DiagnosticStatus.WARN, f'no {topics.TCP_SETPOINT} from the driver'
        values = {
            'frame age [ms]': f'{age_s * 1e3:.0f}',
            'frame rate [Hz]': f'{self._frame_rate_hz():.1f}',
            'commands sent': self._commands,
        }
        self._diagnostics.publish(level, message, values)


def main(args: list[str] | None = None) -> None:
    """Run the teleoperation window."""
    sys.exit(run(TeleopMouse, args, (TeleopConfig,)))


if __name__ == '__main__':
    main()
