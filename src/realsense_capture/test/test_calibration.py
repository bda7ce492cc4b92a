"""The camera's pose from a board and from touched points, against a camera that is known."""

import datetime

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibc_contract.errors import IbcError
from planar_arm.bullet import pybullet
from planar_arm.calibration_file import age_warning
from planar_arm.camera_model import CameraModel, load_camera_pose, look_at
from planar_arm.lens import Lens
from realsense_capture.calibration import sightings as sightings_module
from realsense_capture.calibration.charuco import CharucoBoard, Sighting, place_board
from realsense_capture.calibration.pose import solve_camera_pose
from realsense_capture.calibration.record import (
    CameraCalibration,
    describe_pose,
    difference,
    save_calibration,
)
from realsense_capture.calibration.sightings import average, board_sightings
from realsense_capture.source import Frame, Intrinsics
from xarm_twin.camera import TwinCamera
from xarm_twin.config import load_scene
from xarm_twin.tasks import get_task

BOARD = CharucoBoard()
MODEL = load_scene().camera.model()
TABLE = 0.02
SHEET = TABLE + 0.0005
BLANK = np.full((36, 64, 3), 90, np.uint8)
HIDDEN_ARM = (0.0, -1.5, -0.5, 0.0, 1.0, 0.0)


def on_table(points, origin, yaw, z=TABLE):
    """Points (n, 2) of the print in link_base, (n, 3)."""
    turn = np.array([[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]])
    return np.column_stack([points @ turn.T + origin, np.full(len(points), z)])


def intrinsics(model, distortion=(0.0,) * 5, name='plumb_bob'):
    return Intrinsics(
        model.width, model.height, model.fx, model.fy, model.cx, model.cy, name, distortion
    )


def off(found, true):
    """Distance [mm] and angle [deg] between two poses."""
    turn = found[:3, :3].T @ true[:3, :3]
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return np.linalg.norm(found[:3, 3] - true[:3, 3]) * 1e3, angle


def draw_in_twin(tmp_path, origin, yaw):
    """Picture (360, 640, 3) of the twin's scene with the board as a textured body in it."""
    width, height = BOARD.columns * BOARD.square, BOARD.rows * BOARD.square
    cv2.imwrite(str(tmp_path / 'board.png'), BOARD.draw(60))
    sheet = tmp_path / 'sheet.obj'
    sheet.write_text(
        f'v 0 {-height} 0\nv {width} {-height} 0\nv {width} 0 0\nv 0 0 0\n'
        'vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nvn 0 0 1\nf 1/1/1 2/2/1 3/3/1\nf 1/1/1 3/3/1 4/4/1\n'
    )
    camera = TwinCamera('push_red', 'tiny', 2 * MODEL.width, 2 * MODEL.height)
    client = camera._client
    shape = pybullet.createVisualShape(
        pybullet.GEOM_MESH, fileName=str(sheet), rgbaColor=[1] * 4, physicsClientId=client
    )
    body = pybullet.createMultiBody(
        0, -1, shape, [*origin, SHEET], [0, 0, np.sin(yaw / 2), np.cos(yaw / 2)],
        physicsClientId=client,
    )  # fmt: skip
    texture = pybullet.loadTexture(str(tmp_path / 'board.png'), physicsClientId=client)
    pybullet.changeVisualShape(body, -1, textureUniqueId=texture, physicsClientId=client)
    poses = np.array(get_task('push_red').sample_layout(np.random.default_rng(0)), float)
    poses[:, :2] = -1.0  # out of the picture
    large = camera.render(np.array(HIDDEN_ARM), poses)
    camera.close()
    return cv2.resize(large, (MODEL.width, MODEL.height), interpolation=cv2.INTER_AREA)


# The whole way, in the twin.


def test_the_pose_of_the_twins_camera_is_recovered(tmp_path):
    """From a rendered picture and four corners touched to half a millimetre."""
    origin, yaw = np.array([0.32, -0.16]), np.deg2rad(100)
    rgb = draw_in_twin(tmp_path, origin, yaw)
    true = on_table(BOARD.corners, origin, yaw, SHEET)
    rng = np.random.default_rng(3)
    touched = {i: true[i] + rng.normal(0, 0.0005, (3, 3)).mean(0) for i in BOARD.outer_ids}
    placement = place_board(BOARD, touched)
    seen = BOARD.find(rgb)
    assert len(seen.ids) == len(BOARD.corners)
    estimate = solve_camera_pose(placement.corners[seen.ids], seen.pixels, intrinsics(MODEL))
    millimetres, degrees = off(estimate.T_base_camera, MODEL.T_base_camera)
    assert millimetres < 2.0
    assert degrees < 0.5
    assert estimate.rms_px < 0.5
    assert placement.residuals.max() < 0.002


