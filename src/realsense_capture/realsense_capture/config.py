"""Parameters of the camera node, and the source they ask for."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field

from ibc_contract.errors import IbcError
from realsense_capture.source import FrameSource
from realsense_capture.stream_mode import StreamMode

TWIN_RATE_HZ = 10.0
DEVICE_RATE_HZ = 30.0


@pydantic.dataclasses.dataclass(frozen=True)
class CaptureConfig:
    """Where frames come from and how they are published."""

    source: Annotated[
        Literal['device', 'file', 'twin'],
        Field(description='device: RealSense on USB; file: a librealsense recording; twin'),
    ] = 'twin'
    width: Annotated[int, Field(ge=64, le=1920, description='image width [px]')] = 640
    height: Annotated[int, Field(ge=36, le=1080, description='image height [px]')] = 360
    rate_hz: Annotated[
        float,
        Field(
            ge=0.0,
            le=90.0,
            description='frames per second [Hz]; 0 means 30 for a device, the recorded rate for a '
            'file, 10 for the twin, which draws a 640x360 frame in 20 ms of CPU (tiny) or 35 ms '
            '(egl without a GPU): 10 Hz takes about a quarter of a core',
        ),
    ] = 0.0
    jpeg_quality: Annotated[
        int, Field(ge=1, le=100, description='quality of camera/color/image_raw/compressed')
    ] = 95
    serial: Annotated[
        str,
        Field(
            description='serial number of the camera, empty for the only one; '
            'a leading _ keeps a number a string: _012345'
        ),
    ] = ''
    warmup_frames: Annotated[
        int, Field(ge=0, le=300, description='frames dropped at start: auto exposure settles')
    ] = 30
    exposure_us: Annotated[
        int, Field(ge=0, le=1_000_000, description='fixed exposure [us]; 0: automatic')
    ] = 0
    gain: Annotated[
        int,
        Field(ge=0, le=4096, description="gain of a fixed exposure; 0: the camera's default"),
    ] = 0
    white_balance_k: Annotated[
        int, Field(ge=0, le=6500, description='fixed white balance [K]; 0: automatic')
    ] = 0
    reference_image: Annotated[
        str,
        Field(description='picture taken when the camera was calibrated; empty: do not compare'),
    ] = ''
    calibration_file: Annotated[
        str,
        Field(description='YAML of ibc calibrate camera: whose it is; empty: do not compare'),
    ] = ''
    path: Annotated[str, Field(description='recording to play when source is file')] = ''
    repeat: Annotated[bool, Field(description='play a file again and again')] = True
    scene_host: Annotated[str, Field(description='where the twin runs')] = '127.0.0.1'
    scene_port: Annotated[
        int, Field(ge=1, le=65535, description='TCP port on which the twin tells its state')
    ] = 15600
    renderer: Annotated[
        Literal['auto', 'egl', 'tiny'],
        Field(description='how the twin is drawn: egl needs a GPU to be fast, tiny always works'),
    ] = 'auto'

    twin_delay: Annotated[
        float,
        Field(
            ge=0.0,
            le=0.5,
            description="the twin's pictures are so much older than their stamps, by hand [s]",
        ),
    ] = 0.0

    @property
    def camera_serial(self) -> str:
        """Serial number as it stands on the camera."""
        return self.serial.removeprefix('_')

    @property
    def device_mode(self) -> StreamMode:
        """What a RealSense camera is asked for."""
        return StreamMode(self.width, self.height, max(1, round(self.rate_hz or DEVICE_RATE_HZ)))


def parse_config(parameters: Mapping[str, object]) -> CaptureConfig:
    """Return the configuration that a parameter file asks for; IbcError says what is wrong."""
    try:
        return pydantic.TypeAdapter(CaptureConfig).validate_python(dict(parameters))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = '.'.join(map(str, first['loc']))
        raise IbcError(f'camera parameter {name!r}: {first["msg"]}') from None


def make_source(config: CaptureConfig) -> FrameSource:
    """Build the source that `config` names, loading only the libraries that it needs."""
    match config.source:
        case 'device':
            from realsense_capture.device_source import DeviceSettings, DeviceSource
            from realsense_capture.sensor_options import LightSettings

            return DeviceSource(
                DeviceSettings(
                    serial=config.camera_serial,
                    mode=config.device_mode,
                    light=LightSettings(config.exposure_us, config.gain, config.white_balance_k),
                    warmup_frames=config.warmup_frames,
                )
            )
        case 'file':
            from realsense_capture.file_source import FileSource

            return FileSource(Path(config.path), config.repeat)
        case 'twin':
            from realsense_capture.twin_source import TwinSource

            return TwinSource(
                config.scene_host,
                config.scene_port,
                config.width,
                config.height,
                config.rate_hz or TWIN_RATE_HZ,
                config.renderer,
                config.twin_delay,
            )
