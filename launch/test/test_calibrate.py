"""`ibc calibrate` on a recording that shows the board where the twin's camera would see it."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from ibc_bringup.board_print import print_board
from ibc_bringup.camera_calibration import Solution, judge
from ibc_bringup.click_points import HELP, Clicks, draw
from ibc_bringup.main import main
from ibc_bringup.touching import ArmTip
from ibc_contract.errors import IbcError
from ibc_contract.images import decode_jpeg
from planar_arm import xarm6
from planar_arm.camera_model import load_camera_pose
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.table import TableCalibration, save_table
from realsense_capture.calibration.charuco import CharucoBoard
from realsense_capture.calibration.pose import solve_camera_pose
from realsense_capture.source import Intrinsics
from xarm_twin.config import load_scene
from xarm_twin.controller import EmulatedController, LagPlant

rs = pytest.importorskip('pyrealsense2')

BOARD = CharucoBoard()
MODEL = load_scene().camera.model()
TABLE = 0.02
TURN, ORIGIN = np.deg2rad(95), np.array([0.30, -0.14])


def on_table(points: np.ndarray) -> np.ndarray:
    """Points (n, 2) of the print in link_base, (n, 3)."""
    turn = np.array([[np.cos(TURN), -np.sin(TURN)], [np.sin(TURN), np.cos(TURN)]])
    return np.column_stack([points @ turn.T + ORIGIN, np.full(len(points), TABLE)])


CORNERS = on_table(BOARD.corners)


def picture() -> np.ndarray:
    """What the twin's camera sees of the board on a grey table, (360, 640, 3) uint8."""
    drawn = BOARD.draw(100)
    height, width = drawn.shape
    sheet = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    large = MODEL.scaled(4 * MODEL.width, 4 * MODEL.height)
    seen = large.project(on_table(sheet / 100 * BOARD.square * (1, -1)))
    warp = cv2.getPerspectiveTransform(sheet - 0.5, seen.astype(np.float32))
    size = (large.width, large.height)
    grey = cv2.warpPerspective(drawn, warp, size, flags=cv2.INTER_AREA, borderValue=120)
    small = cv2.resize(grey, (MODEL.width, MODEL.height), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)


@pytest.fixture(scope='module')
def recording(tmp_path_factory) -> Path:
    """Twelve frames of the board, recorded by librealsense."""
    device = rs.software_device()
    sensor = device.add_sensor('RGB Camera')
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid, stream.fmt = rs.stream.color, 0, 1, rs.format.rgb8
    stream.width, stream.height, stream.fps, stream.bpp = MODEL.width, MODEL.height, 30, 3
    lens = rs.intrinsics()
    lens.width, lens.height, lens.model = MODEL.width, MODEL.height, rs.distortion.brown_conrady
    lens.fx, lens.fy, lens.ppx, lens.ppy = MODEL.fx, MODEL.fy, MODEL.cx, MODEL.cy
    stream.intrinsics = lens
    profile = sensor.add_video_stream(stream)
    path = tmp_path_factory.mktemp('recording') / 'board.db3'
    recorder = rs.recorder(str(path), device, True)
    recorded = recorder.query_sensors()[0]
    recorded.open(recorded.get_stream_profiles()[0])
    recorded.start(rs.frame_queue(20))
    rng, seen = np.random.default_rng(0), picture()
    for k in range(12):
        frame = rs.software_video_frame()
        frame.stride, frame.bpp, frame.frame_number = 3 * MODEL.width, 3, k
        frame.timestamp, frame.domain = 33.0 * k, rs.timestamp_domain.hardware_clock
        frame.profile = profile.as_video_stream_profile()
        noise = rng.normal(0, 3, seen.shape)
        frame.pixels = np.clip(seen + noise, 0, 255).astype(np.uint8)
        sensor.on_video_frame(frame)
        time.sleep(1 / 30)
    recorded.stop()
    recorded.close()
    return path


@pytest.fixture
def site(tmp_path, recording) -> Path:
    parameters = {'source': 'file', 'path': str(recording)}
    text = yaml.safe_dump({'/**': {'ros__parameters': parameters}})
    (tmp_path / 'camera.yaml').write_text(text)
    return tmp_path