# Touching corners.


@settings(max_examples=50)
@given(
    st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    st.floats(-3.1, 3.1),
    st.floats(-0.1, 0.1),
    st.sets(st.integers(0, 23), min_size=3),
)
def test_a_board_is_placed_exactly_from_any_three_corners(origin, yaw, z, ids):
    true = on_table(BOARD.corners, np.array(origin), yaw, z)
    placement = place_board(BOARD, {i: true[i] for i in ids})
    np.testing.assert_allclose(placement.corners, true, atol=1e-9)
    np.testing.assert_allclose(placement.residuals, 0, atol=1e-9)


def test_a_point_touched_wrongly_shows_in_its_residual():
    true = on_table(BOARD.corners, np.array([0.3, 0.1]), 0.3)
    touched = {i: true[i] for i in range(0, 24, 3)}
    touched[9] = touched[9] + (0.0, 0.0, 0.006)
    residuals = place_board(BOARD, touched).residuals
    assert list(touched)[int(residuals.argmax())] == 9
    assert residuals.max() > 0.004


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda t: {0: t[0], 1: t[1]}, '2 corners touched: 3 or more'),
        (lambda t: {0: t[0], 5: t[5], 24: t[5]}, 'no corner 24: they are 0 to 23'),
        (lambda t: {i: 0.97 * t[i] for i in (0, 5, 23)}, '0.970 times as far apart'),
        (lambda t: {0: t[5], 5: t[0], 23: t[18], 18: t[10]}, 'which corners were touched'),
        (lambda t: {0: t[0], 5: t[5], 23: [0.1, 0.2, np.nan]}, 'three numbers'),
    ],
)
def test_what_cannot_be_is_refused(change, said):
    with pytest.raises(IbcError, match=said):
        place_board(BOARD, change(on_table(BOARD.corners, np.array([0.3, 0.1]), 0.3)))


def test_the_corners_to_touch_are_the_outer_ones():
    x, y = BOARD.corners[list(BOARD.outer_ids)].T
    assert x.tolist() == pytest.approx([0.04, 0.24, 0.24, 0.04])
    assert y.tolist() == pytest.approx([-0.04, -0.04, -0.16, -0.16])


def test_a_print_is_found_where_it_was_drawn():
    picture = cv2.copyMakeBorder(BOARD.draw(50), 40, 40, 60, 60, cv2.BORDER_CONSTANT, value=255)
    seen = BOARD.find(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB))
    expected = BOARD.corners[seen.ids] * (1, -1) / BOARD.square * 50 + (59.5, 39.5)
    assert seen.ids.tolist() == list(range(24))
    np.testing.assert_allclose(seen.pixels, expected, atol=0.1)


@pytest.mark.parametrize(('columns', 'rows', 'square'), [(2, 5, 0.04), (11, 10, 0.04), (5, 7, 0)])
def test_a_board_that_cannot_be_is_refused(columns, rows, square):
    with pytest.raises(IbcError, match='it needs 3x3 or more'):
        CharucoBoard(columns, rows, square)


# The pose.


def scattered(seed, n=24):
    rng = np.random.default_rng(seed)
    xy = np.column_stack([rng.uniform(0.22, 0.58, n), rng.uniform(-0.26, 0.26, n)])
    return np.column_stack([xy, np.full(n, 0.03)]), rng


@pytest.mark.parametrize('seed', range(5))
def test_points_touched_in_the_plane_of_the_tool_are_enough(seed):
    """Pixels read to half of one, in an image of 1280x720."""
    model = MODEL.scaled(1280, 720)
    points, rng = scattered(seed)
    pixels = model.project(points) + rng.normal(0, 0.5, (len(points), 2))
    estimate = solve_camera_pose(points, pixels, intrinsics(model))
    millimetres, degrees = off(estimate.T_base_camera, MODEL.T_base_camera)
    assert millimetres < 2.0
    assert degrees < 0.5
    assert estimate.rms_px == pytest.approx(0.7, abs=0.2)


