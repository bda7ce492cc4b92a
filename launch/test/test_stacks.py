import dataclasses
import importlib
import importlib.util
import shlex
from pathlib import Path
from types import SimpleNamespace

import annotated_types
import pytest
import yaml

from ibc_bringup.checks import ONLY_ROBOT, Finding
from ibc_bringup.latency_file import FILE, LatencyCalibration, save_latency
from ibc_bringup.parameter_files import config_path
from ibc_bringup.ports import free_twin_ports
from ibc_bringup.stack import From
from ibc_bringup.stack_checks import check_camera, check_model, check_mouse, check_table
from ibc_bringup.stacks import STACKS, find_stack
from ibc_bringup.up import process_group
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import EpisodeWriter
from ibc_contract.errors import IbcError
from planar_arm.table import TWIN_TABLE
from planar_arm.tool import DEFAULT_TOOL
from xarm_planar_driver.config import DriverConfig
from xarm_twin.tasks import DEMONSTRATION_SEED, RECORDING_SEED


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def calls(stack, **given):
    stack = find_stack(stack)
    return {call.process.name: call for call in stack.calls(stack.values(given))}


def test_the_twin_replaces_arm_and_camera():
    in_twin = calls('teleop_record')
    assert set(in_twin) == {
        'xarm_twin', 'realsense_capture', 'xarm_planar_driver', 'demo_recorder', 'teleop_mouse',
    }  # fmt: skip
    assert in_twin['xarm_planar_driver'].parameters['robot_ip'] == '127.0.0.1'
    assert in_twin['realsense_capture'].parameters['source'] == 'twin'
    robot = {'sim': 'false', 'robot_ip': '10.0.0.5'}
    on_robot = calls('teleop_record', **robot, camera_pose='mine.yaml', table='table.yaml')
    assert set(on_robot) == set(in_twin) - {'xarm_twin'}
    assert on_robot['xarm_planar_driver'].parameters['robot_ip'] == '10.0.0.5'
    assert 'control_port' not in on_robot['xarm_planar_driver'].parameters
    assert on_robot['xarm_planar_driver'].parameters['table_file'] == 'table.yaml'
    camera = on_robot['realsense_capture'].parameters
    assert camera == {'source': 'device', 'reference_image': ''}
    assert on_robot['teleop_mouse'].parameters == {
        'camera_pose_file': 'mine.yaml', 'table_file': 'table.yaml',
    }  # fmt: skip
    assert in_twin['teleop_mouse'].parameters == {}
    # Whatever a site has, the twin has its own tool and table.
    twins = DriverConfig(**in_twin['xarm_planar_driver'].parameters)
    assert twins.tool == DEFAULT_TOOL
    assert twins.table() is TWIN_TABLE


def test_twin_and_driver_meet_at_the_same_ports():
    found = calls('teleop_record', control_port='1234', report_port_base='2000')
    assert found['xarm_twin'].parameters['control_port'] == 1234
    assert found['xarm_planar_driver'].parameters['control_port'] == 1234
    assert found['xarm_twin'].parameters['report_port_base'] == 2000
    assert found['xarm_planar_driver'].parameters['report_port_base'] == 2000


def test_on_the_robot_a_person_lets_the_policy_act(monkeypatch):
    monkeypatch.setattr('ibc_bringup.bundles.read_card', lambda _: SimpleNamespace(task='push_red'))

    def enabled(**given):
        return calls('run_policy', model='mine', **given)['ibc_policy'].parameters['enabled']

    assert enabled() is True
    assert enabled(enabled='false') is False
    robot = {'sim': 'false', 'robot_ip': '10.0.0.5'}
    assert enabled(**robot) is False
    assert enabled(**robot, enabled='true') is True


@pytest.mark.parametrize('given', [{}, {'autostart': 'false'}])
def test_driver_and_policy_can_be_left_to_a_lifecycle_manager(given):
    found = calls('run_policy', model='mine', task='push_red', **given)
    managed = [found[name].parameters['autostart'] for name in ('xarm_planar_driver', 'ibc_policy')]
    assert managed == [not given, not given]


def record(root, seed):
    info = new_episode_info('push_red', load_contract(), 'ros', 1_700_000_000_000_000_000)
    return EpisodeWriter(root, dataclasses.replace(info, seed=seed))


