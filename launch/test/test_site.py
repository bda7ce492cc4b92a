"""What a stack takes from the folder of a site."""

import datetime
import re
from dataclasses import replace

import pytest

from ibc_bringup.latency_file import FILE, LatencyCalibration, save_latency
from ibc_bringup.parameter_files import config_path
from ibc_bringup.ports import free_twin_ports
from ibc_bringup.stack_checks import check_table
from ibc_bringup.stacks import find_stack
from ibc_bringup.up import process_group
from ibc_contract.errors import IbcError
from stack_calls import POSE, ROBOT, TABLE, calls

pytestmark = pytest.mark.usefixtures('empty_folder')

LAGS = dict.fromkeys(('arm_s', 'camera_s', 'arrival_s', 'loop_s'), 0.05)
LATENCY = LatencyCalibration(setpoint_s=0.013, **LAGS, spread_s={}, steps=20, step_mm=20, date='')
ALL = '/**: {ros__parameters: {%s}}'


def test_the_sites_table_is_taken_and_read_before_the_arm_is_asked(tmp_path):
    def table_file(**given):
        found = calls('teleop_record', **ROBOT, config_dir=str(tmp_path), **given)
        path = found['xarm_planar_driver'].parameters['table_file']
        assert found['teleop_mouse'].parameters['table_file'] == path
        return path

    stored = tmp_path / 'calibration' / 'table.yaml'
    stored.parent.mkdir()
    stored.write_text(TABLE)
    assert table_file() == str(stored)
    assert table_file(table='other.yaml') == 'other.yaml'
    values = {'sim': False, 'config_dir': str(tmp_path), 'table': str(stored)}
    check_table(values)
    driver = tmp_path / 'driver.yaml'
    driver.write_text('/**: {ros__parameters: {tool_length: 0.2, table_file: hand.yaml}}\n')
    with pytest.raises(IbcError, match=r'a tool of 152\.4 mm, and tool_length is 200\.0 mm'):
        check_table(values)
    stored.write_text('polygon: 3')
    with pytest.raises(IbcError, match=r'table\.yaml: .*ibc calibrate table SITE'):
        check_table(values)
    stored.unlink()
    assert table_file() == 'hand.yaml'
    check_table({**values, 'sim': True})
    with pytest.raises(IbcError, match="the twin's, and nobody knows where a robot's is"):
        check_table({**values, 'table': 'twin'})


def test_the_sites_calibration_is_taken(tmp_path, monkeypatch):
    stored = tmp_path / 'calibration' / 'camera.yaml'
    stored.parent.mkdir()
    stored.write_text(POSE)
    by_hand = tmp_path / 'teleop.yaml'
    by_hand.write_text('/**: {ros__parameters: {camera_pose_file: hand.yaml}}\n')

    def pose_file(**given):
        found = calls('teleop_record', **ROBOT, config_dir=str(tmp_path), **given)
        pose = found['teleop_mouse'].parameters['camera_pose_file']
        assert found['demo_recorder'].parameters['calibration_file'] == pose  # goes into the bags
        return pose

    assert pose_file() == str(stored)
    picture = stored.with_suffix('.jpg')
    picture.touch()
    for stack, given in (('teleop_record', {}), ('run_policy', {'model': 'm', 'task': 'push_red'})):
        camera = calls(stack, **ROBOT, **given, config_dir=str(tmp_path))['realsense_capture']
        assert camera.parameters['reference_image'] == str(picture)
    assert pose_file(camera_pose='other.yaml') == 'other.yaml'
    stored.unlink()
    assert pose_file() == 'hand.yaml'


def test_the_policy_gets_the_latency_of_the_site(tmp_path):
    def latency(**given):
        found = calls('run_policy', model='m', task='push_red', config_dir=str(tmp_path), **given)
        return found['ibc_policy'].parameters['command_latency']

    assert latency() == 0.0
    own = 'ibc_policy: {ros__parameters: {command_latency: 0.02}}\n'
    (tmp_path / 'policy.yaml').write_text(own)
    assert latency() == 0.02
    save_latency(tmp_path, LATENCY)
    assert latency() == 0.013
    assert latency(command_latency='0.05') == 0.05
    (tmp_path / FILE).write_text('setpoint_s: soon')
    with pytest.raises(IbcError, match=r'latency\.yaml: setpoint_s'):
        latency()


