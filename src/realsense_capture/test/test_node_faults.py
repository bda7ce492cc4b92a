"""What a policy and an operator get when the camera fails: real rclpy, real librealsense."""

import time

import pytest

rclpy = pytest.importorskip('rclpy')
rs = pytest.importorskip('pyrealsense2')

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from ibc_contract import topics  # noqa: E402
from ibc_contract.contract import load_contract  # noqa: E402
from ibc_contract.errors import IbcError, StaleObservation  # noqa: E402
from ibc_contract.observation import ImageWindow  # noqa: E402
from ibc_contract.ros import newest, to_ns  # noqa: E402
from realsense_capture import capture, node  # noqa: E402
from realsense_capture.device_source import DeviceSettings, DeviceSource  # noqa: E402
from realsense_capture.node import CameraNode  # noqa: E402
from realsense_capture.sensor_options import LightSettings  # noqa: E402

ERROR, WARN, OK = DiagnosticStatus.ERROR, DiagnosticStatus.WARN, DiagnosticStatus.OK


class Policy(Node):
    """Sees what a policy sees, and the diagnostics of the camera."""

    def __init__(self, context):
        super().__init__('policy', context=context)
        self.window = ImageWindow(load_contract('planar_rgb'))
        self.stamps, self.status = [], None
        self.create_subscription(
            CompressedImage, topics.CAMERA_COMPRESSED, self._on_image, newest(10)
        )
        self.create_subscription(DiagnosticArray, topics.DIAGNOSTICS, self._on_status, 10)

    def _on_image(self, message):
        self.window.add(topics.CAMERA_COMPRESSED, message)
        self.stamps.append(to_ns(message.header.stamp))

    def _on_status(self, message):
        (self.status,) = message.status

    def acts(self):
        """Tell whether a tick now has an observation."""
        try:
            self.window.select(time.time_ns())
        except StaleObservation:
            return False
        return True

    def told(self, level, words):
        return (
            self.status is not None and self.status.level == level and words in self.status.message
        )


@pytest.fixture
def stage(ros, make_camera, make_feeder, make_bus, monkeypatch):
    """The node on a software camera that is being fed, and a policy that listens."""
    monkeypatch.setattr(capture, 'READ_TIMEOUT_S', 0.2)
    monkeypatch.setattr(capture, 'REOPEN_AFTER_S', 0.2)
    monkeypatch.setattr(node, 'REPORT_S', 0.4)
    camera = lit(make_camera())
    stage = Stage(ros, make_bus(camera), make_feeder(camera))
    stage.start()
    yield stage
    stage.node.close()


def lit(camera):
    """The camera, able to have its light fixed."""
    camera.add_option(rs.option.exposure, 1, 10_000, 1, 166)
    camera.add_option(rs.option.white_balance, 2800, 6500, 10, 4600)
    return camera


class Stage:
    def __init__(self, ros, bus, feeder):
        self.ros, self.bus, self.feeder = ros, bus, feeder
        self.policy = Policy(ros.context)
        self.light = LightSettings(exposure_us=20_000, white_balance_k=4600)

    def start(self):
        settings = DeviceSettings(warmup_frames=3, light=self.light)
        self.node = CameraNode(
            lambda _: DeviceSource(settings, self.bus),
            context=self.ros.context,
            parameter_overrides=[Parameter('source', value='device')],
        )

    def until(self, predicate):
        return self.ros.spin_until(predicate, self.node, self.policy)

    def value(self, key):
        return next(pair.value for pair in self.policy.status.values if pair.key == key)


def test_unplugged_and_plugged_in_again(stage, make_camera, make_feeder):
    policy = stage.policy
    with stage.feeder.running() as feeder:
        assert stage.until(lambda: policy.acts() and policy.told(OK, 'Hz'))
        feeder.mute = True
        stage.bus.cameras.clear()
        assert stage.until(lambda: not policy.acts())
        assert stage.until(lambda: policy.told(ERROR, 'no frames: no RealSense camera found'))
    assert stage.node.exit_code is None
    camera = lit(make_camera())
    stage.bus.cameras.append(camera)
    with make_feeder(camera).running():
        assert stage.until(lambda: policy.acts() and policy.told(OK, 'Hz'))
    assert int(stage.value('times lost')) >= 1
    assert policy.stamps == sorted(set(policy.stamps))


def test_frozen(stage):
    """The camera sends the same picture with new stamps: the policy must not believe them."""
    policy = stage.policy
    with stage.feeder.running() as feeder:
        assert stage.until(policy.acts)
        feeder.frozen = True
        assert stage.until(lambda: not policy.acts())
        assert stage.until(lambda: policy.told(ERROR, 'the same picture again and again'))
        feeder.frozen = False
        assert stage.until(lambda: policy.acts() and policy.told(OK, 'Hz'))


def test_delayed(stage):
    policy = stage.policy
    with stage.feeder.running() as feeder:
        assert stage.until(policy.acts)
        feeder.stamp_ms = lambda: time.time() * 1e3 - 500
        assert stage.until(lambda: not policy.acts())
        seen = len(policy.stamps)
        assert stage.until(lambda: len(policy.stamps) > seen + 3)  # frames do come
        assert not policy.acts()
        assert stage.until(lambda: policy.told(WARN, 'ms old'))
        feeder.stamp_ms = lambda: time.time() * 1e3
        assert stage.until(lambda: policy.acts() and policy.told(OK, 'Hz'))


def test_slow(stage):
    """A mode of 30 Hz that does not hold its rate, as on a hub: the policy goes on."""
    stage.feeder.period_s = 0.1
    monitor = stage.policy
    with stage.feeder.running():
        assert stage.until(lambda: monitor.told(WARN, 'Hz instead of 30'))
        assert stage.until(monitor.acts)


def test_wrong_profile_at_the_start(ros, make_camera, make_bus):
    bus = make_bus(make_camera('SW01', [(640, 480, 30)], usb='2.1'))
    with pytest.raises(IbcError, match='no mode has the shape of 640x360; offered: 640x480 at 30'):
        Stage(ros, bus, None).start()


def test_wrong_profile_after_it_was_plugged_into_another_port(stage, make_camera, make_feeder):
    policy = stage.policy
    with stage.feeder.running() as feeder:
        assert stage.until(policy.acts)
        feeder.mute = True
        stage.bus.cameras[:] = [make_camera('SW01', [(640, 480, 30)], usb='2.1')]
        assert stage.until(lambda: policy.told(ERROR, 'no mode has the shape of 640x360'))
    assert not policy.acts()
    slow = (640, 360, 15)
    stage.bus.cameras[:] = [camera := make_camera('SW01', [slow], usb='2.1')]
    with make_feeder(camera, slow).running():
        assert stage.until(lambda: policy.acts() and policy.told(WARN, 'instead of 640x360 at 30'))


def test_a_node_that_is_stopped_while_it_waits_for_a_camera_ends_at_once(stage):
    with stage.feeder.running():
        assert stage.until(stage.policy.acts)
    stage.bus.cameras.clear()
    assert stage.until(lambda: stage.policy.told(ERROR, 'no RealSense camera found'))
    stage.node.close()
    assert not stage.node._thread.is_alive()
