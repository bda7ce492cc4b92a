"""The node on a real ROS graph, fed by a recording of librealsense."""

import re
import subprocess
import sys
import time

import pytest

rclpy = pytest.importorskip('rclpy')
rs = pytest.importorskip('pyrealsense2')

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402

from ibc_contract import topics  # noqa: E402
from ibc_contract.errors import IbcError  # noqa: E402
from ibc_contract.images import decode_jpeg, encode_jpeg  # noqa: E402
from ibc_contract.ros import newest, to_ns  # noqa: E402
from realsense_capture import node as node_module  # noqa: E402
from realsense_capture.config import make_source  # noqa: E402
from realsense_capture.node import CameraNode  # noqa: E402
from realsense_capture.source import Frame, Intrinsics  # noqa: E402
from waiting import PATIENCE_S  # noqa: E402
from xarm_twin.scene_state import SceneState, SceneStateServer  # noqa: E402
from xarm_twin.tasks import get_task  # noqa: E402


class Viewer(Node):
    """Collects what the camera node publishes."""

    def __init__(self, context):
        super().__init__('viewer', context=context)
        self.compressed, self.info, self.raw = [], [], []
        self.create_subscription(
            CompressedImage, topics.CAMERA_COMPRESSED, self.compressed.append, newest(10)
        )
        self.create_subscription(CameraInfo, topics.CAMERA_INFO, self.info.append, newest(10))

    def want_raw(self):
        return self.create_subscription(Image, topics.CAMERA_IMAGE, self.raw.append, newest(10))


@pytest.fixture(autouse=True)
def _frequent_reports(monkeypatch):
    monkeypatch.setattr(node_module, 'REPORT_S', 0.25)


def make_node(ros, make_source=make_source, **parameters):
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    return CameraNode(make_source, context=ros.context, parameter_overrides=overrides)


def test_a_recording_becomes_topics(ros, recording):
    node, viewer = make_node(ros, source='file', path=str(recording)), Viewer(ros.context)
    try:
        assert ros.spin_until(lambda: len(viewer.compressed) >= 5, node, viewer)
        assert not viewer.raw
        viewer.want_raw()
        assert ros.spin_until(lambda: len(viewer.raw) >= 2, node, viewer)
    finally:
        node.close()
    image = viewer.compressed[-1]
    assert image.format == 'jpeg'
    assert image.header.frame_id == 'camera_color_optical_frame'
    assert abs(to_ns(image.header.stamp) - time.time_ns()) < 30e9
    stamps = [to_ns(message.header.stamp) for message in viewer.compressed]
    assert stamps == sorted(set(stamps))
    assert set(stamps) & {to_ns(message.header.stamp) for message in viewer.info}

    rgb = decode_jpeg(bytes(image.data))
    assert rgb.shape == (360, 640, 3)
    assert np.abs(rgb.astype(int) - int(rgb[0, 0, 0])).max() <= 1

    raw = viewer.raw[-1]
    assert (raw.encoding, raw.width, raw.height, raw.step) == ('rgb8', 640, 360, 1920)
    assert len(raw.data) == 640 * 360 * 3
    info = viewer.info[-1]
    assert list(info.k) == [461.0, 0.0, 321.0, 0.0, 462.0, 179.0, 0.0, 0.0, 1.0]
    assert list(info.p)[:4] == [461.0, 0.0, 321.0, 0.0]
    assert info.distortion_model == 'plumb_bob'
    assert info.d[0] == pytest.approx(0.1)


def test_a_twin_that_is_not_up_yet_is_waited_for(ros):
    with SceneStateServer(port=0) as server:
        port = server.port
    node = make_node(ros, source='twin', scene_port=port, width=160, height=90, renderer='tiny')
    viewer = Viewer(ros.context)
    statuses = []
    viewer.create_subscription(
        DiagnosticArray, topics.DIAGNOSTICS, lambda m: statuses.extend(m.status), 10
    )
    pose = get_task('push_red').sample_layout(np.random.default_rng(0))

    def tell_and_check(server, predicate):
        state = SceneState(time.time_ns(), np.zeros(6), np.array(pose, dtype=float), 'push_red')
        server.publish(state)
        return predicate()

    try:
        assert ros.spin_until(lambda: len(statuses) > 0, node, viewer)
        assert statuses[-1].message.startswith('no frames')
        assert node.exit_code is None
        statuses.clear()
        with SceneStateServer(port=port) as server:

            def drawn():
                return len(viewer.compressed) >= 3 and any(s.level == b'\x00' for s in statuses)

            assert ros.spin_until(lambda: tell_and_check(server, drawn), node, viewer)
    finally:
        node.close()
    values = {pair.key: pair.value for pair in statuses[-1].values}
    assert statuses[-1].name == 'realsense_capture: camera'
    assert values['renderer'] == 'tiny'
    assert values['source'] == 'twin push_red'
    assert viewer.info[-1].width == 160


