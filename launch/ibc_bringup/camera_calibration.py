"""The steps of `ibc calibrate camera`: see the board, touch its corners, solve, store."""

import datetime
import itertools
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm

from ibc_bringup.stack import config_files, node_parameters
from ibc_contract.errors import IbcError
from planar_arm.kinematics import Xarm6Kinematics
from realsense_capture.calibration.charuco import CharucoBoard, Sighting, place_board
from realsense_capture.calibration.pose import PoseEstimate, solve_camera_pose
from realsense_capture.calibration.record import (
    CameraCalibration,
    describe_pose,
    save_calibration,
)
from realsense_capture.calibration.sightings import average, board_sightings
from realsense_capture.config import make_source, parse_config
from realsense_capture.source import FrameSource, Intrinsics
from xarm_planar_driver.arm import XarmArm

MOVING = 0.02
"""A joint that turns faster than this is not at rest [rad/s]."""
GOOD_PX, GOOD_TOUCH = 1.0, 0.002
"""Residuals of a calibration that is as good as it should be [px], [m]."""
USELESS_PX, USELESS_TOUCH = 5.0, 0.01
"""Residuals of one that is not stored."""
FIRST_FRAME_READS = 40


@dataclass(frozen=True)
class Outcome:
    """What was found and where it was stored."""

    path: Path
    calibration: CameraCalibration
    estimate: PoseEstimate
    touch_residuals: dict[int, float]
    """Distance of each touched corner from where the fit puts it [m]."""
    warnings: list[str]


def site_camera(site: Path) -> FrameSource:
    """Return the camera that the site's `camera.yaml` asks for: a device, if it does not say."""
    if not site.is_dir():
        raise IbcError(f'no folder {site}: make it, copies of our YAML files go there too')
    path = config_files(str(site))['camera']
    parameters = {'source': 'device', **node_parameters(path, 'realsense_capture')}
    return make_source(parse_config(parameters))


def see_board(source: FrameSource, board: CharucoBoard, frames: int) -> tuple[Sighting, Intrinsics]:
    """Return where the corners are in the mean of `frames` frames, and the lens."""
    seen = board_sightings(source, board)
    wanted = tqdm(
        itertools.islice(seen, frames), total=frames, desc='board', unit='frame', disable=None
    )
    sighting = average(list(wanted))
    return sighting, source.intrinsics()


def lens_of(source: FrameSource) -> Intrinsics:
    """Return the camera's intrinsics, which it tells once it has sent a frame."""
    source.open()
    for _ in range(FIRST_FRAME_READS):
        if source.read(0.5) is not None:
            return source.intrinsics()
    raise IbcError('the camera sends no frames: ask ibc doctor')


class ArmTip:
    """The tip of the tool of an arm that is moved by hand; it is asked, never commanded."""

    def __init__(self, ip: str, control_port: int) -> None:
        self._arm = XarmArm(ip, control_port)
        self._kinematics = Xarm6Kinematics()
        self._arm.connect()

    def position(self) -> list[float]:
        """Return where the tip is in `link_base`, (3,) [m]; IbcError while it moves."""
        q, velocities = self._arm.joint_states()
        if np.abs(velocities).max() > MOVING:
            raise IbcError('the arm still moves: wait until it is at rest')
        return self._kinematics.forward(q).position.tolist()

    def close(self) -> None:
        """Disconnect."""
        self._arm.disconnect()
        self._kinematics.close()


def touch_corners(
    board: CharucoBoard, tip: Callable[[], list[float]], ask: Callable[[str], str]
) -> dict[int, list[float]]:
    """Let a person bring the tip to each outer corner; return where they are [m].

    `ask` shows a line and returns the answer: empty once the tip is there, `s` to leave one out.
    """
    touched: dict[int, list[float]] = {}
    for letter, corner in zip('ABCD', board.outer_ids, strict=True):
        while True:
            answer = ask(f'Tip of the tool onto corner {letter}, then Enter (s: leave it out) ')
            if answer.strip().lower() == 's':
                break
            try:
                touched[corner] = tip()
            except IbcError as error:
                ask(f'{error}. Enter ')
                continue
            break
    return touched


