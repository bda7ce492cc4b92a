# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""A RealSense camera on USB (D415 and its relatives)."""

import time
from dataclasses import dataclass

from ibc_contract.errors import IbcError
from realsense_capture.color_stream import ColorStream, rs
from realsense_capture.source import Frame, Intrinsics, SourceUnavailable

LOST_AFTER_S = 2.0
"""Silence after which a camera counts as unplugged: librealsense does not always report it."""


@dataclass(frozen=True)
class DeviceSettings:
    """Which camera, and how it exposes."""

    serial: str = ''
    """Empty: the only camera there is."""
    width: int = 640
    height: int = 360
    fps: int = 30
    warmup_frames: int = 30
    """Frames dropped after each start, while auto exposure settles."""
    exposure_us: int = 0
    """Fixed exposure [us]; 0 leaves it to the camera."""
    white_balance_k: int = 0
    """Fixed white balance [K]; 0 leaves it to the camera."""


class DeviceSource:
    """Streams the colour sensor of one camera; finds it again when it was unplugged."""

    expected_at_start = True

    def __init__(self, settings: DeviceSettings, context: rs.context | None = None) -> None:
        """Use a camera that `context` knows: by default, one on USB."""
        self._settings = settings
        self._context = rs.context() if context is None else context
        self._stream: ColorStream | None = None
        self._model = ''
        self._usb = ''
        self._warmup_left = 0
        self._heard_s = 0.0

    def open(self) -> None:
        """Start streaming; SourceUnavailable when the camera is not plugged in."""
        if self._stream is not None:
            return
        # pipeline.start() without a camera holds the GIL for 15 s, so look first.
        device = self._find()
        self._model = _info(device, rs.camera_info.name)
        self._usb = _info(device, rs.camera_info.usb_type_descriptor)
        wanted = self._settings
        config = rs.config()
        config.enable_device(_info(device, rs.camera_info.serial_number))
        config.enable_stream(
            rs.stream.color, wanted.width, wanted.height, rs.format.rgb8, wanted.fps
        )
        _configure(device, wanted)
        try:
            self._stream = ColorStream(rs.pipeline(self._context), config)
        except RuntimeError as error:
            raise IbcError(
                f'{self._model} on USB {self._usb} refuses {wanted.width}x{wanted.height} at '
                f'{wanted.fps} Hz ({error}); it offers {_offers(device)}; '
                'close other programs that use it, and prefer a USB 3 port'
            ) from None
        self._warmup_left = wanted.warmup_frames
        self._heard_s = time.monotonic()

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next frame after warm-up; SourceUnavailable after two seconds of silence."""
        if self._stream is None:
            raise SourceUnavailable('the camera is not open')
        frame = self._stream.read(timeout_s)
        now = time.monotonic()
        if frame is None:
            if now - self._heard_s > LOST_AFTER_S:
                raise SourceUnavailable(
                    f'{self._model} sent no frame for {LOST_AFTER_S:.0f} s: check its cable'
                )
            return None
        self._heard_s = now
        if self._warmup_left > 0:
            self._warmup_left -= 1
            return None
        return frame

    def intrinsics(self) -> Intrinsics:
        """Return the factory calibration."""
        if self._stream is None:
            raise SourceUnavailable('the camera is not open')
        return self._stream.intrinsics()

    def status(self) -> dict[str, object]:
        """Return model, link and clock for diagnostics."""
        return {
            'source': f'device {self._model}',
            'usb': self._usb,
            # system_time means that the kernel gives no UVC metadata: stamps are arrival times.
            'timestamp domain': self._stream.domain if self._stream else '',
            'frames with a wrong stamp': self._stream.stamps.refused if self._stream else 0,
        }

    def close(self) -> None:
        """Stop streaming."""
        if self._stream is not None:
            self._stream.stop()
            self._stream = None

    def _find(self) -> rs.device:
        devices = list(self._context.query_devices())
        serials = [_info(device, rs.camera_info.serial_number) for device in devices]
        if not devices:
            raise SourceUnavailable(
                'no RealSense camera found: plug it into a USB 3 port, and check that the udev '
                'rules of librealsense are installed'
            )
        wanted = self._settings.serial
        if not wanted and len(devices) == 1:
            return devices[0]
        if wanted not in serials:
            what = f'no camera {wanted!r}' if wanted else 'several cameras'
            raise SourceUnavailable(f'{what}; set the parameter serial to: {", ".join(serials)}')
        return devices[serials.index(wanted)]


def _info(device: rs.device, field: rs.camera_info) -> str:
    return device.get_info(field) if device.supports(field) else 'unknown'


def _configure(device: rs.device, settings: DeviceSettings) -> None:
    """Set the options that the colour sensor has; a policy wants the light of its training data."""
    wanted: dict[rs.option, float] = {rs.option.auto_exposure_priority: 0}  # never below `fps`
    if settings.exposure_us:
        wanted[rs.option.enable_auto_exposure] = 0
        wanted[rs.option.exposure] = settings.exposure_us / 100  # the colour sensor counts 100 us
    if settings.white_balance_k:
        wanted[rs.option.enable_auto_white_balance] = 0
        wanted[rs.option.white_balance] = settings.white_balance_k
    for sensor in device.query_sensors():
        if sensor.is_color_sensor():
            for option, value in wanted.items():
                if sensor.supports(option):
                    sensor.set_option(option, value)


def _offers(device: rs.device) -> str:
    found = {
        f'{video.width()}x{video.height()} at {profile.fps()} Hz'
        for sensor in device.query_sensors()
        for profile in sensor.get_stream_profiles()
        if profile.stream_type() == rs.stream.color
        for video in (profile.as_video_stream_profile(),)
        if profile.format() == rs.format.rgb8
    }
    return ', '.join(sorted(found)) or 'no colour stream'
