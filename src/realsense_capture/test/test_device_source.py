"""A recording loaded into a context is listed, plugged and unplugged like a camera."""

import pytest

rs = pytest.importorskip('pyrealsense2')

from ibc_contract.errors import IbcError  # noqa: E402
from realsense_capture import device_source  # noqa: E402
from realsense_capture.device_source import DeviceSettings, DeviceSource  # noqa: E402
from realsense_capture.source import SourceUnavailable  # noqa: E402


@pytest.fixture
def context():
    context = rs.context()
    if len(context.query_devices()) > 0:
        pytest.skip('a real RealSense camera is attached')
    return context


def read_some(source, count):
    return [frame for _ in range(count) if (frame := source.read(0.5)) is not None]


def test_no_camera_is_said_at_once_and_without_starting_a_pipeline(context):
    with pytest.raises(SourceUnavailable, match='no RealSense camera found: plug it'):
        DeviceSource(DeviceSettings(), context).open()


def test_the_only_camera_is_used_and_its_first_frames_are_dropped(context, recording):
    _device = context.load_device(str(recording))  # plugged in while referenced
    source = DeviceSource(DeviceSettings(warmup_frames=4), context)
    source.open()
    frames = read_some(source, 8)
    assert frames
    assert min(int(frame.rgb[0, 0, 0]) for frame in frames) >= 4
    assert source.status()['source'] == 'device Software camera'
    source.close()


def test_an_unknown_serial_lists_the_cameras_there_are(context, record):
    _devices = [context.load_device(str(record(n))) for n in (3, 4)]
    with pytest.raises(SourceUnavailable, match=r"no camera '99'; .*SW0\d, SW0\d"):
        DeviceSource(DeviceSettings(serial='99'), context).open()
    with pytest.raises(SourceUnavailable, match='several cameras; set the parameter serial'):
        DeviceSource(DeviceSettings(), context).open()
    chosen = DeviceSource(DeviceSettings(serial='SW04', warmup_frames=0), context)
    chosen.open()
    assert read_some(chosen, 4)
    chosen.close()


def test_an_impossible_mode_names_what_the_camera_offers(context, recording):
    _device = context.load_device(str(recording))  # plugged in while referenced
    source = DeviceSource(DeviceSettings(width=1280, height=720), context)
    with pytest.raises(IbcError, match=r'refuses 1280x720 at 30 Hz .*offers 640x360 at 30 Hz'):
        source.open()


def test_an_unplugged_camera_is_lost_and_found_again(context, recording, monkeypatch):
    monkeypatch.setattr(device_source, 'LOST_AFTER_S', 0.3)
    device = context.load_device(str(recording))  # plugged in while referenced
    source = DeviceSource(DeviceSettings(warmup_frames=0), context)
    source.open()
    assert read_some(source, 3)
    del device
    context.unload_device(str(recording))
    with pytest.raises(SourceUnavailable, match='sent no frame'):
        read_some(source, 100)
    source.close()
    with pytest.raises(SourceUnavailable, match='no RealSense camera'):
        source.open()
    _device = context.load_device(str(recording))
    source.open()
    assert read_some(source, 3)
    source.close()
