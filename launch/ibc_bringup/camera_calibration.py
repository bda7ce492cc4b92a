"""The steps of `ibc calibrate camera`: see the board, touch its corners, solve, store."""

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ibc_bringup.parameter_files import config_files, node_parameters
from ibc_bringup.touching import read_key, read_numbers
from ibc_contract.errors import IbcError
from planar_arm.calibration_file import today
from planar_arm.errors import PlanarArmError
from planar_arm.table import FILE as TABLE_FILE
from planar_arm.table import load_table
from planar_arm.workspace import DEFAULT_WORKSPACE
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

GOOD_PX, GOOD_TOUCH, GOOD_STD = 1.0, 0.002, 0.0015
"""Residuals of a calibration that is as good as it should be [px], [m], and the standard error of
the camera's position [m]: of those within it few are off by more than 2 mm."""
MORE_POINTS = 'take more points, all over the table and half of them 10 cm higher'
CLEARANCE = (0.003, 0.02)
"""Height of the tool plane over the table that pushes blocks and scrapes nothing [m]."""
USELESS_PX, USELESS_TOUCH, USELESS_STD = 5.0, 0.01, 0.005
"""Those of one that is not stored."""
SETTLING_S = 0.5
"""Frames that are older than the question are passed over for so long [s]."""
FIRST_FRAME_S = 10.0
"""How long to wait for a first frame [s]."""


@dataclass(frozen=True)
class Solution:
    """A pose, and what it was found from."""

    estimate: PoseEstimate
    touched: dict[int, list[float]]
    """Corner of the board to where it was touched (3,) [m]; empty without a board."""
    residuals: dict[int, float]
    """Distance of each touched corner from where the fit puts it [m]."""


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


def see_scene(source: FrameSource) -> tuple[np.ndarray, Intrinsics]:
    """Return what the camera sees now, (H, W, 3) uint8, and the lens."""
    source.open()
    newest, end_s = None, time.monotonic() + SETTLING_S
    while newest is None or time.monotonic() < end_s:
        frame = source.read(0.5)
        newest = newest if frame is None else frame
        if newest is None and time.monotonic() > end_s + FIRST_FRAME_S:
            raise IbcError('the camera sends no frames: ask ibc doctor')
    return newest.rgb, source.intrinsics()


def touch_corners(
    board: CharucoBoard,
    tip: Callable[[], list[float]],
    ask: Callable[[str], str],
    rounds: int,
) -> dict[int, list[float]]:
    """Let a person bring the tip to each outer corner, `rounds` times; return where they are [m].

    A hand is off by some tenths of a millimetre each time: what is returned is the mean. `ask`
    shows a line and returns the answer: empty once the tip is there, `s` to leave a corner out.
    """
    touched: dict[int, list[list[float]]] = {corner: [] for corner in board.outer_ids}
    for turn in range(1, rounds + 1):
        for letter, corner in zip('ABCD', board.outer_ids, strict=True):
            if corner in touched and not _touch(letter, turn, tip, ask, touched[corner]):
                del touched[corner]
    return {corner: np.mean(places, axis=0).tolist() for corner, places in touched.items()}


def _touch(
    letter: str,
    turn: int,
    tip: Callable[[], list[float]],
    ask: Callable[[str], str],
    places: list[list[float]],
) -> bool:
    """Add where a corner was touched; return False if the person leaves it out."""
    while True:
        line = f'{turn}: tip of the tool onto corner {letter}, then Enter (s: leave it out) '
        if ask(line).strip().lower() == 's':
            return False
        try:
            places.append(tip())
        except IbcError as error:
            ask(f'{error}. Enter ')
            continue
        return True


def read_touched(path: Path) -> dict[int, list[float]]:
    """Read `touched: {corner: [x, y, z], ...}`, as a calibration that was stored has it."""
    found = read_key(path, 'touched')
    if not isinstance(found, Mapping) or not all(isinstance(key, int) for key in found):
        raise IbcError(f'{path}: touched must be {{corner: [x, y, z], ...}}')
    return {key: read_numbers(path, value, 3) for key, value in found.items()}


