"""`ibc calibrate table` with the real SDK on an emulated arm whose table was tilted by hand."""

import dataclasses
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from ibc_bringup.main import main
from ibc_bringup.table_calibration import narrow
from ibc_contract.ending_signals import SIGNALS
from ibc_contract.errors import IbcError
from planar_arm import xarm6
from planar_arm.table import FILE, TableCalibration, load_table, read_calibration, save_table
from planar_arm.tool import DEFAULT_TOOL
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_planar_driver.arbitration import Command, Source
from xarm_planar_driver.config import DriverConfig
from xarm_planar_driver.driver import PlanarDriver
from xarm_planar_driver.hand_guiding import HandGuidedArm
from xarm_planar_driver.phases import Request
from xarm_twin.controller import EmulatedController, FaultPort, LagPlant
from xarm_twin.controller.fault_port import ask

HEIGHT, SLOPE = 0.034, np.array([0.006, -0.004])
"""Of the table: at (0.4, 0) [m], along x and y."""
PLACES = [(0.21, -0.27), (0.57, -0.28), (0.58, 0.27), (0.22, 0.28), (0.4, 0.0), (0.3, 0.15)]


def table_z(x: float, y: float) -> float:
    return HEIGHT + float((np.array((x, y)) - (0.4, 0.0)) @ SLOPE)


@pytest.fixture
def arm() -> Iterator[tuple[EmulatedController, int]]:
    """An emulated arm, and the port where a hand reaches it."""
    with EmulatedController(LagPlant(xarm6.HOME_Q)) as controller, FaultPort(controller) as faults:
        yield controller, faults.port


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / 'site'
    folder.mkdir()
    return folder


class Person:
    """Puts the tip onto the table before each answer, to half a millimetre."""

    def __init__(self, faults: int, places: list[tuple[float, float]]) -> None:
        self._faults, self._places = faults, list(places)
        self._rng = np.random.default_rng(4)
        self._is_asked = self._is_done = False

    def readline(self) -> str:
        if not self._is_asked:  # whether to let go
            self._is_asked = True
            return '\n'
        if not self._places and not self._is_done:
            self._is_done = True
            return 'd\n'
        if self._is_done:
            touched = np.array((0.4, 0.0, 0.15))
        else:
            x, y = self._places.pop(0)
            touched = np.array((x, y, table_z(x, y))) + self._rng.normal(0, 0.0005, 3)
        move = {'do': 'guide', 'position_mm': (1e3 * touched).tolist()}
        state = ask(move, self._faults)
        while np.abs(state['joint_speeds_deg_s']).max() > 0.01:
            time.sleep(0.02)
            state = ask({'do': 'state'}, self._faults)
        return '\n'