def ask_person(line: str) -> str:
    """Ask on the terminal."""
    sys.stderr.write(line)
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer:
        raise IbcError('nobody answers: run it in a terminal, or give the corners with --touched')
    return answer


def read_touched(path: Path) -> dict[int, list[float]]:
    """Read `touched: {corner: [x, y, z], ...}`, as a calibration that was stored has it."""
    found = _read(path, 'touched')
    if not isinstance(found, Mapping) or not all(isinstance(key, int) for key in found):
        raise IbcError(f'{path}: touched must be {{corner: [x, y, z], ...}}')
    return {key: _numbers(path, value, 3) for key, value in found.items()}


def read_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read `points: [{pixel: [u, v], position: [x, y, z]}, ...]`: (n, 3) [m] and (n, 2) [px]."""
    found = _read(path, 'points')
    if not isinstance(found, list) or not all(
        isinstance(point, Mapping) and {'pixel', 'position'} <= point.keys() for point in found
    ):
        raise IbcError(f'{path}: points must be [{{pixel: [u, v], position: [x, y, z]}}, ...]')
    positions = [_numbers(path, point['position'], 3) for point in found]
    pixels = [_numbers(path, point['pixel'], 2) for point in found]
    return np.array(positions).reshape(-1, 3), np.array(pixels).reshape(-1, 2)


def calibrate_with_board(
    site: Path,
    source: FrameSource,
    board: CharucoBoard,
    sighting: Sighting,
    lens: Intrinsics,
    touched: dict[int, list[float]],
) -> Outcome:
    """Solve from corners that were seen and corners that were touched; store the result."""
    placement = place_board(board, touched)
    estimate = solve_camera_pose(placement.corners[sighting.ids], sighting.pixels, lens)
    residuals = dict(zip(touched, placement.residuals.tolist(), strict=True))
    return _store(site, source, lens, estimate, touched, residuals)


def calibrate_with_points(
    site: Path, source: FrameSource, lens: Intrinsics, points: np.ndarray, pixels: np.ndarray
) -> Outcome:
    """Solve from points (n, 3) [m] that were touched and seen at `pixels` (n, 2); store it."""
    return _store(site, source, lens, solve_camera_pose(points, pixels, lens), {}, {})


def _store(
    site: Path,
    source: FrameSource,
    lens: Intrinsics,
    estimate: PoseEstimate,
    touched: dict[int, list[float]],
    residuals: dict[int, float],
) -> Outcome:
    worst = max(residuals, key=residuals.__getitem__, default=None)
    worst_m = 0.0 if worst is None else residuals[worst]
    if estimate.rms_px > USELESS_PX or worst_m > USELESS_TOUCH:
        raise IbcError(
            f'no pose explains this: {estimate.rms_px:.1f} px off in the image, corner {worst} '
            f'touched {worst_m * 1e3:.1f} mm off; nothing was stored'
        )
    warnings = []
    if estimate.rms_px > GOOD_PX:
        warnings.append(
            f'{estimate.rms_px:.1f} px off in the image, {GOOD_PX:g} or less is usual: is the '
            'board flat, was each point seen where it says?'
        )
    if worst_m > GOOD_TOUCH:
        warnings.append(
            f'corner {worst} was touched {worst_m * 1e3:.1f} mm from where the others put it: '
            'touch it again, or the board is not level'
        )
    position, target, up = describe_pose(estimate.T_base_camera)
    calibration = CameraCalibration(
        position=position,
        look_at=target,
        up=up,
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
        camera=str(source.status()['source']),
        image=[lens.width, lens.height],
        points=len(estimate.residuals_px),
        residual_px=round(estimate.rms_px, 3),
        position_std_mm=round(estimate.position_std * 1e3, 2),
        touched={corner: np.round(point, 5).tolist() for corner, point in touched.items()},
    )
    path = save_calibration(site, calibration)
    return Outcome(path, calibration, estimate, residuals, warnings)


def _read(path: Path, key: str) -> Any:
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise IbcError(f'{path}: {" ".join(str(error).split())}') from None
    if not isinstance(data, Mapping) or key not in data:
        raise IbcError(f'{path} has no {key}:')
    return data[key]


def _numbers(path: Path, values: Any, count: int) -> list[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise IbcError(f'{path}: {values} is not {count} numbers')
    return numbers