def read_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read `points: [{pixel: [u, v], position: [x, y, z]}, ...]`: (n, 3) [m] and (n, 2) [px]."""
    found = read_key(path, 'points')
    if not isinstance(found, list) or not all(
        isinstance(point, Mapping) and {'pixel', 'position'} <= point.keys() for point in found
    ):
        raise IbcError(f'{path}: points must be [{{pixel: [u, v], position: [x, y, z]}}, ...]')
    positions = [read_numbers(path, point['position'], 3) for point in found]
    pixels = [read_numbers(path, point['pixel'], 2) for point in found]
    return np.array(positions).reshape(-1, 3), np.array(pixels).reshape(-1, 2)


def solve_board(
    board: CharucoBoard, touched: dict[int, list[float]], sighting: Sighting, lens: Intrinsics
) -> Solution:
    """Find the pose from corners that were touched and corners that are seen."""
    placement = place_board(board, touched)
    estimate = solve_camera_pose(placement.corners[sighting.ids], sighting.pixels, lens)
    residuals = dict(zip(touched, placement.residuals.tolist(), strict=True))
    return Solution(estimate, touched, residuals)


def site_tool_height(site: Path) -> float:
    """Return the height at which the site's tool works [m]; the twin's before it is calibrated."""
    path = site / TABLE_FILE
    try:
        return (load_table(path).workspace if path.exists() else DEFAULT_WORKSPACE).tool_height
    except PlanarArmError as error:
        raise IbcError(str(error)) from None


def judge(solution: Solution, tool_height: float) -> list[str]:
    """Return what is not as good as it should be; IbcError if the pose is of no use.

    `tool_height` is that of the plane in which the tool works [m].
    """
    off_px, residuals = solution.estimate.rms_px, solution.residuals
    worst = max(residuals, key=residuals.__getitem__, default=None)
    worst_m = 0.0 if worst is None else residuals[worst]
    if off_px > USELESS_PX or worst_m > USELESS_TOUCH:
        touch = '' if worst is None else f', corner {worst} touched {worst_m * 1e3:.1f} mm off'
        raise IbcError(
            f'no pose explains this: {off_px:.1f} px off in the image{touch}; nothing was stored'
        )
    std_m = solution.estimate.position_std
    if std_m > USELESS_STD:
        raise IbcError(
            f'the camera may be anywhere within {std_m * 1e3:.0f} mm or more: {MORE_POINTS}; '
            'nothing was stored'
        )
    warnings = []
    if std_m > GOOD_STD:
        warnings.append(f'the camera is known to {std_m * 1e3:.1f} mm only: {MORE_POINTS}')
    if off_px > GOOD_PX:
        warnings.append(
            f'{off_px:.1f} px off in the image, {GOOD_PX:g} or less is usual: is the board flat, '
            'was each point seen where it says?'
        )
    if worst_m > GOOD_TOUCH:
        warnings.append(
            f'corner {worst} was touched {worst_m * 1e3:.1f} mm from where the others put it: '
            'touch it again, or the board is not level'
        )
    if solution.touched:
        table = float(np.mean([z for _, _, z in solution.touched.values()]))
        over = tool_height - table
        if not CLEARANCE[0] <= over <= CLEARANCE[1]:
            warnings.append(
                f'the table is at z = {table * 1e3:.1f} mm, so the tool would go '
                f'{over * 1e3:.1f} mm above it (wanted: {CLEARANCE[0] * 1e3:g} to '
                f'{CLEARANCE[1] * 1e3:g} mm): calibrate the table (again)'
            )
    return warnings


def store(
    site: Path, camera: str, lens: Intrinsics, solution: Solution, rgb: np.ndarray
) -> tuple[Path, CameraCalibration]:
    """Write the calibration and what the camera sees, `rgb` (H, W, 3), into the site's folder."""
    estimate = solution.estimate
    position, target, up = describe_pose(estimate.T_base_camera)
    calibration = CameraCalibration(
        position=position,
        look_at=target,
        up=up,
        date=today(),
        camera=camera,
        image=[lens.width, lens.height],
        points=len(estimate.residuals_px),
        residual_px=round(estimate.rms_px, 3),
        position_std_mm=round(estimate.position_std * 1e3, 2),
        touched={corner: np.round(p, 5).tolist() for corner, p in solution.touched.items()},
    )
    return save_calibration(site, calibration, rgb), calibration
