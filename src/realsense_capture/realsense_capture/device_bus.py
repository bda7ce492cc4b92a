# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""Where cameras are plugged in, and which of them is meant."""

from collections.abc import Sequence
from typing import Protocol

from realsense_capture.color_stream import rs
from realsense_capture.source import SourceUnavailable
from realsense_capture.stream_mode import StreamMode

NO_CAMERA = (
    'no RealSense camera found: plug it into a USB 3 port, and install its udev rules '
    '(docs/camera.md)'
)
FORMATS = (rs.format.rgb8, rs.format.bgr8)
"""What a colour stream may be read as, best first."""


class DeviceBus(Protocol):
    """What cameras are plugged into."""

    def devices(self) -> Sequence[rs.device]:
        """Return the cameras that are there now."""
        ...

    def pipeline(self, device: rs.device, config: rs.config) -> rs.pipeline:
        """Return a pipeline that will stream from `device`, and say so in `config`."""
        ...


class UsbBus:
    """The cameras on USB."""

    def __init__(self, context: rs.context | None = None) -> None:
        """`context` is kept: without it librealsense loses track of what is plugged in."""
        self._context = rs.context() if context is None else context

    def devices(self) -> Sequence[rs.device]:
        """Return the cameras that librealsense lists; takes about a millisecond."""
        return list(self._context.query_devices())

    def pipeline(self, device: rs.device, config: rs.config) -> rs.pipeline:
        """Return a pipeline on the camera with this one's serial number."""
        config.enable_device(serial_of(device))
        return rs.pipeline(self._context)


def find_device(bus: DeviceBus, serial: str) -> rs.device:
    """Return the camera with this serial number, or, if `serial` is empty, the only one.

    Raises:
        SourceUnavailable: There is no such camera, or one of several would have to be guessed.
    """
    devices = bus.devices()
    if not devices:
        raise SourceUnavailable(NO_CAMERA)
    if not serial and len(devices) == 1:
        return devices[0]
    serials = [serial_of(device) for device in devices]
    if serial in serials:
        return devices[serials.index(serial)]
    found = ', '.join(sorted(serials))
    if serial:
        raise SourceUnavailable(f'no camera {serial!r}: plug it in, or set serial to: {found}')
    raise SourceUnavailable(
        f'{len(devices)} RealSense cameras: set the parameter serial to one of: {found}'
    )


def info(device: rs.device, field: rs.camera_info) -> str:
    """Return what the camera says of itself, or 'unknown'."""
    return device.get_info(field) if device.supports(field) else 'unknown'


def serial_of(device: rs.device) -> str:
    """Return the serial number that stands on the camera."""
    return info(device, rs.camera_info.serial_number)


def describe(device: rs.device) -> str:
    """Return model, serial number and link in one line."""
    name, usb = info(device, rs.camera_info.name), info(device, rs.camera_info.usb_type_descriptor)
    return f'{name} {serial_of(device)} on USB {usb}'


def offered_modes(device: rs.device) -> dict[StreamMode, rs.format]:
    """Return the modes of the colour stream that can be read, with their format.

    They depend on the link: USB 2 is too slow for many.
    """
    modes: dict[StreamMode, rs.format] = {}
    for profile in (p for s in device.query_sensors() for p in s.get_stream_profiles()):
        if profile.stream_type() != rs.stream.color or profile.format() not in FORMATS:
            continue
        video = profile.as_video_stream_profile()
        mode = StreamMode(video.width(), video.height(), profile.fps())
        if modes.get(mode) != FORMATS[0]:
            modes[mode] = profile.format()
    return modes