def calibrate(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(['calibrate', *map(str, words)])
    return ended.value.code


def touched_file(folder: Path, touched: dict[int, list[float]]) -> Path:
    path = folder / 'touched.txt'
    path.write_text(yaml.safe_dump({'touched': touched}))
    return path


def off(found: np.ndarray) -> tuple[float, float]:
    """Distance [mm] and angle [deg] from the true pose."""
    true = MODEL.T_base_camera
    turn = found[:3, :3].T @ true[:3, :3]
    angle = np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))
    return float(np.linalg.norm(found[:3, 3] - true[:3, 3]) * 1e3), float(angle)


def test_a_printed_board_is_to_scale(tmp_path, capsys):
    path = tmp_path / 'board.png'
    print_board(BOARD, path, dpi=150)
    sheet = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    seen = BOARD.find(sheet)
    assert sheet.shape[:2] == pytest.approx((210 / 25.4 * 150, 297 / 25.4 * 150), abs=1)
    expected = (BOARD.corners[seen.ids] - BOARD.corners[0]) * (1, -1) / 0.0254 * 150
    np.testing.assert_allclose(seen.pixels - seen.pixels[0], expected, atol=1.0)
    assert len(seen.ids) == 24
    assert calibrate('board', tmp_path / 'board.pdf') == 0
    assert (tmp_path / 'board.pdf').read_bytes().startswith(b'%PDF')
    assert 'squares of 40 mm; print it at 100 %' in capsys.readouterr().out
    assert calibrate('board', tmp_path / 'board.docx') == 1
    assert capsys.readouterr().err.endswith('is written as .pdf, .svg, .png\n')


def test_the_camera_is_found_from_corners_that_were_touched(site, capsys):
    rng = np.random.default_rng(1)
    touched = {i: (CORNERS[i] + rng.normal(0, 0.0005, 3)).tolist() for i in BOARD.outer_ids}
    words = ('camera', site, '--touched', touched_file(site, touched), '--frames', 8, '--json')
    assert calibrate(*words) == 0
    report = json.loads(capsys.readouterr().out)
    millimetres, degrees = off(load_camera_pose(report['path']))
    assert millimetres < 2.0
    assert degrees < 0.5
    assert report['path'] == str(site / 'calibration' / 'camera.yaml')
    assert report['points'] == 24
    assert report['residual_px'] < 0.3
    assert max(report['touch_residual_mm'].values()) < 2.0
    assert report['warnings'] == []
    assert decode_jpeg((site / 'calibration' / 'camera.jpg').read_bytes()).shape == (360, 640, 3)
    # The board still lies there: another camera position would need no touching.
    assert calibrate('camera', site, '--touched', report['path'], '--frames', 2) == 0
    assert 'px off\n' in capsys.readouterr().out


def test_points_without_a_board_do_too(site, capsys):
    rng = np.random.default_rng(2)
    positions = np.column_stack(
        [rng.uniform(0.22, 0.58, 30), rng.uniform(-0.26, 0.26, 30), np.full(30, 0.03)]
    )
    pixels = MODEL.project(positions) + rng.normal(0, 0.3, (30, 2))
    points = [
        {'pixel': pixel, 'position': position}
        for pixel, position in zip(pixels.tolist(), positions.tolist(), strict=True)
    ]
    path = site / 'points.txt'
    path.write_text(yaml.safe_dump({'points': points}))
    assert calibrate('camera', site, '--points', path, '--json') == 0
    report = json.loads(capsys.readouterr().out)
    millimetres, degrees = off(load_camera_pose(report['path']))
    assert millimetres < 2.0
    assert degrees < 0.5
    assert report['position_std_mm'] == pytest.approx(millimetres, abs=2.0)


def move(plant: LagPlant, q: np.ndarray) -> None:
    """Bring the joints to `q` and wait until they are at rest."""
    plant.set_joint_targets(q)
    deadline = time.monotonic() + 10
    while np.abs(plant.joint_velocities()).max() > 1e-4:
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Person:
    """Brings the tip of an emulated arm onto the next corner before each answer."""

    def __init__(self, plant: LagPlant, answers: list[tuple[np.ndarray | None, str]]) -> None:
        self._plant, self._answers = plant, answers
        self._kinematics = Xarm6Kinematics()

    def readline(self) -> str:
        if not self._answers:
            return ''
        position, answer = self._answers.pop(0)
        if position is not None:
            self.bring(position)
        return answer

    def bring(self, position: np.ndarray) -> None:
        move(self._plant, self._kinematics.inverse(position, xarm6.HOME_Q))


