"""The launch files under ROS's own launch, wherever that is installed."""

import importlib.util
from pathlib import Path

import pytest

launch = pytest.importorskip('launch')
pytest.importorskip('launch_ros')

from ibc_bringup.launch_description import launch_stack  # noqa: E402
from ibc_bringup.stacks import STACKS  # noqa: E402

FOLDER = Path(__file__).resolve().parents[1]


def visit(description, **given):
    """Everything that a description starts with these arguments."""
    context = launch.LaunchContext()
    context.launch_configurations.update(given)
    found, waiting = [], list(description.entities)
    while waiting:
        entity = waiting.pop(0)
        found.append(entity)
        waiting += entity.visit(context) or []
    return found, context


def nodes(description, **given):
    from launch_ros.actions import Node

    found, _ = visit(description, **given)
    return [entity for entity in found if isinstance(entity, Node)]


@pytest.mark.parametrize('stack', STACKS)
def test_there_is_a_launch_file_with_the_arguments_of_the_stack(stack):
    spec = importlib.util.spec_from_file_location(stack, FOLDER / f'{stack}.launch.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    description = module.generate_launch_description()
    declared = {argument.name for argument in description.get_launch_arguments()}
    assert declared == {argument.name for argument in STACKS[stack].arguments}
    assert all(argument.description for argument in description.get_launch_arguments())


def test_launch_starts_the_nodes_of_the_stack(monkeypatch):
    from launch_ros.actions import Node

    monkeypatch.setattr(Node, 'execute', lambda self, context: None)
    started = nodes(launch_stack('teleop_record'), demonstrator='true', task='push_red')
    names = {node._Node__node_name for node in started}
    stack = STACKS['teleop_record']
    values = stack.values({'demonstrator': 'true', 'task': 'push_red'})
    assert names == {call.process.name for call in stack.calls(values)}


def test_launch_refuses_what_the_stack_refuses():
    from ibc_contract.errors import IbcError

    with pytest.raises(IbcError, match='needs robot_ip:=VALUE'):
        visit(launch_stack('teleop_record'), sim='false')
    with pytest.raises(RuntimeError, match='juggle'):
        visit(launch_stack('teleop_record'), task='juggle')


def test_launch_sets_the_shared_memory_profile(monkeypatch):
    from launch_ros.actions import Node

    monkeypatch.setattr(Node, 'execute', lambda self, context: None)
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE', raising=False)
    _, context = visit(launch_stack('teleop_record'), demonstrator='true')
    assert context.environment['FASTRTPS_DEFAULT_PROFILES_FILE'].endswith('fastdds_shm.xml')
