"""The calibration of a site's camera as a file: pose, how it came about, and when."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import yaml

from ibc_contract.images import encode_jpeg
from planar_arm.calibration_file import write_calibration
from planar_arm.camera_model import Matrix

FILE = Path('calibration', 'camera.yaml')
PICTURE = FILE.with_suffix('.jpg')
"""Where pose and what the camera saw then lie in the folder of a site."""
TABLE_Z = 0.0
"""Height of the plane on which `look_at` is said [m]; any height would do."""
HEAD = """\
# Pose of the camera in link_base [m], by `ibc calibrate camera`: once more when it was moved.
"""


@dataclass(frozen=True)
class CameraCalibration:
    """What is stored; `load_camera_pose` reads the first three fields."""

    position: list[float]
    look_at: list[float]
    up: list[float]
    date: str
    """ISO 8601, UTC."""
    camera: str
    """Which one it was."""
    image: list[int]
    """Width and height [px]."""
    points: int
    residual_px: float
    """Root mean square in the image."""
    position_std_mm: float
    """Standard error of the position that the residuals imply."""
    touched: dict[int, list[float]]
    """Corner of the board to where it was touched, in `link_base` [m]; empty without a board."""


def difference(path: str | Path, camera: str, size: tuple[int, int] | None = None) -> str:
    """Return in what a camera is not the one that was calibrated; empty if in nothing.

    Empty too for a file that does not say, as one made by hand, and for one that cannot be read,
    which is its reader's to say.

    Args:
        path: The calibration.
        camera: What the camera says of itself, as a source's status does.
        size: Width and height of its pictures [px]; None: not compared.
    """
    try:
        stored = yaml.safe_load(Path(path).read_text())
        then, image = _model_and_serial(stored['camera']), list(stored['image'])
    except (OSError, UnicodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return ''
    now = _model_and_serial(camera)
    if now != then:
        return f'{path} is of {then}, and this is {now}'
    if size is not None and image != list(size):
        made, here = ('x'.join(map(str, pixels)) for pixels in (image, size))
        return f'{path} was made with pictures of {made}, and these are {here}'
    return ''


def _model_and_serial(camera: str) -> str:
    """What does not change with the USB port."""
    return camera.removeprefix('device ').partition(' on USB ')[0]


def describe_pose(T_base_camera: Matrix) -> tuple[list[float], list[float], list[float]]:
    """Return position, look_at and up of a pose, rounded to a micrometre."""
    position, forward = T_base_camera[:3, 3], T_base_camera[:3, 2]
    distance = (TABLE_Z - position[2]) / forward[2] if forward[2] < -0.1 else 1.0
    vectors = (position, position + distance * forward, -T_base_camera[:3, 1])
    position, target, up = (np.round(vector, 6).tolist() for vector in vectors)
    return position, target, up


def save_calibration(site: Path, calibration: CameraCalibration, rgb: np.ndarray) -> Path:
    """Write it and the picture of the scene (H, W, 3) uint8 into the folder of a site.

    The calibration before is kept beside it, with its date.
    """
    path = site / FILE
    text = yaml.safe_dump(asdict(calibration), sort_keys=False, default_flow_style=None)
    write_calibration(path, HEAD + text)
    (site / PICTURE).write_bytes(encode_jpeg(rgb))
    return path
