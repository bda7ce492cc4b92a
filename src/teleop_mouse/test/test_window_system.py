"""Mouse and keys of a real window against topics and services of a real ROS graph."""

import subprocess
import sys

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import PoseStamped, Vector3Stamped  # noqa: E402
from rclpy.duration import Duration  # noqa: E402
from rclpy.node import Node  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage  # noqa: E402
from std_msgs.msg import String  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402

from ibc_contract import topics  # noqa: E402
from ibc_contract.images import encode_jpeg  # noqa: E402
from ibc_contract.messages import vector_xy  # noqa: E402
from ibc_contract.ros import latched, newest  # noqa: E402
from planar_arm.workspace import DEFAULT_WORKSPACE  # noqa: E402
from teleop_mouse.keys import KEYS, QUIT  # noqa: E402
from waiting import PATIENCE_S  # noqa: E402
from xarm_twin.config import load_scene  # noqa: E402

pytestmark = [pytest.mark.display, pytest.mark.system]

MAX_SPEED, SCALE = 0.12, 1.5
VIEW = load_scene().camera.model().scaled(960, 540)
KEY_NAMES = {' ': 'space'}


class Robot(Node):
    """Camera, driver and recorder as the window sees them: the setpoint obeys every delta."""

    def __init__(self, context, services=True):
        super().__init__('robot', context=context)
        self.setpoint = np.array([0.30, 0.0])
        self.deltas = []
        self.calls = []
        self.clock_ahead_ns = 0
        self._model = load_scene().camera.model()
        self.lens = 'plumb_bob', [0.0] * 5
        rgb = np.full((360, 640, 3), (150, 160, 170), np.uint8)
        self._jpeg = encode_jpeg(rgb)
        self._image = self.create_publisher(CompressedImage, topics.CAMERA_COMPRESSED, newest())
        self._info = self.create_publisher(CameraInfo, topics.CAMERA_INFO, newest())
        self._pose = self.create_publisher(PoseStamped, topics.TCP_SETPOINT, newest())
        self._state = self.create_publisher(String, topics.RECORDER_STATE, latched())
        self._state.publish(String(data='idle'))
        self.create_subscription(Vector3Stamped, topics.TELEOP_DELTA, self._on_delta, newest(50))
        self.told = ''
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, 10)
        self.camera_timer = self.create_timer(0.1, self._publish_camera)
        self.create_timer(0.02, self._publish_setpoint)
        if services:
            kinds = {k.action: k.switch is not None for k in KEYS if k.action != QUIT}
            for action, switches in kinds.items():
                kind = SetBool if switches else Trigger
                self.create_service(kind, action, self._answer(action))

    def _answer(self, action):
        def answer(request, response):
            self.calls.append((action, getattr(request, 'data', None)))
            response.success = True
            return response

        return answer

    def _on_delta(self, message):
        self.deltas.append(message)
        self.setpoint = self.setpoint + vector_xy(message)

    def _on_diagnostics(self, message):
        self.told = message.status[0].message

    def _publish_camera(self):
        image, info, model = CompressedImage(), CameraInfo(), self._model
        image.format, image.data = 'jpeg', self._jpeg
        ahead = Duration(nanoseconds=self.clock_ahead_ns)
        stamp = (self.get_clock().now() + ahead).to_msg()
        image.header.stamp = info.header.stamp = stamp
        info.width, info.height, info.k = model.width, model.height, model.K
        info.distortion_model, info.d = self.lens
        self._info.publish(info)
        self._image.publish(image)

    def _publish_setpoint(self):
        pose = PoseStamped()
        pose.header.stamp = self.get_clock().now().to_msg()
        pose.pose.position.x, pose.pose.position.y = self.setpoint.tolist()
        self._pose.publish(pose)

    def moves(self):
        return np.array([vector_xy(message) for message in self.deltas]).reshape(-1, 2)


