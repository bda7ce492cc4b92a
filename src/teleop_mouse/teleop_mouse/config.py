"""Parameters of the teleoperation window."""

from typing import Annotated

import numpy as np
import pydantic
from pydantic import AfterValidator, Field

from ibc_contract.errors import IbcError
from planar_arm.calibration_file import MAX_AGE_DAYS
from planar_arm.camera_model import load_camera_pose
from planar_arm.errors import PlanarArmError
from planar_arm.table import TWIN, Table, load_table
from xarm_twin.config import load_scene


def _fits_or_legible(scale: float) -> float:
    if 0.0 < scale < 0.5:
        raise ValueError('is 0 or 0.5 to 4')
    return scale


@pydantic.dataclasses.dataclass(frozen=True)
class TeleopConfig:
    """How the window looks and how fast the tool may be led."""

    max_speed: Annotated[
        float, Field(ge=0.01, le=0.25, description='speed cap of the led tool [m/s]')
    ] = 0.12
    scale: Annotated[
        float,
        Field(
            ge=0.0,
            le=4.0,
            description='window pixels per camera pixel [1]; 0: what fits on the screen, at most 2',
        ),
        AfterValidator(_fits_or_legible),
    ] = 0.0
    camera_pose_file: Annotated[
        str,
        Field(description='YAML with position and look_at of the camera [m]; empty: as the twin'),
    ] = ''
    camera_max_age: Annotated[
        float, Field(ge=1.0, le=3650.0, description='an older pose is warned of [days]')
    ] = MAX_AGE_DAYS
    table_file: Annotated[
        str, Field(description='YAML of ibc calibrate table; empty or twin: that of the twin')
    ] = ''


def table(config: TeleopConfig) -> Table:
    """Return where the tool may be led, and which tool: what `config` names, or the twin's."""
    try:
        return load_table(config.table_file or TWIN)
    except PlanarArmError as error:
        raise IbcError(str(error)) from None


def camera_pose(config: TeleopConfig) -> np.ndarray:
    """Return T_base_camera (4, 4) of the file that `config` names, or of the twin's scene."""
    if not config.camera_pose_file:
        return load_scene().camera.model().T_base_camera
    try:
        return load_camera_pose(config.camera_pose_file)
    except PlanarArmError as error:
        raise IbcError(str(error)) from None