def calibrate(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(['calibrate', 'table', *map(str, words)])
    return ended.value.code


def on(controller: EmulatedController) -> tuple[object, ...]:
    return ('--robot-ip', controller.host, '--control-port', controller.port)


def test_a_table_that_was_tilted_by_hand_is_recovered(arm, site, monkeypatch, capsys):
    controller, faults = arm
    monkeypatch.setattr('sys.stdin', Person(faults, PLACES))
    assert calibrate(site, *on(controller), '--free', '--json') == 0
    said = capsys.readouterr()
    assert 'Hold the arm, it is let go' in said.err
    assert '1: Tip of the tool onto the table, then Enter' in said.err
    report = json.loads(said.out)
    tilt = math.degrees(math.atan(np.linalg.norm(SLOPE)))
    assert abs(report['tilt_deg'] - tilt) < 0.5
    middle = np.mean(report['polygon'], axis=0)
    assert abs(report['table_height'] - table_z(*middle)) < 0.002
    assert max(map(abs, report['residuals_mm'])) < 3.0
    assert report['warnings'] == []
    assert report['path'] == str(site / FILE)
    # What driver and window take of it.
    table = load_table(site / FILE)
    gaps = [table.workspace.tool_height - table_z(x, y) for x, y in table.workspace.polygon]
    assert 0.008 < min(gaps) < max(gaps) < 0.017
    assert table.workspace.contains((0.3, 0.1))
    assert not table.workspace.contains(PLACES[0])
    # The arm is held again, as it stands.
    shot = controller.state.snapshot()
    assert (shot.mode, shot.state, shot.error) == (0, 4, 0)
    assert shot.pose_mm[2] == pytest.approx(150, abs=0.5)
    assert controller.state.settings.tcp_offset[2] == pytest.approx(152.4, abs=0.01)


def test_the_driver_moves_over_what_was_calibrated(arm, site, monkeypatch):
    controller, faults = arm
    monkeypatch.setattr('sys.stdin', Person(faults, PLACES))
    assert calibrate(site, *on(controller), '--free') == 0
    driver = make_driver(controller, site / FILE)
    try:
        outcome = driver.request(Request.ENABLE).result(60.0)
        assert (outcome.success, outcome.message) == (True, 'at home')
        height = controller.state.snapshot().pose_mm[2] * 1e-3
        assert height == pytest.approx(load_table(site / FILE).workspace.tool_height, abs=5e-4)
    finally:
        driver.close()


def make_driver(controller: EmulatedController, table: object) -> PlanarDriver:
    config = DriverConfig(
        controller.host,
        controller.port,
        controller.report_ports['normal'] - 1,
        table_file=str(table),
        home_joint_speed=1.0,
        realtime_priority=0,
    )
    return PlanarDriver(config, lambda report: None, lambda error: None)


def twins_table(site: Path) -> Path:
    """The twin's table as a site's."""
    polygon = list(DEFAULT_WORKSPACE.polygon)
    stored = TableCalibration(DEFAULT_WORKSPACE.tool_height, polygon, xarm6.TOOL_LENGTH)
    return save_table(site, stored)


class Leader(Person):
    """Leads the tool of a running driver to places in its plane."""

    def __init__(self, driver: PlanarDriver, controller: EmulatedController, places) -> None:
        self._driver, self._controller, self._places = driver, controller, list(places)
        self._at = np.array(xarm6.HOME_XY)
        self.visited: list[tuple[float, float]] = []

    def _off(self, place: np.ndarray) -> float:
        return math.dist(self._controller.state.snapshot().pose_mm[:2] * 1e-3, place)

    def readline(self) -> str:
        if not self._places:
            return 'd\n'
        place = np.array(self._places.pop(0))
        for _ in range(4):  # each shorter than the gate lets through
            self._driver.submit(Command(Source.TELEOP, (place - self._at) / 4, time.time_ns()))
            time.sleep(0.2)
        self._at = place
        deadline = time.monotonic() + 30
        while self._off(place) > 1e-3 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)
        x, y = self._controller.state.snapshot().pose_mm[:2] * 1e-3
        self.visited.append((float(x), float(y)))
        return '\n'


def test_a_tool_that_is_led_makes_the_workspace_smaller(arm, site, monkeypatch, capsys):
    """Beside the driver, on a connection of its own, while a person leads."""
    controller, _ = arm
    path = twins_table(site)
    driver = make_driver(controller, path)
    places = [(0.22, -0.04), (0.3, -0.04), (0.31, 0.05), (0.22, 0.04)]
    try:
        assert driver.request(Request.ENABLE).result(60.0).success
        leader = Leader(driver, controller, places)
        monkeypatch.setattr('sys.stdin', leader)
        assert calibrate(site, *on(controller), '--led') == 0
        assert driver.phase == 'active'
    finally:
        driver.close()
    assert 'the tool works at z = 30.0 mm, inside' in capsys.readouterr().out
    found = load_table(path).workspace
    assert found.tool_height == DEFAULT_WORKSPACE.tool_height
    assert len(found.polygon) == len(places)
    for place in leader.visited:
        assert min(math.dist(place, corner) for corner in found.polygon) < 1e-3
    assert len(list(path.parent.glob('table-*.yaml'))) == 1


