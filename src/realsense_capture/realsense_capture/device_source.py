# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""A RealSense camera on USB (D415 and its relatives)."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ibc_contract.errors import IbcError
from realsense_capture.color_stream import ColorFrame, ColorStream, rs
from realsense_capture.device_bus import (
    DeviceBus,
    UsbBus,
    describe,
    find_device,
    offered_modes,
    serial_of,
)
from realsense_capture.frame_watch import FrameWatch
from realsense_capture.sensor_options import LightSettings, color_sensor, read_light, write_options
from realsense_capture.source import Frame, Intrinsics, SourceUnavailable
from realsense_capture.stamps import StampMapper
from realsense_capture.stream_mode import StreamMode, choose_mode

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeviceSettings:
    """Which camera, and how it takes pictures."""

    serial: str = ''
    """Empty: the only camera there is."""
    mode: StreamMode = field(default_factory=lambda: StreamMode(640, 360, 30))
    light: LightSettings = field(default_factory=LightSettings)
    warmup_frames: int = 30
    """Frames dropped after each start, while exposure and white balance settle."""


class DeviceSource:
    """Streams the colour sensor of one camera; finds it again when it was unplugged."""

    expected_at_start = True

    def __init__(
        self,
        settings: DeviceSettings,
        bus: DeviceBus | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Use a camera on `bus`, by default USB; `now_ns` is the clock of ROS time [ns]."""
        self._settings = settings
        self._bus: DeviceBus = UsbBus() if bus is None else bus
        self._now_ns = now_ns
        self._serial = settings.serial
        self._stamps = StampMapper()
        self._watch = FrameWatch()
        self._stream: ColorStream | None = None
        self._sensor: rs.sensor | None = None
        self._name = ''
        self._mode = settings.mode
        self._domain = ''
        self._light: dict[str, object] = {}
        self._refused: list[str] = []
        self._warmup_left = 0
        self._settled = False

    @property
    def promised_hz(self) -> float:
        """Rate of the mode that is streamed [Hz]."""
        return float(self._mode.fps)

    def open(self) -> None:
        """Start streaming; SourceUnavailable says why that cannot be, and what to do."""
        if self._stream is not None:
            return
        try:
            # pipeline.start() without a camera holds the GIL for 15 s, so look first.
            device = find_device(self._bus, self._serial)
            self._name = describe(device)
            self._stream = self._start(device)
        except RuntimeError as error:  # librealsense's; a camera may go at any moment
            raise SourceUnavailable(
                f'{self._name or "the camera"} does not start ({_one_line(error)}): '
                'close other programs that use it, or plug it in again'
            ) from None
        self._warmup_left, self._settled = self._settings.warmup_frames, False
        self._stamps.restart()
        self._watch.restart(time.monotonic())
        self._say_how_it_streams()

    def read(self, timeout_s: float) -> Frame | None:
        """Return the next usable frame; SourceUnavailable when none came for two seconds."""
        if self._stream is None:
            raise SourceUnavailable('the camera is not open')
        try:
            seen = self._stream.read(timeout_s)
            if seen is None and self._unplugged():
                raise SourceUnavailable(f'{self._name} was unplugged: plug it in again')
        except RuntimeError as error:
            raise SourceUnavailable(f'{self._name} is lost ({_one_line(error)})') from None
        now_s = time.monotonic()
        frame = self._judge(seen, now_s)
        if self._watch.lost(now_s):
            raise SourceUnavailable(f'{self._name} {self._watch.complaint}')
        if frame is None:
            return None
        if self._warmup_left > 0:
            self._warmup_left -= 1
            return None
        if not self._settled:
            self._settled = True
            self._say_how_light_it_is()
        return frame

    def intrinsics(self) -> Intrinsics:
        """Return the factory calibration."""
        if self._stream is None:
            raise SourceUnavailable('the camera is not open')
        return self._stream.intrinsics

    def trouble(self) -> str:
        """Return why no frames come, or else what is not as configured."""
        if self._watch.complaint:
            return self._watch.complaint
        other = f'{self._mode} instead of {self._settings.mode}'
        return '; '.join([other] * (self._mode != self._settings.mode) + self._refused)

    def status(self) -> dict[str, object]:
        """Return model, link, clock and light for diagnostics."""
        return {
            'source': f'device {self._name}',
            'mode': self._mode,
            'timestamp domain': self._domain,
            'light': 'fixed' if self._settings.light.fixed else 'automatic',
            **self._light,
            'frames sent twice': self._watch.repeated,
            'frames lost on the way': self._watch.missing,
            'frames with a wrong stamp': self._stamps.refused,
            'times the clock was set': self._stamps.clock_steps,
        }

    def close(self) -> None:
        """Stop streaming."""
        if self._stream is not None:
            self._stream.stop()
            self._stream = None

    def _start(self, device: rs.device) -> ColorStream:
        """Set the sensor up and start it in the best mode that it offers."""
        offered = offered_modes(device)
        try:
            self._mode = choose_mode(self._settings.mode, offered)
        except IbcError as error:
            raise SourceUnavailable(f'{self._name}: {error}; or use a USB 3 port') from None
        self._sensor = color_sensor(device)
        self._refused = write_options(self._sensor, self._settings.light)
        config = rs.config()
        mode = self._mode
        config.enable_stream(rs.stream.color, mode.width, mode.height, offered[mode], mode.fps)
        stream = ColorStream(self._bus.pipeline(device, config), config)
        # Another camera would see the scene from elsewhere: from now on it must be this one.
        self._serial = serial_of(device)
        return stream

    def _judge(self, seen: ColorFrame | None, now_s: float) -> Frame | None:
        """Return a frame if it is new and its stamp can be right."""
        if seen is None:
            self._watch.silent(now_s)
            return None
        if not self._watch.is_new(seen.number, seen.rgb, now_s):
            return None
        self._domain = seen.domain
        free_running = seen.domain == 'hardware_clock'
        stamp_ns = self._stamps.map(seen.time_ms, self._now_ns(), time.monotonic_ns(), free_running)
        if stamp_ns is None:
            self._watch.mistimed()
            return None
        self._watch.usable(now_s)
        return Frame(stamp_ns, seen.rgb)

    def _unplugged(self) -> bool:
        return self._serial not in map(serial_of, self._bus.devices())

    def _say_how_it_streams(self) -> None:
        logger.info('%s streams %s', self._name, self._mode)
        if self._mode != self._settings.mode:
            wanted = self._settings.mode
            logger.warning('%s does not offer %s: it streams %s', self._name, wanted, self._mode)
        for complaint in self._refused:
            logger.warning('%s', complaint)

    def _say_how_light_it_is(self) -> None:
        """Name the values that a person may want to fix, once they have settled."""
        self._light = read_light(self._sensor)
        values = ', '.join(f'{name} {value}' for name, value in self._light.items())
        if self._settings.light.fixed:
            logger.info('the light is fixed: %s', values)
        else:
            logger.warning(
                'the light is automatic (%s): for data that a policy learns from, fix it with '
                'exposure_us and white_balance_k',
                f'now {values}' if values else 'the camera does not tell its values',
            )
        if self._domain == 'system_time':
            logger.warning(
                'the kernel gives no frame metadata: stamps are times of arrival, a few tens of '
                'milliseconds late (docs/camera.md)'
            )


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())
