# pyrealsense2 has no type information:
# pyright: reportAttributeAccessIssue=false
"""Exposure, white balance and the like of the colour sensor: written, then read back."""

from dataclasses import dataclass

from realsense_capture.color_stream import rs

UNITS = {
    rs.option.exposure: ('exposure', 'us', 100),  # colour sensors count units of 100 us
    rs.option.gain: ('gain', '', 1),
    rs.option.white_balance: ('white balance', 'K', 1),
}
"""What a person sets: its name, its unit, and how many of these the sensor's unit is."""
LOOKS = (
    rs.option.backlight_compensation,
    rs.option.brightness,
    rs.option.contrast,
    rs.option.gamma,
    rs.option.hue,
    rs.option.saturation,
    rs.option.sharpness,
)
"""What changes the picture and survives the program that set it: put back to the default."""


@dataclass(frozen=True)
class LightSettings:
    """How bright and how warm the picture is; 0 leaves a value to the camera."""

    exposure_us: int = 0
    gain: int = 0
    """Goes with a fixed exposure; 0: the camera's default."""
    white_balance_k: int = 0

    @property
    def fixed(self) -> bool:
        """Nothing changes by itself, as a policy wants it."""
        return bool(self.exposure_us and self.white_balance_k)


def color_sensor(device: rs.device) -> rs.sensor:
    """Return the sensor of `device` that has the colour stream; StopIteration without one."""
    return next(
        sensor
        for sensor in device.query_sensors()
        if any(p.stream_type() == rs.stream.color for p in sensor.get_stream_profiles())
    )


def write_options(sensor: rs.sensor, light: LightSettings) -> list[str]:
    """Write every option and read it back; return a line for each that is not as asked for.

    Options that decide over others, such as automatic exposure, come first.
    """
    wanted = _wanted(sensor, light)
    return [line for option, value in wanted.items() if (line := _write(sensor, option, value))]


def read_light(sensor: rs.sensor) -> dict[str, object]:
    """Return what the sensor uses at present, for diagnostics and for who wants to fix it."""
    found: dict[str, object] = {}
    for option, (name, unit, factor) in UNITS.items():
        try:
            if sensor.supports(option):
                found[f'{name} [{unit}]' if unit else name] = round(
                    sensor.get_option(option) * factor
                )
        except RuntimeError:  # unplugged meanwhile
            break
    return found


def _wanted(sensor: rs.sensor, light: LightSettings) -> dict[rs.option, float]:
    """Options and values, in the sensor's units and in the order of writing."""
    wanted: dict[rs.option, float] = {}
    for option in LOOKS:
        if sensor.supports(option) and not sensor.is_option_read_only(option):
            wanted[option] = sensor.get_option_range(option).default
    switches = {
        rs.option.enable_auto_exposure: not light.exposure_us,
        rs.option.enable_auto_white_balance: not light.white_balance_k,
        rs.option.auto_exposure_priority: False,  # else the rate drops in dim light
    }
    wanted |= {option: float(on) for option, on in switches.items() if sensor.supports(option)}
    if light.exposure_us:
        wanted[rs.option.exposure] = light.exposure_us / UNITS[rs.option.exposure][2]
        if light.gain:
            wanted[rs.option.gain] = light.gain
        elif sensor.supports(rs.option.gain):  # another program may have left it anywhere
            wanted[rs.option.gain] = sensor.get_option_range(rs.option.gain).default
    if light.white_balance_k:
        wanted[rs.option.white_balance] = light.white_balance_k
    return wanted


def _write(sensor: rs.sensor, option: rs.option, value: float) -> str:
    """Write one option; return what went wrong, or nothing."""
    name, unit, factor = UNITS.get(option, (option.name.replace('_', ' '), '', 1))

    def said(number: float) -> str:
        return f'{number * factor:g} {unit}'.rstrip()

    try:
        if not sensor.supports(option):
            return f'{name} {said(value)}: this camera cannot set it'
        span = sensor.get_option_range(option)
        if not span.min <= value <= span.max:
            return f'{name} {said(value)}: the camera takes {said(span.min)} to {said(span.max)}'
        if span.step > 0:
            value = span.min + round((value - span.min) / span.step) * span.step
        sensor.set_option(option, value)
        found = sensor.get_option(option)
    except RuntimeError as error:
        return f'{name} {said(value)}: the camera refuses ({" ".join(str(error).split())})'
    if abs(found - value) > span.step / 2:
        return f'{name} {said(value)}: the camera uses {said(found)}'
    return ''