class Session:
    """The teleoperation process between the desktop's input and the robot's topics."""

    def __init__(self, ros, desktop, robot, scale=SCALE):
        self.ros, self.desktop, self.robot = ros, desktop, robot
        self.process = subprocess.Popen(
            [
                *(sys.executable, '-m', 'teleop_mouse.node', '--ros-args'),
                *('-p', f'max_speed:={MAX_SPEED}', '-p', f'scale:={scale}'),
            ],
            env=desktop.env(ros.env),
            stderr=subprocess.PIPE,
            text=True,
        )
        desktop.find_window()
        assert self.spin(lambda: robot.count_publishers(topics.TELEOP_DELTA) > 0)
        assert self.spin(lambda: robot.count_subscribers(topics.TCP_SETPOINT) > 0)
        self.spin(lambda: False, timeout=0.5)  # the first image is drawn

    def spin(self, predicate, timeout=PATIENCE_S):
        return self.ros.spin_until(predicate, self.robot, timeout=timeout)

    def point_at(self, p_xy):
        self.desktop.point(*VIEW.project([(*p_xy, DEFAULT_WORKSPACE.tool_height)])[0])

    def press_at(self, p_xy):
        """Press the button at a point of the board, again until the window reacts."""
        self.point_at(p_xy)
        for _ in range(10):
            self.desktop.do('mousedown 1')
            if self.spin(lambda: len(self.robot.deltas) > 0, timeout=1.0):
                return
            self.desktop.do('mouseup 1')
        pytest.fail('pressing the button published nothing')

    def falls_silent(self):
        """Whether moves are no longer sent, the last one of zero."""
        while self.spin(lambda: not self.robot.moves()[-1].any()):
            told = len(self.robot.deltas)
            if not self.spin(lambda told=told: len(self.robot.deltas) > told, timeout=0.5):
                return True
        return False

    def quits(self):
        self.spin(lambda: self.process.poll() is not None)
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.communicate(timeout=PATIENCE_S)[1]


@pytest.fixture
def robot(ros):
    robot = Robot(ros.context)
    yield robot
    robot.destroy_node()


@pytest.fixture
def session(ros, desktop, robot):
    session = Session(ros, desktop, robot)
    yield session
    session.stop()


def test_dragging_leads_the_tool_to_the_pointer_and_letting_go_stops_it(session, desktop, robot):
    goal = np.array([0.42, 0.10])
    session.press_at(robot.setpoint)
    session.point_at(goal)
    assert session.spin(lambda: np.linalg.norm(robot.setpoint - goal) < 0.004)
    desktop.do('mouseup 1')
    assert session.spin(lambda: not robot.moves()[-1].any() and len(robot.deltas) > 5)
    session.spin(lambda: False, timeout=0.4)
    told = len(robot.deltas)
    session.spin(lambda: False, timeout=0.4)
    assert len(robot.deltas) == told

    moves, frames = robot.moves(), {message.header.frame_id for message in robot.deltas}
    assert frames == {'link_base'}
    assert all(message.vector.z == 0.0 for message in robot.deltas)
    assert np.linalg.norm(moves, axis=1).max() <= MAX_SPEED / 20 + 1e-9
    along = moves @ (goal - (0.30, 0.0)) / np.linalg.norm(goal - (0.30, 0.0))
    assert along.sum() == pytest.approx(np.linalg.norm(goal - (0.30, 0.0)), abs=0.004)
    assert (along > -0.003).all()


def test_a_click_on_the_bar_or_a_move_without_the_button_leads_nothing(session, desktop, robot):
    desktop.point(400, VIEW.height + 30)
    desktop.do('mousedown 1')
    desktop.do('mouseup 1')
    session.point_at((0.40, 0.1))
    session.point_at((0.45, -0.1))
    assert not session.spin(lambda: len(robot.deltas) > 0, timeout=0.6)


def test_every_key_calls_its_service(session, desktop, robot):
    wanted = [key for key in KEYS if key.action != QUIT]
    for key in wanted:
        desktop.key(KEY_NAMES.get(chr(key.code), chr(key.code)))
        call = (key.action, key.switch)
        assert session.spin(lambda call=call: call in robot.calls), key
    assert robot.calls == [(key.action, key.switch) for key in wanted]
    desktop.key('q')
    assert session.quits() == 0


