import subprocess
import sys

import pytest

rs = pytest.importorskip('pyrealsense2')

from ibc_contract.errors import IbcError  # noqa: E402
from realsense_capture.config import CaptureConfig  # noqa: E402
from realsense_capture.probe import find  # noqa: E402


def test_the_only_camera_and_its_mode_are_described(make_camera, make_bus):
    assert find(CaptureConfig(), make_bus(make_camera('123'))) == (
        'Software camera 123 on USB 3.2, 640x360 at 30 Hz'
    )


def test_a_mode_that_would_be_replaced_is_told(make_camera, make_bus):
    slow = make_camera('123', [(640, 360, 15)], usb='2.1')
    assert find(CaptureConfig(), make_bus(slow)).endswith(
        '640x360 at 15 Hz instead of 640x360 at 30 Hz'
    )


def test_several_cameras_need_a_serial_which_may_begin_with_an_underscore(make_camera, make_bus):
    bus = make_bus(make_camera('124'), make_camera('123'))
    with pytest.raises(IbcError, match=r'2 RealSense cameras: set .* one of: 123, 124'):
        find(CaptureConfig(), bus)
    assert 'camera 124 on' in find(CaptureConfig(serial='_124'), bus)


@pytest.mark.parametrize(
    ('parameters', 'said'),
    [
        ('{}', 'no RealSense camera found: plug it'),
        ('{"width": 1}', "camera parameter 'width': Input should be greater than or equal to 64"),
    ],
)
def test_the_process_says_in_one_line_what_is_wrong(parameters, said):
    if len(rs.context().query_devices()) > 0:
        pytest.skip('a real RealSense camera is attached')
    done = subprocess.run(
        [sys.executable, '-m', 'realsense_capture.probe', parameters],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(said)
