"""Which nodes a stack starts, and with which parameters."""

import dataclasses
import importlib
import importlib.util
import shlex
from types import SimpleNamespace

import annotated_types
import pytest
import yaml

from ibc_bringup.parameter_files import config_path
from ibc_bringup.stack import From
from ibc_bringup.stacks import STACKS, find_stack
from ibc_contract import topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import EpisodeWriter
from ibc_contract.errors import IbcError
from planar_arm.table import TWIN_TABLE
from planar_arm.tool import DEFAULT_TOOL
from stack_calls import ROBOT, calls
from xarm_planar_driver.config import DriverConfig
from xarm_twin.tasks import DEMONSTRATION_SEED, RECORDING_SEED

pytestmark = pytest.mark.usefixtures('empty_folder')

every_process = pytest.mark.parametrize(
    'process',
    {p.name: p for s in STACKS.values() for p in s.processes}.values(),
    ids=lambda p: p.name,
)


def test_the_twin_replaces_arm_and_camera():
    in_twin = calls('teleop_record')
    assert set(in_twin) == {
        'xarm_twin', 'realsense_capture', 'xarm_planar_driver', 'bringup', 'demo_recorder',
        'teleop_mouse',
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
    assert camera == {
        'source': 'device',
        'reference_image': '',
        'calibration_file': 'mine.yaml',
    }
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
    assert enabled(trials='3') is False  # each of them enables it
    assert enabled(trials='3', enabled='true') is True
    robot = {'sim': 'false', 'robot_ip': '10.0.0.5'}
    assert enabled(**robot) is False
    assert enabled(**robot, enabled='true') is True


def test_the_lifecycle_nodes_are_brought_up_in_order_before_anybody_uses_the_arm():
    found = calls('run_policy', model='mine', task='push_red', trials='2')
    assert found['bringup'].parameters == {
        'nodes': 'xarm_planar_driver ibc_policy',
        'pictures': topics.CAMERA_COMPRESSED,
    }
    assert found['trials'].follows == 'bringup'
    for name in ('xarm_planar_driver', 'ibc_policy'):
        assert found[name].parameters['autostart'] is False
    replay = calls('replay_bag', task='push_red', bag='b', seed='0')
    assert replay['bringup'].parameters == {'nodes': 'xarm_planar_driver', 'pictures': ''}


def test_driver_and_policy_can_be_left_to_a_lifecycle_manager():
    found = calls('run_policy', model='m', task='push_red', trials='2', autostart='false')
    assert 'bringup' not in found
    assert found['trials'].follows == ''
    assert found['xarm_planar_driver'].parameters['autostart'] is False


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


def test_a_killed_recorder_leaves_something_to_repair():
    recorder = calls('teleop_record', root='bags/mine')['demo_recorder']
    assert '`ibc bags repair bags/mine`' in recorder.if_killed


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


@every_process
def test_nodes_know_the_parameters_that_they_get(process):
    """ROS ignores a parameter that no node declares, so a wrong name would go unnoticed."""
    known = fields_of(process).keys()
    given = {*process.parameters, *process.sim_parameters, *process.robot_parameters}
    if process.config:
        text = config_path(f'{process.config}.yaml').read_text()
        given |= set(yaml.safe_load(text)['/**']['ros__parameters'])
    assert given <= known


@every_process
def test_help_of_a_node_lists_its_parameters_and_starts_nothing(process, capsys):
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(process.module).main(['--help'])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    listed = [line.split()[0] for line in lines if line.startswith('  ')]
    assert listed == list(fields_of(process))


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
