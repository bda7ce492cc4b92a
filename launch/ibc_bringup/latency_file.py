"""The delays of a site as a file: what was measured, how well, and when."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import pydantic
import yaml
from pydantic import Field

from ibc_contract.errors import IbcError
from planar_arm.calibration_file import age_warning, write_calibration
from planar_arm.errors import BadFile
from planar_arm.strict_yaml import load_yaml

log = logging.getLogger(__name__)

FILE = Path('calibration', 'latency.yaml')
PICTURE = FILE.with_suffix('.png')
"""Where delays and step responses lie in the folder of a site."""
HEAD = """\
# Delays [s], by `ibc calibrate latency`: once more when arm, camera or computer were changed.
"""

Delay = Annotated[float, Field(ge=-0.5, le=1.0)]


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(extra='forbid'))
class LatencyCalibration:
    """What is stored; all delays are medians over steps [s]."""

    setpoint_s: Delay
    """From a command's stamp to the setpoint's motion."""
    arm_s: Delay
    """From the setpoint's motion to the measured tool's."""
    camera_s: Delay
    """By how much a picture is older than its stamp."""
    arrival_s: Delay
    """From a picture's stamp to its arrival."""
    loop_s: Delay
    """From a command's stamp to the arrival of a picture that shows its effect."""
    spread_s: dict[str, float]
    """Standard deviation of a single step, robustly."""
    steps: int
    step_mm: float
    date: str
    """ISO 8601, UTC."""


def save_latency(site: Path, found: LatencyCalibration) -> Path:
    """Write it into the folder of a site; the one before is kept beside it, with its date."""
    path = site / FILE
    text = yaml.safe_dump(asdict(found), sort_keys=False, default_flow_style=None)
    write_calibration(path, HEAD + text)
    return path


def load_latency(path: Path) -> LatencyCalibration:
    """Read what `save_latency` wrote, and warn if that was long ago.

    Raises:
        IbcError: It names the file and what is wrong in it.
    """
    try:
        found = load_yaml(path, LatencyCalibration)
    except BadFile as error:
        raise IbcError(f'{path}: {error}; ibc calibrate latency again') from None
    if age := age_warning(path):
        log.warning('%s: if arm, camera or computer was changed, ibc calibrate latency again', age)
    return found