def test_no_layout_is_recorded_twice_nor_one_that_evaluations_or_generated_bags_show(tmp_path):
    def seed(stack='teleop_record', **given):
        return calls(stack, task='push_red', **given)['xarm_twin'].parameters['seed']

    root = tmp_path / 'bags'
    assert seed(root=str(root)) == RECORDING_SEED > DEMONSTRATION_SEED + 100_000
    record(root / 'generated', DEMONSTRATION_SEED + 99).close()
    record(root, RECORDING_SEED + 4).close()
    record(root, None).close()
    assert seed(root=str(root)) == RECORDING_SEED + 5
    record(root, RECORDING_SEED + 5).discard()
    broken = record(root, RECORDING_SEED + 6).close()
    (broken / 'metadata.yaml').write_text('{')
    assert seed(root=str(root)) == RECORDING_SEED + 6
    assert seed(root=str(root), seed='3') == 3
    # What a person corrects is recorded to be trained on; trials are an evaluation.
    policy = {'stack': 'run_policy', 'model': 'm'}
    assert seed(**policy) == 0
    assert seed(**policy, record='true', root=str(root)) == RECORDING_SEED + 6
    assert seed(**policy, record='true', root=str(root), trials='2') == 0


def test_the_demonstrator_takes_the_place_of_the_mouse():
    found = calls('teleop_record', demonstrator='true', episodes='2')
    assert 'teleop_mouse' not in found
    assert found['demonstrator'].parameters['episodes'] == 2
    assert found['demonstrator'].process.ends_stack