def test_points_at_two_heights_do_in_the_picture_that_the_camera_gives_by_default():
    """Pixels read to half of one in 640x360, the tip known to 0.5 mm in each axis."""
    found = []
    for seed in range(10):
        points, rng = scattered(seed, 30)
        points[::2, 2] += 0.1
        pixels = MODEL.project(points) + rng.normal(0, 0.5, (len(points), 2))
        touched = points + rng.normal(0, 5e-4, points.shape)
        estimate = solve_camera_pose(touched, pixels, intrinsics(MODEL))
        found.append(off(estimate.T_base_camera, MODEL.T_base_camera))
    millimetres, degrees = np.array(found).T
    assert np.mean(millimetres) < 2.0
    assert np.max(millimetres) < 4.0
    assert np.max(degrees) < 0.5


def test_the_standard_error_is_that_of_repeated_calibrations():
    found, said = [], []
    for seed in range(60):
        points, _ = scattered(0)
        rng = np.random.default_rng(seed)
        pixels = MODEL.project(points) + rng.normal(0, 0.5, (len(points), 2))
        estimate = solve_camera_pose(points, pixels, intrinsics(MODEL))
        found.append(estimate.T_base_camera[:3, 3])
        said.append(estimate.position_std)
    scatter = np.sqrt(np.array(found).var(axis=0, ddof=1).sum())
    assert np.mean(said) == pytest.approx(scatter, rel=0.3)


@pytest.mark.parametrize(
    ('name', 'coefficients'),
    [('plumb_bob', (0.1, -0.2, 0.001, 0.002, 0.05)), ('equidistant', (0.02, -0.01, 0.002, 0.0))],
)
def test_the_lens_is_taken_into_account(name, coefficients):
    points, _ = scattered(1)
    rotation = MODEL.T_base_camera[:3, :3].T
    rotation, translation = cv2.Rodrigues(rotation)[0], -rotation @ MODEL.position
    k = np.array(MODEL.K).reshape(3, 3)
    if name == 'equidistant':
        pixels, _ = cv2.fisheye.projectPoints(
            points[:, None], rotation, translation, k, np.array(coefficients)
        )
    else:
        pixels, _ = cv2.projectPoints(points, rotation, translation, k, np.array(coefficients))
    model = intrinsics(MODEL, coefficients, name)
    ours = CameraModel.from_info(
        640, 360, MODEL.K, MODEL.T_base_camera, Lens(name, tuple(coefficients))
    )
    np.testing.assert_allclose(ours.project(points), pixels.reshape(-1, 2), atol=1e-6)
    estimate = solve_camera_pose(points, pixels.reshape(-1, 2), model)
    np.testing.assert_allclose(estimate.T_base_camera, MODEL.T_base_camera, atol=1e-5)


def test_points_that_say_too_little_are_refused():
    points, _ = scattered(2)
    pixels = MODEL.project(points)
    with pytest.raises(IbcError, match=r'5 points seen: .* needs 6'):
        solve_camera_pose(points[:5], pixels[:5], intrinsics(MODEL))
    line = np.column_stack([np.linspace(0.2, 0.6, 8), np.zeros(8), np.full(8, 0.03)])
    with pytest.raises(IbcError, match='close to one line'):
        solve_camera_pose(line, MODEL.project(line), intrinsics(MODEL))


# Many frames.


class Pictures:
    """A source that plays pictures over and over."""

    expected_at_start = True

    def __init__(self, *pictures):
        self.pictures = list(pictures)

    def open(self):
        pass

    def read(self, timeout_s):
        if not self.pictures:
            return None
        self.pictures.append(self.pictures.pop(0))
        return Frame(0, self.pictures[-1])


def test_frames_without_the_board_are_passed_over_and_a_long_wait_ends(monkeypatch):
    picture = cv2.cvtColor(
        cv2.copyMakeBorder(BOARD.draw(40), 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255),
        cv2.COLOR_GRAY2RGB,
    )
    empty = np.full_like(picture, 90)
    seen = board_sightings(Pictures(empty, picture), BOARD)
    assert [len(next(seen).ids) for _ in range(3)] == [24, 24, 24]
    monkeypatch.setattr(sightings_module, 'PATIENCE_S', 0.2)
    with pytest.raises(IbcError, match=r'the board is not in the picture \(\d+ frames\)'):
        next(board_sightings(Pictures(empty), BOARD))
    with pytest.raises(IbcError, match='no frames'):
        next(board_sightings(Pictures(), BOARD))


