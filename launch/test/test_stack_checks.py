"""What a stack asks before any node runs, since an arm moves as soon as its driver does."""

from pathlib import Path

import pytest
import yaml

from ibc_bringup.checks import ONLY_ROBOT, Finding
from ibc_bringup.ports import free_twin_ports
from ibc_bringup.stack_checks import check_camera, check_model, check_mouse
from ibc_bringup.stacks import find_stack
from ibc_bringup.up import process_group
from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from stack_calls import POSE, ROBOT, TABLE, calls

pytestmark = pytest.mark.usefixtures('empty_folder')


def test_a_window_is_asked_for_before_the_arm_is(monkeypatch):
    stack = find_stack('teleop_record')
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.setattr('ibc_bringup.up.ProcessGroup', None)
    with pytest.raises(IbcError, match='DISPLAY is not set'):
        process_group(stack, stack.values(free_twin_ports()), print, {})
    stack.check(stack.values({'demonstrator': 'true', **free_twin_ports()}))


def test_a_folder_that_cannot_be_recorded_into_is_said_before_anything_starts(monkeypatch):
    monkeypatch.setattr('ibc_bringup.up.ProcessGroup', None)
    stack = find_stack('teleop_record')
    given = {'demonstrator': 'true', 'root': '/proc/x', **free_twin_ports()}
    with pytest.raises(IbcError, match='/proc/x: cannot be recorded into: No such file'):
        process_group(stack, stack.values(given), print, {})


@pytest.mark.parametrize('name', ['teleop_record', 'run_policy', 'replay_bag'])
def test_nothing_moves_over_a_table_that_is_not_known(name, tmp_path, monkeypatch):
    monkeypatch.setattr('ibc_bringup.checks.camera', lambda _: Finding('Camera', 'ok', 'D415'))
    monkeypatch.setattr('ibc_bringup.up.ProcessGroup', None)
    stack = find_stack(name)
    given = {'task': 'push_red', 'model': 'm', 'bag': 'b', 'seed': '0', 'config_dir': str(tmp_path)}
    known = {argument.name for argument in stack.arguments}
    given = {key: value for key, value in given.items() if key in known}
    values = stack.values({**ROBOT, **given})
    with pytest.raises(IbcError, match='ibc calibrate table SITE --robot-ip IP, then config_dir'):
        process_group(stack, values, print, {})


def test_nobody_leads_a_robot_by_an_image_that_is_not_calibrated(tmp_path, monkeypatch):
    monkeypatch.setattr('teleop_mouse.window.check_display', lambda: None)
    monkeypatch.setattr('ibc_bringup.checks.camera', lambda _: Finding('Camera', 'ok', 'D415'))
    monkeypatch.setattr('ibc_bringup.up.ProcessGroup', None)
    stack = find_stack('teleop_record')
    values = stack.values({**ROBOT, 'config_dir': str(tmp_path), 'table': table(tmp_path)})
    with pytest.raises(IbcError, match='ibc calibrate camera SITE, then config_dir:=SITE'):
        process_group(stack, values, print, {})
    watched = calls('run_policy', **ROBOT, model='mine', task='push_red', record='true')
    assert watched['demo_recorder'].parameters['calibration_file'] == ''