def test_closing_the_window_while_dragging_ends_with_a_move_of_zero(session, desktop, robot):
    session.press_at(robot.setpoint)
    session.point_at((0.55, 0.0))
    assert session.spin(lambda: robot.moves().any())
    desktop.close_window()
    assert session.quits() == 0
    assert session.spin(lambda: not robot.moves()[-1].any())


def test_stopping_the_arm_opens_the_clutch_until_the_next_press(session, desktop, robot):
    session.press_at(robot.setpoint)
    session.point_at((0.55, 0.0))
    assert session.spin(lambda: robot.moves().any())
    desktop.key('x')
    assert session.spin(
        lambda: (topics.ARM_STOP, None) in robot.calls and not robot.moves()[-1].any()
    )
    session.spin(lambda: False, timeout=0.5)  # the thread that sends moves has seen it too
    told = len(robot.deltas)
    session.point_at((0.50, 0.1))
    assert not session.spin(lambda: len(robot.deltas) > told, timeout=0.5)


def test_an_arm_that_stops_opens_the_clutch_until_the_next_press(session, robot):
    """However short the stop: a person may be quick to reset it."""
    arm = robot.create_publisher(String, topics.ARM_STATE, latched())
    assert session.spin(lambda: arm.get_subscription_count() > 0)
    session.press_at(robot.setpoint)
    session.point_at((0.55, 0.0))
    assert session.spin(lambda: robot.moves().any())
    arm.publish(String(data='stopped'))
    arm.publish(String(data='active'))
    assert session.falls_silent()
    told = len(robot.deltas)
    session.point_at((0.50, 0.1))
    assert not session.spin(lambda: len(robot.deltas) > told, timeout=0.5)


@pytest.mark.parametrize('ahead_s', [0, 3600], ids=['', 'clock-set-back'])
def test_a_frozen_camera_opens_the_clutch(session, robot, ahead_s):
    robot.clock_ahead_ns = ahead_s * 10**9
    session.press_at(robot.setpoint)
    session.point_at((0.55, 0.0))
    assert session.spin(lambda: robot.moves().any())
    robot.camera_timer.cancel()
    session.point_at((0.25, -0.25))
    assert session.spin(lambda: robot.told == 'no camera image')
    assert session.falls_silent()
    told = len(robot.deltas)
    robot.camera_timer.reset()
    assert not session.spin(lambda: len(robot.deltas) > told, timeout=1.0)


def test_the_whole_window_is_on_the_screen_of_a_small_laptop(ros, small_desktop, robot):
    session = Session(ros, small_desktop, robot, scale=0.0)
    try:
        width, height = small_desktop.window_size()
        assert 900 < width <= 1366
        assert 600 < height <= 768
        assert height > width * 360 / 640 + 80  # the bar is there too
    finally:
        session.stop()


def test_a_missing_service_is_named_in_the_log(ros, desktop):
    robot = Robot(ros.context, services=False)
    session = Session(ros, desktop, robot)
    desktop.key('h')
    session.spin(lambda: False, timeout=1.0)
    desktop.key('q')
    assert session.quits() == 0
    assert 'arm/home is not offered: is xarm_planar_driver running?' in session.stop()
    robot.destroy_node()


def test_a_lens_that_is_not_known_ends_it_with_one_line(session, robot):
    robot.lens = 'rational_polynomial', [0.1] * 8
    assert session.quits() == 1
    (line,) = session.stop().splitlines()
    assert f"led by {topics.CAMERA_INFO}: lens 'rational_polynomial' with 8 coefficients" in line


@pytest.mark.parametrize(
    ('display', 'message'),
    [
        (None, 'error: no window: DISPLAY is not set; '),
        (':9876', 'error: no window: no X server answers at DISPLAY=:9876; '),
    ],
)
def test_without_a_display_the_node_ends_with_one_line(ros, display, message):
    env = {name: value for name, value in ros.env.items() if name != 'DISPLAY'}
    if display is not None:
        env['DISPLAY'] = display
    done = subprocess.run(
        [sys.executable, '-m', 'teleop_mouse.node'],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith(message)
    assert 'Traceback' not in done.stderr