@pytest.fixture
def arm():
    plant = LagPlant(xarm6.HOME_Q)
    with EmulatedController(plant) as controller:
        yield plant, controller


def with_arm(site: Path, controller: EmulatedController) -> tuple[object, ...]:
    port = controller.port
    return ('camera', site, '--robot-ip', '127.0.0.1', '--control-port', port, '--frames', 8)


def test_the_arm_is_asked_where_its_tip_is_and_never_moved(site, arm, monkeypatch, capsys):
    plant, controller = arm
    a, _, c, d = (CORNERS[i] for i in BOARD.outer_ids)
    answers = [(None, '\n'), (a, '\n'), (None, 's\n'), (c, '\n'), (d, '\n')]
    off_by = np.array((0.0, 0.001, 0.0))  # the first time one way, then the other
    answers += [(a, '\n'), (c + off_by, '\n'), (d, '\n'), (a, '\n'), (c - off_by, '\n'), (d, '\n')]
    answers += [(None, '\n')]
    monkeypatch.setattr('sys.stdin', Person(plant, answers))
    before = controller.state.status()
    assert calibrate(*with_arm(site, controller), '--json') == 0
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert '1: tip of the tool onto corner B' in said.err
    assert '3: tip of the tool onto corner D' in said.err
    assert '2: tip of the tool onto corner B' not in said.err
    assert sorted(map(int, report['touched'])) == sorted(BOARD.outer_ids[i] for i in (0, 2, 3))
    np.testing.assert_allclose(report['touched'][str(BOARD.outer_ids[2])], c, atol=2e-4)
    millimetres, degrees = off(load_camera_pose(report['path']))
    assert millimetres < 2.0
    assert degrees < 0.5
    assert controller.state.status() == before


class Hands(Person):
    """Notes before each answer whether hands may move the arm, and where its fence is."""

    def __init__(self, arm, answers) -> None:
        super().__init__(arm[0], answers)
        self._state = arm[1].state
        self.modes: list[int] = []
        self.fences: list[int] = []

    def readline(self) -> str:
        self.modes.append(self._state.snapshot().mode)
        self.fences.append(self._state.settings.fence)
        return super().readline()


@pytest.mark.parametrize('is_answered', [True, False])
def test_hands_move_the_arm_that_the_command_set_free(site, arm, is_answered, monkeypatch, capsys):
    """Also one whose driver has left a fence around the workspace, and also if it fails."""
    _, controller = arm
    controller.state.configure(fence=1, tcp_boundary=(700, 100, 400, -400, 400, -100))
    corners = [(CORNERS[i], '\n') for i in BOARD.outer_ids]
    answers = [(None, '\n'), (None, '\n'), *corners[: 4 if is_answered else 2]]
    hands = Hands(arm, [*answers, (None, '\n')] if is_answered else answers)
    monkeypatch.setattr('sys.stdin', hands)
    words = (*with_arm(site, controller), '--free', '--rounds', 1, '--json')
    assert calibrate(*words) == (0 if is_answered else 1)
    said = capsys.readouterr()
    assert said.err.startswith('Hold the arm, it is let go')
    assert hands.modes == [0] + [2] * (len(hands.modes) - 1)
    assert hands.fences == [1] + [0] * (len(hands.fences) - 1)
    assert (site / 'calibration' / 'camera.yaml').exists() == is_answered
    shot = controller.state.snapshot()
    assert (shot.mode, shot.state, shot.error) == (0, 4, 0)
    assert controller.state.settings.fence == 1


@pytest.mark.parametrize(('raise_mm', 'said'), [(9, '1.0 mm above it'), (-15, '25.0 mm above')])
def test_a_table_that_the_tool_would_miss_or_scrape_is_a_warning(site, raise_mm, said, capsys):
    touched = {i: (CORNERS[i] + (0, 0, raise_mm / 1e3)).tolist() for i in BOARD.outer_ids}
    words = ('camera', site, '--touched', touched_file(site, touched), '--frames', 2)
    assert calibrate(*words) == 0
    assert said in capsys.readouterr().out