@pytest.mark.parametrize(('age_days', 'warned'), [(89, []), (91, ['91 days old'])])
def test_an_old_latency_is_warned_of(tmp_path, caplog, age_days, warned):
    made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age_days)
    save_latency(tmp_path, replace(LATENCY, date=made.isoformat()))
    calls('run_policy', model='m', task='push_red', config_dir=str(tmp_path))
    said = [record.getMessage() for record in caplog.records]
    assert [re.findall(r'\d+ days old', line) for line in said] == [warned] * len(warned)
    assert all(line.endswith('ibc calibrate latency again') for line in said)


def test_files_of_a_site_replace_ours_by_name(tmp_path):
    (tmp_path / 'driver.yaml').write_text('/**: {ros__parameters: {rate_hz: 125.0}}\n')
    found = calls('teleop_record', config_dir=str(tmp_path))
    assert found['xarm_planar_driver'].config_file == tmp_path / 'driver.yaml'
    assert str(tmp_path / 'driver.yaml') in found['xarm_planar_driver'].command()
    assert found['realsense_capture'].config_file == config_path('camera.yaml')
    (tmp_path / 'drivr.yaml').touch()
    with pytest.raises(IbcError, match=r'no node reads drivr\.yaml; known: camera\.yaml, driver'):
        calls('teleop_record', config_dir=str(tmp_path))
    with pytest.raises(IbcError, match='config_dir:=/nowhere: there is no such folder'):
        calls('teleop_record', config_dir='/nowhere')


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('a: [', r'driver\.yaml is no ROS parameter file: line 1: expected'),
        (
            ALL % 'rate_hz: 100.0, rate_hz: 50.0',
            r'driver\.yaml is no ROS parameter file: line \d: rate_hz is there twice',
        ),
        ('drivr: {ros__parameters: {rate_hz: 9.0}}', 'to /xarm_planar_driver, only to /drivr'),
        ('/lab/xarm_planar_driver: {ros__parameters: {rate_hz: 9.0}}', 'only to /lab/xarm_plan'),
        ('/**:\n  ros__parameters:\n', 'ros__parameters: holds no values'),
        (ALL % 'saftey_limits: mine.yaml', "has no parameter 'saftey_limits'; known: robot_ip"),
        (ALL % 'rate_hz: 1000', 'rate_hz is 1000: Input should be less than or equal to 200'),
        (ALL % 'rate_hz: fast', "rate_hz is 'fast': Input should be a valid number"),
        (ALL % 'control_port: "502"', "control_port is '502': Input should be a valid integer"),
    ],
)
def test_a_sites_file_is_read_before_anything_starts(tmp_path, monkeypatch, text, said):
    monkeypatch.setattr('ibc_bringup.up.ProcessGroup', None)
    (tmp_path / 'driver.yaml').write_text(text)
    stack = find_stack('teleop_record')
    given = {'demonstrator': 'true', 'config_dir': str(tmp_path), **free_twin_ports()}
    with pytest.raises(IbcError, match=said) as error:
        process_group(stack, stack.values(given), print, {})
    assert '\n' not in str(error.value)


def test_a_sites_file_may_speak_of_other_nodes_and_of_what_every_node_has(tmp_path):
    (tmp_path / 'driver.yaml').write_text(
        '/**: {ros__parameters: {use_sim_time: false, rate_hz: 125}}\n'
        '/left/xarm_planar_driver: {ros__parameters: {collision_sensitivity: 5}}\n'
        'teleop_mouse: {ros__parameters: {max_speed: 0.2}}\n'
    )
    stack = find_stack('teleop_record')
    given = {'demonstrator': 'true', 'config_dir': str(tmp_path), **free_twin_ports()}
    stack.check(stack.values(given))