@pytest.mark.parametrize(
    ('x', 'y', 'refusal'),
    [
        (0.56, 0.0, r'at point 2 the tool was \d+ mm outside of the workspace, which nobody'),
        (0.4, 0.33, r'at point 2 the tool was \d+ mm outside of the workspace'),
        (0.503, 0.0, ''),
    ],
)
def test_a_tool_that_is_led_makes_the_workspace_no_larger(site, x, y, refusal):
    stored = dataclasses.replace(
        read_calibration(twins_table(site)),
        date='2025-03-02T09:00:00+00:00',
        polygon=[(0.2, -0.25), (0.5, -0.25), (0.5, 0.25), (0.2, 0.25)],
    )
    height = stored.tool_height
    points = [[0.2, -0.1, height], [x, y, height], [0.2, 0.1, height]]
    if refusal:
        with pytest.raises(IbcError, match=refusal):
            narrow(stored, points, 0.0, xarm6.HOME_XY)
        return
    known = stored.table().workspace
    found = narrow(stored, points, 0.0, xarm6.HOME_XY)
    assert all(known.contains(corner, -1e-9) for corner in found.polygon)
    assert found.date == stored.date  # as old as its height


def noted(folder: Path, points: object) -> Path:
    path = folder / 'points.txt'
    path.write_text(yaml.safe_dump({'points': points}))
    return path


def touched(slope: tuple[float, float] = (0.0, 0.0)) -> list[list[float]]:
    heights = 0.02 + (np.array(PLACES) - (0.4, 0.0)) @ slope
    return np.column_stack([PLACES, heights]).tolist()


THREE = [[0.2, -0.28, 0.02], [0.2, 0.28, 0.02], [0.58, 0.0, 0.02]]
TOO_FAR = [[0.2, -0.28, 0.02], [0.2, 0.28, 0.02], [0.85, 0.0, 0.02]]


def test_points_that_were_noted_need_no_arm(site, capsys):
    assert calibrate(site, '--points', noted(site, touched()), '--inset-mm', 5) == 0
    out = capsys.readouterr().out
    assert 'table at z = 20.0 mm in the middle, tilted by 0.00 degrees: 0.0 mm over' in out
    assert 'the tool works at z = 30.0 mm' in out
    assert out.count('mm from the plane of the others') == 6
    # What was stored can be fitted again.
    assert calibrate(site, '--points', site / FILE) == 0


def test_the_site_says_where_the_tool_waits_and_how_thick_it_is(site, capsys):
    words = ('--home-mm', 300, -50, '--tool-radius-mm', 20)
    assert calibrate(site, '--points', noted(site, touched()), *words) == 0
    assert 'and waits at (0.3000, -0.0500) m' in capsys.readouterr().out
    assert calibrate(site, '--points', site / FILE) == 0  # what was said stays said
    table = load_table(site / FILE)
    assert (table.workspace.home, table.tool_radius) == ((0.3, -0.05), 0.02)
    assert calibrate(site, '--points', site / FILE, '--home-mm', 300, 275) == 1
    assert 'home, (0.3, 0.275) m, is not 10 mm inside' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('points', 'said'),
    [
        (THREE, '3 points always lie in a plane'),
        (touched((0.012, 0.0)), r'rises by 4\.\d mm over the workspace'),
        ([*touched()[:5], [0.3, 0.15, 0.0245]], 'point 6 lies 4.5 mm from the plane of the others'),
    ],
)
def test_what_could_be_better_is_a_warning(site, points, said, capsys):
    assert calibrate(site, '--points', noted(site, points)) == 0
    assert re.search(f'warning: .*{said}', capsys.readouterr().out)