class Desktop:
    """A screen with a mouse, and nobody's."""

    def __init__(self) -> None:
        for program in ('Xvfb', 'xdotool'):
            if shutil.which(program) is None:
                pytest.skip(f'{program} is not installed')
        self._server = subprocess.Popen(
            ['Xvfb', '-displayfd', '1', '-screen', '0', '1500x1000x24', '-nolisten', 'tcp'],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._server.stdout is not None
        self.env = {**os.environ, 'DISPLAY': f':{self._server.stdout.readline().strip()}'}

    def do(self, *words: object) -> str:
        command = ['xdotool', *map(str, words)]
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip()

    def close(self) -> None:
        self._server.terminate()
        self._server.wait(10)


@pytest.fixture
def desktop():
    desktop = Desktop()
    yield desktop
    desktop.close()


@pytest.mark.display
def test_a_person_clicks_on_the_tip_of_the_tool(site, arm, desktop):
    plant, controller = arm
    words = [sys.executable, '-m', 'ibc_bringup.main', 'calibrate', 'camera', str(site)]
    words += ['--robot-ip', '127.0.0.1', '--control-port', str(controller.port), '--click']
    process = subprocess.Popen(
        [*words, '--json'],
        env=desktop.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    person = Person(plant, [])
    window = desktop.do('search', '--sync', '--onlyvisible', '--name', '^ibc calibrate camera$')
    places = itertools.product((0.03, 0.12), (0.28, 0.37, 0.46, 0.56), (-0.2, 0.0, 0.2))
    for k, (z, x, y) in enumerate(places):
        person.bring(np.array((x, y, z)))
        ((u, v),) = 2 * MODEL.project((x, y, z)) + 0.5
        desktop.do('mousemove', '--window', window, round(u), round(v), 'click', 1)
        assert process.stderr.readline().startswith(f'{k + 1} points')
    desktop.do('key', '--window', window, 'Return')
    out, err = process.communicate('\n', timeout=60)
    assert process.returncode == 0, err
    report = json.loads(out)
    millimetres, degrees = off(load_camera_pose(report['path']))
    assert millimetres < 2.0
    assert degrees < 0.5
    assert report['points'] == 24
    assert report['residual_px'] < 0.6
    assert report['position_std_mm'] < 1.5
    assert report['warnings'] == []


@pytest.mark.parametrize(
    ('count', 'half_size', 'verdict'),
    [(6, 0.12, 'error'), (12, 0.25, 'warning'), (60, 0.25, '')],
)
def test_a_camera_that_is_hardly_known_is_warned_of_and_one_that_is_not_known_refused(
    count, half_size, verdict
):
    lens = Intrinsics(MODEL.width, MODEL.height, MODEL.fx, MODEL.fy, MODEL.cx, MODEL.cy)
    rng = np.random.default_rng(0)
    xy = rng.uniform(
        (0.4 - 0.7 * half_size, -half_size), (0.4 + 0.7 * half_size, half_size), (count, 2)
    )
    places = np.column_stack([xy, np.resize((0.03, 0.13) if count > 12 else 0.03, count)])
    pixels = MODEL.project(places) + rng.normal(0, 0.5, (count, 2))
    solution = Solution(solve_camera_pose(places, pixels, lens), {}, {})
    if verdict == 'error':
        with pytest.raises(IbcError, match=r'anywhere within \d+ mm or more: take more points'):
            judge(solution, 0.03)
        return
    said = judge(solution, 0.03)
    assert [line.startswith('the camera is known to') for line in said] == [True] * bool(verdict)


def test_a_wrong_click_is_seen_and_taken_back():
    lens = Intrinsics(MODEL.width, MODEL.height, MODEL.fx, MODEL.fy, MODEL.cx, MODEL.cy)
    clicks = Clicks(lens)
    places = [[x, y, 0.03] for x in (0.25, 0.4, 0.55) for y in (-0.2, 0.0, 0.2)]
    for place, pixel in zip(places, MODEL.project(places), strict=True):
        clicks.add(place, tuple(pixel))
        assert (clicks.estimate is None) == (len(clicks.pixels) < 6)
    assert clicks.summary().startswith('9 points: 0.0 px off, camera +- 0.0 mm')
    clicks.add([0.3, 0.1, 0.03], (600.0, 300.0))
    assert clicks.estimate.rms_px > 5
    canvas = draw(np.full((360, 640, 3), 100, np.uint8), clicks, HELP)
    assert canvas.shape == (720 + 64, 1280, 3)
    clicks.undo()
    assert clicks.estimate.rms_px < 0.01
    for _ in range(10):
        clicks.undo()
    assert clicks.summary() == '0 points: 0 points seen: a camera pose needs 6 or more'


def test_clicking_needs_an_arm(site, capsys):
    assert calibrate('camera', site, '--points', site / 'x', '--click') == 1
    assert 'give --robot-ip' in capsys.readouterr().err


def test_a_pin_lengthens_the_tool_along_its_axis(arm):
    plant, controller = arm
    plain, pinned = (ArmTip('127.0.0.1', controller.port, pin) for pin in (0.0, 0.05))
    try:
        below = np.subtract(pinned.position(), plain.position())
        np.testing.assert_allclose(below, (0, 0, -0.05), atol=1e-3)
        tilted = np.add(xarm6.HOME_Q, (0, 0, 0, 0, 0.5, 0))
        move(plant, tilted)
        below = np.subtract(pinned.position(), plain.position())
        assert np.linalg.norm(below) == pytest.approx(0.05, abs=1e-6)
        assert np.arccos(-below[2] / 0.05) == pytest.approx(0.5, abs=0.01)
    finally:
        plain.close()
        pinned.close()


def test_nobody_at_the_terminal_is_said(site, arm, monkeypatch, capsys):
    plant, controller = arm
    monkeypatch.setattr('sys.stdin', Person(plant, []))
    assert calibrate(*with_arm(site, controller)) == 1
    assert 'nobody answers: run it in a terminal' in capsys.readouterr().err


Change = Callable[[dict[int, list[float]]], object]


@pytest.mark.parametrize(
    ('change', 'said'),
    [
        (lambda t: {**t, 0: t[5]}, 'times as far apart'),
        (lambda t: {**t, 0: [*t[0][:2], t[0][2] + 0.05]}, 'nothing was stored'),
        (lambda t: {**t, 0: [0.1, 0.2]}, r'\[0.1, 0.2\] is not 3 numbers'),
        (lambda t: [1, 2], r'touched must be {corner: \[x, y, z\], ...}'),
    ],
)
def test_what_was_touched_wrongly_is_not_stored(site, change: Change, said, capsys):
    touched = {i: CORNERS[i].tolist() for i in BOARD.outer_ids}
    path = touched_file(site, change(touched))
    assert calibrate('camera', site, '--touched', path, '--frames', 2) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('error')]
    assert re.search(said, line), line
    assert not (site / 'calibration').exists()


def test_a_corner_touched_a_little_off_is_a_warning(site, capsys):
    touched = {i: CORNERS[i].tolist() for i in BOARD.outer_ids}
    touched[0][2] += 0.005
    path = touched_file(site, touched)
    assert calibrate('camera', site, '--touched', path, '--frames', 2) == 0
    assert 'warning: corner 0 was touched 3.8 mm from' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'said'),
    [
        (('/nowhere', '--touched', 'x'), 'x: '),
        (('/nowhere', '--points', '{points}'), 'no folder /nowhere: make it'),
        (('{site}', '--touched', '{points}'), 'has no touched:'),
        (('{site}', '--points', '{points}'), '1 points seen: a camera pose needs 6'),
    ],
)
def test_what_is_missing_is_said_in_one_line(site, words, said, capsys):
    points = site / 'points.txt'
    points.write_text('points: [{pixel: [1, 2], position: [0.3, 0, 0]}]\n')
    places = {'site': site, 'points': points}
    assert calibrate('camera', *(word.format(**places) for word in words)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_board_is_judged_by_the_sites_own_table(site, capsys):
    save_table(site, TableCalibration(0.05, [(0.2, -0.1), (0.5, 0.0), (0.2, 0.2)], 0.1524))
    touched = {i: CORNERS[i].tolist() for i in BOARD.outer_ids}
    words = ('camera', site, '--touched', touched_file(site, touched), '--frames', 2)
    assert calibrate(*words) == 0
    assert '30.0 mm above it (wanted: 3 to 20 mm): calibrate the table' in capsys.readouterr().out
