"""The shipped values for the first motions of a real arm, with the real SDK and an emulated one."""

import math
import subprocess
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ibc_bringup.parameter_files import config_files, config_path, node_parameters
from ibc_bringup.stacks import find_stack
from planar_arm import xarm6
from planar_arm.safety import load_safety_limits
from teleop_mouse.config import TeleopConfig
from xarm_planar_driver.arbitration import Command, Source
from xarm_planar_driver.config import DriverConfig
from xarm_planar_driver.driver import PlanarDriver
from xarm_planar_driver.phases import Request
from xarm_planar_driver.servo_loop import TickReport
from xarm_twin.controller import EmulatedController, LagPlant

SITE = config_path('driver.yaml').parent / 'tenth_speed'
SHARE = 0.1


@pytest.fixture
def parameters() -> dict[str, object]:
    """The driver's, with the limits where they lie before the folder is copied."""
    found = node_parameters(SITE / 'driver.yaml', 'xarm_planar_driver')
    limits = Path(str(found['safety_limits']))
    assert limits.parts[0] == 'site'
    return {**found, 'safety_limits': str(SITE.joinpath(*limits.parts[1:]))}


def test_stacks_take_the_folder():
    stack = find_stack('teleop_record')
    values = stack.values({'config_dir': str(SITE)})
    files = {call.process.name: call.config_file for call in stack.calls(values)}
    assert files['xarm_planar_driver'] == SITE / 'driver.yaml'
    assert files['teleop_mouse'] == SITE / 'teleop.yaml'


def test_what_the_guides_copy_leaves_the_first_day_slow(tmp_path):
    """Step 7 of the first day, then the calibration of the table that it sends to."""
    root = SITE.parents[2]
    (tmp_path / 'launch').mkdir()
    (tmp_path / 'launch' / 'config').symlink_to(SITE.parent)
    for guide, heading in (('first_real_robot', '## 7 '), ('calibration', '## Table')):
        chapter = (root / 'docs' / f'{guide}.md').read_text().split(heading, 1)[1]
        lines = chapter.split('```bash\n', 1)[1].split('```', 1)[0].splitlines()
        script = '\n'.join(line for line in lines if not line.startswith('ibc '))
        subprocess.run(['bash', '-e', '-c', script], cwd=tmp_path, check=True)
    copied = (tmp_path / 'site' / 'driver.yaml').read_text()
    assert copied == (SITE / 'driver.yaml').read_text()


def test_speeds_are_a_tenth_of_ours(parameters):
    ours = load_safety_limits()
    theirs = load_safety_limits(str(parameters['safety_limits']))
    assert theirs.max_tcp_speed == pytest.approx(SHARE * ours.max_tcp_speed)
    assert theirs.max_joint_speed == pytest.approx(SHARE * ours.max_joint_speed)
    assert theirs.max_lead == pytest.approx(SHARE * ours.max_lead)
    usual = node_parameters(config_files()['driver'], 'xarm_planar_driver')
    assert parameters['home_speed'] == pytest.approx(SHARE * float(str(usual['home_speed'])))
    mouse = TeleopConfig(**node_parameters(SITE / 'teleop.yaml', 'teleop_mouse'))
    assert mouse.max_speed == pytest.approx(SHARE * TeleopConfig().max_speed)


def test_the_arm_never_goes_faster(parameters):
    """From beside its plane home, then after commands that ask for more."""
    reports: list[TickReport] = []
    off_plane = xarm6.HOME_Q + np.array([0.02, -0.02, -0.01, 0.0, 0.01, 0.0])
    with EmulatedController(LagPlant(off_plane)) as controller:
        config = DriverConfig(
            **{**parameters, 'home_joint_speed': 1.0},
            robot_ip='127.0.0.1',
            control_port=controller.port,
            report_port_base=controller.report_ports['normal'] - 1,
            table_file='twin',
        )
        driver = PlanarDriver(config, reports.append, lambda error: None)
        try:
            outcome = driver.request(Request.ENABLE).result(60.0)
            assert (outcome.success, outcome.message) == (True, 'at home')
            for _ in range(10):
                driver.submit(Command(Source.TELEOP, np.array((0.05, 0.0)), time.time_ns()))
                time.sleep(0.05)
            pushed = reports[-1].setpoint_xy
            time.sleep(1.0)
            rested = reports[-1].setpoint_xy
        finally:
            driver.close()
    limits = load_safety_limits(str(parameters['safety_limits']))
    setpoints = [r.setpoint_xy for r in reports if r.setpoint_xy is not None]
    farthest = max(math.dist(a, b) for a, b in pairwise(setpoints))
    assert 0.9 * limits.max_tcp_speed < farthest / config.period < 1.001 * limits.max_tcp_speed
    assert pushed is not None
    assert rested is not None
    assert 0.0 < math.dist(pushed, rested) < 2 * limits.max_lead  # a busy machine: told late
    # Means over a quarter of a second, for readings jitter.
    measured = np.array([report.q for report in reports])[::25]
    stamps = np.array([report.measured_ns for report in reports])[::25] * 1e-9
    spans = np.maximum(np.diff(stamps), 0.2)
    speeds = np.abs(np.diff(measured, axis=0)).max(axis=1) / spans
    assert 0.02 < speeds.max() < 1.5 * limits.max_joint_speed
