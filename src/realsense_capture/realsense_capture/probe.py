"""Says whether the camera that a configuration asks for is there, without starting it.

`python -m realsense_capture.probe '{"serial": "_1234"}'`: one line about the camera and exit code
0, or one line about what is wrong and exit code 1. A process of its own, because librealsense may
crash, and because nothing else should wait for USB.
"""

import json
import sys

from ibc_contract.errors import IbcError
from realsense_capture.config import CaptureConfig, parse_config
from realsense_capture.device_bus import DeviceBus, UsbBus, describe, find_device, offered_modes
from realsense_capture.stream_mode import choose_mode


def find(config: CaptureConfig, bus: DeviceBus) -> str:
    """Describe the camera and the mode that it would stream; IbcError says why it would not."""
    device = find_device(bus, config.camera_serial)
    mode = choose_mode(config.device_mode, offered_modes(device))
    said = f'{describe(device)}, {mode}'
    return said if mode == config.device_mode else f'{said} instead of {config.device_mode}'


def main(arguments: list[str] | None = None) -> int:
    """Probe with the parameters in the first argument, a JSON object; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        said = find(parse_config(json.loads(words[0]) if words else {}), UsbBus())
    except (IbcError, RuntimeError) as error:
        sys.stderr.write(f'{" ".join(str(error).split())}\n')
        return 1
    sys.stdout.write(f'{said}\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
