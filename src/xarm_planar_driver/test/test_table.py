"""The site's table and tool: without a table the arm is looked at, with one it moves there."""

import math
import time

import pytest
from rclpy.lifecycle import TransitionCallbackReturn

from ibc_contract import topics
from ibc_contract.errors import IbcError
from planar_arm import xarm6
from planar_arm.table import TableCalibration, save_table
from waiting import wait_for
from xarm_planar_driver.errors import ArmError
from xarm_planar_driver.phases import Request
from xarm_twin.controller import EmulatedController, Identity, LagPlant

TOOL_LENGTH, TOOL_HEIGHT = 0.14, 0.035
HOME = (0.3, 0.02)
POLYGON = [(0.22, -0.1), (0.5, -0.15), (0.52, 0.2), (0.21, 0.12)]


def save(folder, **changes):
    values = {'tool_height': TOOL_HEIGHT, 'polygon': POLYGON, 'tool_length': TOOL_LENGTH, **changes}
    return str(save_table(folder, TableCalibration(**values)))


def test_an_arm_whose_table_is_not_known_is_looked_at_and_never_enabled(make_stage, emulator):
    stage = make_stage(autostart=False, table_file='')
    assert stage.driver.trigger_configure() == TransitionCallbackReturn.SUCCESS
    assert stage.until(lambda: topics.TCP_POSE in stage.operator.newest)
    assert stage.driver.trigger_activate() != TransitionCallbackReturn.SUCCESS
    # Nor by the way round a stop, which activates an arm that only a reset enables.
    assert stage.call(topics.ARM_STOP).success
    assert stage.driver.trigger_activate() != TransitionCallbackReturn.SUCCESS
    refused = stage.call(topics.ARM_RESET)
    assert (refused.success, refused.message) == (False, 'not active: activate the driver first')
    assert emulator.state.snapshot().enabled == 0


def test_a_driver_that_starts_by_itself_ends_with_what_to_run(make_stage, emulator):
    stage = make_stage(table_file='')
    with pytest.raises(
        IbcError, match=r'stays disabled .*: ibc calibrate table SITE --robot-ip IP'
    ):
        stage.ready()
    assert emulator.state.snapshot().enabled == 0


def test_the_tool_moves_over_the_sites_table(connect, emulator, tmp_path):
    path = save(tmp_path, home=HOME)
    under_test = connect(emulator, table_file=path, tool_length=TOOL_LENGTH, tool_mass=0.25)
    driver = under_test.driver
    assert driver.request(Request.ENABLE).result(60.0).success
    settings = emulator.state.settings
    assert settings.tcp_offset[2] == pytest.approx(1e3 * TOOL_LENGTH, abs=1e-3)
    assert settings.tcp_load[0] == pytest.approx(0.25)
    assert settings.tcp_load[3] == pytest.approx(1e3 * TOOL_LENGTH / 2)
    assert math.dist(tool_end(emulator), (*HOME, TOOL_HEIGHT)) < 1e-3
    assert under_test.newest.tool_height == TOOL_HEIGHT
    for _ in range(60):  # far beyond the corner
        under_test.move(0.02, -0.015)
        time.sleep(0.05)
    assert wait_for(lambda: math.dist(tool_end(emulator), (*POLYGON[1], TOOL_HEIGHT)) < 1e-3)


def tool_end(emulator):
    """Where the emulated controller says that the tool's end is, (3,) [m]."""
    return emulator.state.snapshot().pose_mm[:3] * 1e-3


@pytest.mark.parametrize(
    ('changes', 'settings', 'said'),
    [
        ({}, {'tool_length': 0.1524}, 'a tool of 140.0 mm, and tool_length is 152.4 mm'),
        ({'polygon': POLYGON[:2]}, {}, 'needs at least 3 corners'),
    ],
)
def test_a_table_that_does_not_fit_is_refused(emulator, connect, tmp_path, changes, settings, said):
    path = save(tmp_path, **changes)
    with pytest.raises(ArmError, match=said):
        connect(emulator, **{'table_file': path, 'tool_length': TOOL_LENGTH, **settings})


def test_a_real_arm_does_not_move_over_the_twins_table(connect):
    real = Identity(serial='04B3A201')
    with EmulatedController(LagPlant(xarm6.HOME_Q), identity=real) as arm:
        with pytest.raises(ArmError, match=r'\(XI130204B3A201\) is none: ibc calibrate table'):
            connect(arm, table_file='twin')
        assert arm.state.snapshot().enabled == 0


def test_an_old_table_is_warned_of(connect, emulator, tmp_path, caplog):
    connect(emulator, table_file=save(tmp_path, date='2020-01-01'), tool_length=TOOL_LENGTH)
    assert 'days old: if table, robot or tool was changed, ibc calibrate table' in caplog.text
    caplog.clear()
    path = save(tmp_path / 'new', date='2020-01-01')
    connect(emulator, table_file=path, tool_length=TOOL_LENGTH, table_max_age=3650.0)
    assert 'days old' not in caplog.text