def test_the_node_ends_with_code_0_after_a_recording_that_does_not_repeat(ros, record):
    node = make_node(ros, source='file', path=str(record(3)), repeat=False)
    try:
        assert ros.spin_until(lambda: node.exit_code is not None, node)
        assert node.exit_code == 0
    finally:
        node.close()


def scene(shift_px=0):
    """A table with things on it, (360, 640, 3), seen from a camera that was moved so far."""
    rng = np.random.default_rng(0)
    rgb = np.full((360, 640, 3), 120, np.uint8)
    for x, y in rng.integers((40, 40), (600, 320), (60, 2)).tolist():
        colour = rng.integers(0, 255, 3).tolist()
        corner = (x + shift_px + int(rng.integers(6, 30)), y + int(rng.integers(6, 30)))
        cv2.rectangle(rgb, (x + shift_px, y), corner, colour, -1)
    return rgb


class StillCamera:
    """A source that always shows the same."""

    expected_at_start = True
    promised_hz = 0.0

    def __init__(self, rgb, light='fixed'):
        self.rgb, self.light = rgb, light

    def open(self):
        pass

    def read(self, timeout_s):
        time.sleep(0.05)
        return Frame(time.time_ns(), self.rgb)

    def intrinsics(self):
        return Intrinsics(640, 360, 460.0, 460.0, 319.5, 179.5)

    def trouble(self):
        return ''

    def status(self):
        return {'source': 'device Intel RealSense D415 123 on USB 3.2', 'light': self.light}

    def close(self):
        pass


@pytest.mark.parametrize(('shift_px', 'level'), [(0, b'\x00'), (9, b'\x01')])
def test_a_camera_that_was_moved_since_its_calibration_is_a_warning(ros, tmp_path, shift_px, level):
    reference = tmp_path / 'camera.jpg'
    reference.write_bytes(encode_jpeg(scene()))
    status = diagnosis(ros, StillCamera(scene(shift_px)), reference_image=str(reference))
    assert status.level == level
    assert (f'the scene lies {shift_px} px from where' in status.message) == bool(shift_px)


def diagnosis(ros, camera, **parameters):
    """What the node says of a camera once it has frames."""
    node = make_node(ros, lambda _: camera, **parameters)
    statuses = []
    viewer = Viewer(ros.context)
    viewer.create_subscription(
        DiagnosticArray, topics.DIAGNOSTICS, lambda m: statuses.extend(m.status), 10
    )
    try:
        assert ros.spin_until(
            lambda: statuses and 'no frames' not in statuses[-1].message, node, viewer
        )
    finally:
        node.close()
    return statuses[-1]


def test_light_that_changes_by_itself_is_a_warning(ros):
    status = diagnosis(ros, StillCamera(scene(), 'automatic'))
    assert status.level == b'\x01'
    assert status.message.startswith('the light is automatic: fix exposure_us and white_balance_k')


def test_the_calibration_of_another_camera_is_a_warning(ros, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text('camera: device Intel RealSense D415 9 on USB 3.2\nimage: [640, 360]\n')
    status = diagnosis(ros, StillCamera(scene()), calibration_file=str(path))
    assert status.level == b'\x01'
    assert 'is of Intel RealSense D415 9, and this is Intel RealSense D415 123' in status.message


def test_a_reference_that_is_no_picture_is_refused(ros):
    with pytest.raises(IbcError, match=r'/nowhere\.jpg is no picture'):
        make_node(ros, reference_image='/nowhere.jpg')


def test_a_missing_recording_is_refused(ros):
    with pytest.raises(IbcError, match=r'no recording at .*none\.db3'):
        make_node(ros, source='file', path='/nowhere/none.db3')


def test_an_unknown_source_lists_the_known_ones(ros):
    with pytest.raises(IbcError, match=r"'source'.*'device', 'file' or 'twin'"):
        make_node(ros, source='webcam')


@pytest.mark.system
def test_the_choice_of_the_renderer_and_its_reason_are_logged(ros, tmp_path):
    log = tmp_path / 'log'
    with SceneStateServer(port=0) as server, log.open('w') as stderr:
        command = [sys.executable, '-m', 'realsense_capture.node', '--ros-args']
        process = subprocess.Popen(
            [*command, '-p', f'scene_port:={server.port}'], env=ros.env, stderr=stderr
        )
        deadline = time.monotonic() + 60.0
        while 'renderer' not in log.read_text() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0
    said = r'^\[INFO\] \[xarm_twin\.egl\]: renderer (egl|tiny): .+$'
    assert re.search(said, log.read_text(), re.MULTILINE), log.read_text()


@pytest.mark.system
def test_a_missing_camera_is_one_line_and_exit_code_1(ros):
    if len(rs.context().query_devices()) > 0:
        pytest.skip('a real RealSense camera is attached')
    done = subprocess.run(
        [sys.executable, '-m', 'realsense_capture.node', '--ros-args', '-p', 'source:=device'],
        env=ros.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith('error: no RealSense camera found')
    assert 'Traceback' not in done.stderr