@pytest.mark.parametrize(
    ('stack', 'given', 'expected'),
    [
        ('teleop_record', {'sim': 'false'}, 'needs robot_ip:=VALUE'),
        ('teleop_record', {'task': 'juggle'}, 'choose from push_red'),
        ('teleop_record', {'demonstrator': 'true', 'sim': 'false', 'robot_ip': 'x'}, 'sim:=true'),
        ('replay_bag', {}, 'needs bag:=VALUE'),
        ('replay_bag', {'bag': '/nowhere'}, '/nowhere'),
        ('run_policy', {}, 'needs model:=VALUE'),
        ('run_policy', {'model': 'nobody'}, 'nobody'),
        ('dance', {}, 'known: teleop_record, run_policy, replay_bag'),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(stack, given, expected):
    with pytest.raises(IbcError, match=expected):
        calls(stack, **given)


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


def test_a_killed_recorder_leaves_something_to_repair():
    recorder = calls('teleop_record', root='bags/mine')['demo_recorder']
    assert '`ibc bags repair bags/mine`' in recorder.if_killed


ROBOT = {'sim': 'false', 'robot_ip': '10.0.0.5'}
POSE = 'position: [0.7, 0, 0.5]\nlook_at: [0.4, 0, 0]\n'


TABLE = 'tool_height: 0.04\npolygon: [[0.2, -0.2], [0.5, 0.0], [0.2, 0.2]]\ntool_length: 0.1524\n'


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


def table(folder):
    path = folder / 'table.txt'
    path.write_text(TABLE)
    return str(path)


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
    lags = dict.fromkeys(('arm_s', 'camera_s', 'arrival_s', 'loop_s'), 0.05)
    found = LatencyCalibration(setpoint_s=0.013, **lags, spread_s={}, steps=20, step_mm=20, date='')
    save_latency(tmp_path, found)
    assert latency() == 0.013
    assert latency(command_latency='0.05') == 0.05
    (tmp_path / FILE).write_text('setpoint_s: soon')
    with pytest.raises(IbcError, match=r'latency\.yaml: setpoint_s'):
        latency()


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


@pytest.mark.parametrize(
    ('name', 'given', 'needed'),
    [
        ('run_policy', {'model': 'm', 'seconds': '20'}, 'seconds:=20.0 .* trials:=N'),
        ('run_policy', {'model': 'm', 'video': 'a.mp4'}, 'video:=a.mp4 .* trials:=N'),
        ('run_policy', {'model': 'm', 'operator': 'Ada'}, 'operator:=Ada .* without record:=true'),
        (
            'run_policy',
            {'model': 'm', **ROBOT, 'root': 'r'},
            'root:=r .* without record:=true',
        ),
        ('teleop_record', {'noise': '0.5'}, 'noise:=0.5 .* demonstrator:=true'),
        ('teleop_record', {'multimodal': 'true'}, 'multimodal:=true .* demonstrator:=true'),
        ('teleop_record', {'robot_ip': '10.0.0.5'}, 'robot_ip:=10.0.0.5 .* sim:=false'),
        (
            'teleop_record',
            {'sim': 'false', 'robot_ip': '10.0.0.5', 'renderer': 'egl'},
            'renderer:=egl .* sim:=true',
        ),
    ],
)
def test_what_no_node_would_get_is_refused(name, given, needed):
    stack = find_stack(name)
    values = stack.values({'task': 'push_red', **given})
    with pytest.raises(IbcError, match=needed):
        stack.calls(values)


def test_what_a_node_gets_is_not_refused():
    stack = find_stack('run_policy')
    given = {'model': 'm', 'task': 'push_red', 'trials': '2', 'video': 'a.mp4', 'record': 'true'}
    trials = next(
        call for call in stack.calls(stack.values(given)) if call.process.name == 'trials'
    )
    assert trials.parameters['video'] == 'a.mp4'
    assert trials.parameters['episodes'] == 2


@pytest.mark.parametrize('where', [{}, {**ROBOT, 'camera_pose': 'mine.yaml'}])
def test_a_person_can_take_over_and_record_it(where):
    given = {'model': 'm', 'task': 'push_red', 'teleop': 'true', 'record': 'true'}
    found = calls('run_policy', **given, root='bags/b', **where)
    assert found['demo_recorder'].parameters['root'] == 'bags/b'
    assert 'teleop_mouse' in found
    assert 'trials' not in found


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


ALL = '/**: {ros__parameters: {%s}}'


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('a: [', r'driver\.yaml is no ROS parameter file: while parsing'),
        ('drivr: {ros__parameters: {}}', 'says nothing to xarm_planar_driver, only to drivr'),
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


def test_strings_keep_their_type_on_the_command_line():
    command = calls('teleop_record', operator='007')['demo_recorder'].command()
    assert 'operator:="007"' in command
    assert '-p' in command
    assert shlex.join(command).count('--ros-args') == 1


def test_every_node_has_an_enclave_of_its_own():
    found = calls('teleop_record')
    assert {call.enclave for call in found.values()} == {f'/{name}' for name in found}
    driver = calls('teleop_record', namespace='left')['xarm_planar_driver']
    assert driver.enclave == '/left/xarm_planar_driver'
    assert shlex.join(driver.command()).count('--enclave /left/xarm_planar_driver') == 1


def test_every_module_and_parameter_file_exists():
    for stack in STACKS.values():
        for process in stack.processes:
            assert importlib.util.find_spec(process.module) is not None, process.module
            if process.config:
                assert config_path(f'{process.config}.yaml').is_file()


@pytest.mark.parametrize(
    'process',
    {p.name: p for s in STACKS.values() for p in s.processes}.values(),
    ids=lambda p: p.name,
)
def test_nodes_know_the_parameters_that_they_get(process):
    """ROS ignores a parameter that no node declares, so a wrong name would go unnoticed."""
    known = fields_of(process).keys()
    given = {*process.parameters, *process.sim_parameters, *process.robot_parameters}
    if process.config:
        text = config_path(f'{process.config}.yaml').read_text()
        given |= set(yaml.safe_load(text)['/**']['ros__parameters'])
    assert given <= known


@pytest.mark.parametrize('stack', STACKS.values(), ids=lambda stack: stack.name)
def test_a_number_that_a_node_would_refuse_is_refused_before_it_starts(stack):
    arguments = {argument.name: argument for argument in stack.arguments}
    for process in stack.processes:
        fields = fields_of(process)
        for name, value in {**process.parameters, **process.sim_parameters}.items():
            argument = arguments[value.argument] if isinstance(value, From) else None
            if argument is None or argument.kind not in (int, float):
                continue
            low, high = argument.span
            # 0 trials are none: the node does not start.
            low = max(low, 1) if argument.name == 'trials' else low
            rules = fields[name].__metadata__[0].metadata
            assert low >= next(rule.ge for rule in rules if isinstance(rule, annotated_types.Ge))
            assert high <= next(rule.le for rule in rules if isinstance(rule, annotated_types.Le))


def fields_of(process):
    found = {}
    for path in process.config_types:
        module, name = path.split(':')
        config = getattr(importlib.import_module(module), name)
        found |= {field.name: field.type for field in dataclasses.fields(config)}
    return found


def test_namespace_reaches_every_node():
    for call in calls('teleop_record', namespace='left').values():
        assert '__ns:=/left' in call.command()