@pytest.mark.parametrize(
    ('points', 'words', 'said'),
    [
        (
            touched((0.03, 0.0)),
            (),
            r'8 mm are possible\. Level the table .*; nothing was',
        ),
        (THREE[:2], (), '2 points: a plane needs 3 or more; nothing was stored'),
        ([[1, 2]], (), r'\[1, 2\] is not 3 numbers'),
        ('none', (), r'points must be \[\[x, y, z\], ...\]'),
        (TOO_FAR, (), 'not within reach: .*; nothing was stored'),
        (touched(), ('--free',), '--free is of an arm that hands move: give --robot-ip'),
        (touched(), ('--led',), '--led is of an arm that a stack moves: give --robot-ip'),
        (touched(), ('--pin-mm', 5), '--pin-mm is of an arm that hands move: give --robot-ip'),
        (touched(), ('--inset-mm', 200), 'nothing of the workspace is 200 mm inside'),
    ],
)
def test_what_is_of_no_use_is_one_line(site, points, words, said, capsys):
    assert calibrate(site, '--points', noted(site, points), *words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(said, line)
    assert not (site / 'calibration').exists()


def test_leading_needs_a_table_that_was_touched(arm, site, capsys):
    controller, _ = arm
    assert calibrate(site, *on(controller), '--led') == 1
    assert 'without --led first' in capsys.readouterr().err
    assert calibrate('/nowhere', *on(controller)) == 1
    assert 'no folder /nowhere: make it' in capsys.readouterr().err


def test_another_tool_is_taken_from_the_sites_file(arm, site, monkeypatch, capsys):
    """A tool that is 20 mm longer, on the same posture, touches a table that is 20 mm lower."""
    controller, faults = arm
    (site / 'driver.yaml').write_text('/**: {ros__parameters: {tool_length: 0.1724}}\n')
    monkeypatch.setattr('sys.stdin', Person(faults, PLACES))
    assert calibrate(site, *on(controller), '--free', '--json') == 0
    report = json.loads(capsys.readouterr().out)
    middle = np.mean(report['polygon'], axis=0)
    assert abs(report['table_height'] - table_z(*middle)) < 0.002
    assert report['tool_length'] == 0.1724
    assert controller.state.settings.tcp_offset[2] == pytest.approx(172.4, abs=0.01)


@pytest.mark.system
@pytest.mark.parametrize('number', SIGNALS)
def test_a_signal_holds_an_arm_that_was_let_go(arm, site, number):
    controller, _ = arm
    boundary = (900, -900, 900, -900, 900, -900)
    controller.state.configure(fence=1, reduced_mode=1, tcp_boundary=boundary)
    words = ('--robot-ip', controller.host, '--control-port', str(controller.port), '--free')
    command = [sys.executable, '-m', 'ibc_bringup.main', 'calibrate', 'table', str(site), *words]
    running = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdin is not None
    running.stdin.write('\n')
    running.stdin.flush()
    assert running.stderr is not None
    said = ''
    while 'Tip of the tool' not in said:
        assert running.poll() is None
        said += running.stderr.read(1)
    assert controller.state.takes(2)
    assert (controller.state.settings.fence, controller.state.settings.reduced_mode) == (0, 0)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode != 0
    assert 'Traceback' not in said
    shot = controller.state.snapshot()
    assert (shot.mode, shot.state) == (0, 4)
    assert (controller.state.settings.fence, controller.state.settings.reduced_mode) == (1, 1)


def test_an_arm_that_is_held_outside_its_fence_is_not_in_error_for_it(arm, site, caplog):
    controller, _ = arm
    hand = HandGuidedArm(controller.host, controller.port)
    hand.connect()
    controller.state.configure(fence=1, reduced_mode=1, tcp_boundary=(900, 500, 9, -9, 900, -900))
    hand.free(DEFAULT_TOOL)
    hand.hold()
    hand.disconnect()
    assert controller.state.snapshot().error == 0
    assert (controller.state.settings.fence, controller.state.settings.reduced_mode) == (0, 1)
    assert 'outside the fence' in caplog.text