def test_corners_are_averaged_and_motion_is_noticed():
    rng = np.random.default_rng(0)
    true = rng.uniform(0, 600, (24, 2))
    ids = np.arange(24)
    frames = [Sighting(ids, true + rng.normal(0, 0.1, true.shape)) for _ in range(40)]
    frames += [Sighting(ids[:12], true[:12])] * 50
    mean = average(frames)
    assert mean.ids.tolist() == ids[:12].tolist()  # the others were seen too seldom
    np.testing.assert_allclose(mean.pixels, true[:12], atol=0.1)
    with pytest.raises(IbcError, match='moves in the picture'):
        average([Sighting(ids, true + 0.2 * k) for k in range(10)])


# The file.


def record(pose, **changes):
    position, target, up = describe_pose(pose)
    date = datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds')
    return CameraCalibration(
        **{'position': position, 'look_at': target, 'up': up, 'date': date, 'camera': 'SW01',
           'image': [640, 360], 'points': 24, 'residual_px': 0.1,
           'position_std_mm': 0.5, 'touched': {}, **changes}
    )  # fmt: skip


@pytest.mark.parametrize('roll', [0.0, 0.2, -3.0])
def test_a_stored_pose_is_read_back(tmp_path, roll):
    level = look_at((0.7, 0.05, 0.5), (0.4, 0.0, 0.0))
    up = -np.cos(roll) * level[:3, 1] + np.sin(roll) * level[:3, 0]
    pose = look_at((0.7, 0.05, 0.5), (0.4, 0.0, 0.0), up)
    path = save_calibration(tmp_path / 'site', record(pose), BLANK)
    assert path == tmp_path / 'site' / 'calibration' / 'camera.yaml'
    np.testing.assert_allclose(load_camera_pose(path), pose, atol=1e-5)
    assert age_warning(path, 1) == ''


def test_a_calibration_says_whose_it_is(tmp_path):
    """Another camera, or pictures of another size; the link may be another."""
    mine = 'device Intel RealSense D415 123 on USB 3.2'
    stored = record(look_at((0.7, 0.05, 0.5), (0.4, 0.0, 0.0)), camera=mine)
    path = save_calibration(tmp_path, stored, BLANK)
    assert difference(path, 'device Intel RealSense D415 123 on USB 2.1', (640, 360)) == ''
    other = difference(path, 'device Intel RealSense D415 124 on USB 3.2', (640, 360))
    assert other == f'{path} is of Intel RealSense D415 123, and this is Intel RealSense D415 124'
    larger = difference(path, mine, (1280, 720))
    assert larger == f'{path} was made with pictures of 640x360, and these are 1280x720'
    path.write_text('position: [0.7, 0, 0.5]\nlook_at: [0.4, 0, 0]\n')  # by hand
    assert difference(path, mine, (640, 360)) == ''
    path.write_text('{')
    assert difference(path, mine, (640, 360)) == ''


def test_the_calibration_before_is_kept(tmp_path):
    pose = MODEL.T_base_camera
    save_calibration(tmp_path, record(pose, camera='before'), BLANK)
    save_calibration(tmp_path, record(pose, camera='after'), BLANK)
    names = sorted(path.name for path in (tmp_path / 'calibration').iterdir())
    assert len(names) == 3
    assert names[1:] == ['camera.jpg', 'camera.yaml']
    assert 'after' in (tmp_path / 'calibration' / 'camera.yaml').read_text()
    assert 'before' in (tmp_path / 'calibration' / names[0]).read_text()


def test_the_point_it_looks_at_lies_on_the_table():
    _, target, _ = describe_pose(MODEL.T_base_camera)
    assert target[2] == pytest.approx(0.0, abs=1e-6)
    camera = CameraModel.from_info(640, 360, MODEL.K, MODEL.T_base_camera)
    np.testing.assert_allclose(camera.project(target), [[MODEL.cx, MODEL.cy]], atol=0.01)