def test_a_calibration_is_read_before_the_arm_is_asked(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr('teleop_mouse.window.check_display', lambda: None)
    path = tmp_path / 'camera.yaml'
    values = {'sim': False, 'camera_pose': str(path)}
    with pytest.raises(IbcError, match=r'camera\.yaml.*make it with ibc calibrate camera'):
        check_mouse(values)
    path.write_text(POSE)
    check_mouse(values)
    assert not caplog.messages
    check_mouse({'sim': True})  # the twin's camera never moves


def test_a_camera_is_asked_for_before_the_arm_is(monkeypatch, tmp_path):
    pose = tmp_path / 'pose.yaml'
    pose.write_text(POSE)
    found = Finding('Camera', 'warn', f'no RealSense found; {ONLY_ROBOT}', 'see the guide')
    monkeypatch.setattr('ibc_bringup.checks.camera', lambda _: found)
    monkeypatch.setattr('ibc_bringup.up.ProcessGroup', None)
    stack = find_stack('teleop_record')
    values = stack.values({**ROBOT, 'camera_pose': str(pose), 'table': table(tmp_path)})
    with pytest.raises(IbcError, match=r'camera: no RealSense found \(parameters: .*camera.yaml'):
        process_group(stack, values, print, {})
    found = Finding('Camera', 'ok', 'Intel RealSense D415')
    monkeypatch.setattr('teleop_mouse.window.check_display', lambda: None)
    stack.check(values)


def test_a_camera_that_is_not_the_calibrated_one_is_refused(monkeypatch, tmp_path):
    seen = 'Intel RealSense D415 {} on USB 3.2, 640x360 at 30 Hz'
    path = tmp_path / 'pose.yaml'
    path.write_text(POSE + 'camera: device Intel RealSense D415 12 on USB 2.1\nimage: [640, 360]\n')
    values = {'sim': False, 'config_dir': '', 'camera_pose': str(path)}
    for serial in ('12', '13'):
        found = Finding('Camera', 'ok', seen.format(serial))
        monkeypatch.setattr('ibc_bringup.checks.camera', lambda _, found=found: found)
        if serial == '12':
            check_camera(values)
    with pytest.raises(
        IbcError, match=r'is of Intel RealSense D415 12, and this is .* D415 13: plug'
    ):
        check_camera(values)


def test_the_sites_own_choice_of_a_camera_is_asked_for(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(
        'ibc_bringup.checks.camera', lambda p: asked.append(p) or Finding('Camera', 'ok', 'D415')
    )
    values = {'sim': True, 'config_dir': str(tmp_path)}
    check_camera(values)
    assert not asked  # the twin needs none
    camera_yaml = tmp_path / 'camera.yaml'
    camera_yaml.write_text(
        '/**: {ros__parameters: {serial: _12, width: 424}}\n'
        '/lab/realsense_capture: {ros__parameters: {width: 640}}\n'
        'teleop_mouse: {ros__parameters: {scale: 3.0}}\n'
    )
    check_camera({**values, 'sim': False})
    assert asked == [{'serial': '_12', 'width': 640}]
    for nonsense in ('', '- 1', '/**: {serial: 1}', '{'):
        camera_yaml.write_text(nonsense)
        with pytest.raises(IbcError, match=r'camera\.yaml is no ROS parameter file'):
            check_camera({**values, 'sim': False})


def test_a_model_that_sees_what_only_the_twin_knows_is_refused_on_the_robot(monkeypatch, tmp_path):
    monkeypatch.setattr('ibc_bringup.checks.camera', lambda _: Finding('Camera', 'ok', 'D415'))
    monkeypatch.setattr('ibc_bringup.bundles.find_bundle', Path)
    monkeypatch.setattr('ibc_bringup.bundles.check_bundle', lambda _: load_contract('planar_state'))
    stack = find_stack('run_policy')
    given = {'model': 'mine', 'task': 'push_red', **ROBOT, 'table': table(tmp_path)}
    with pytest.raises(IbcError, match=r'poses of the objects \(planar_state\)'):
        stack.check(stack.values(given))


def test_a_task_that_the_model_was_not_trained_for_is_said(caplog):
    values = {'model': 'push_red_then_green', 'task': 'push_red_then_green', 'sim': True}
    check_model(values)
    assert not caplog.messages
    check_model({**values, 'task': 'push_red'})
    assert 'was trained for push_red_then_green, not for push_red' in caplog.text


def test_a_model_of_another_contract_is_refused_before_the_arm_moves(tmp_path, monkeypatch):
    here, there = load_contract('planar_rgb'), load_contract('planar_state').to_dict()
    description = {
        **{field: {} for field in ('network', 'scaling', 'provenance')},
        'format': 2, 'method': {'kind': 'derivative_free'}, 'tasks': ['push_red'],
        'contract': {**there, 'name': 'planar_rgb'}, 'contract_hash': 'of another',
    }  # fmt: skip
    (tmp_path / 'policy.yaml').write_text(yaml.safe_dump(description))
    stack = find_stack('run_policy')
    values = stack.values({'model': str(tmp_path), **free_twin_ports()})
    with pytest.raises(IbcError, match=here.hash):
        stack.check(values)


def table(folder):
    path = folder / 'table.txt'
    path.write_text(TABLE)
    return str(path)
