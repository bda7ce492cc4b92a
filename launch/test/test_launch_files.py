"""The launch files under ROS's own launch, wherever that is installed."""

import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

launch = pytest.importorskip('launch')
pytest.importorskip('launch_ros')

from ibc_bringup.launch_description import end_of, launch_stack  # noqa: E402
from ibc_bringup.stacks import STACKS  # noqa: E402

FOLDER = Path(__file__).resolve().parents[1]


def visit(description, *argv, **given):
    """Everything that a description starts with these arguments."""
    context = launch.LaunchContext(argv=argv)
    context.launch_configurations.update(given)
    found, waiting = [], list(description.entities)
    while waiting:
        entity = waiting.pop(0)
        found.append(entity)
        waiting += entity.visit(context) or []
    return found, context


def nodes(description, *argv, **given):
    from launch_ros.actions import Node

    found, _ = visit(description, *argv, **given)
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


def test_launch_asks_for_a_window_before_it_starts_the_arm(monkeypatch):
    from ibc_contract.errors import IbcError

    monkeypatch.delenv('DISPLAY', raising=False)
    with pytest.raises(IbcError, match='DISPLAY is not set'):
        visit(launch_stack('teleop_record'))


def test_launch_refuses_a_misspelt_name_on_its_own_command_line(monkeypatch):
    from launch_ros.actions import Node

    from ibc_contract.errors import IbcError

    monkeypatch.setattr(Node, 'execute', lambda self, context: None)
    words = ['demonstrator:=true', 'launch-prefix:=nice', 'episode:=3']
    given = {'demonstrator': 'true'}
    monkeypatch.setattr(sys, 'argv', ['ros2', 'launch', 'other', 'cell.launch.py', *words])
    assert len(nodes(launch_stack('teleop_record'), *words, **given)) == 5
    monkeypatch.setattr(sys, 'argv', ['ros2', 'launch', 'x', 'teleop_record.launch.py', *words])
    assert len(nodes(launch_stack('teleop_record'), *words[:2], **given)) == 5
    with pytest.raises(IbcError, match="no argument 'episode'; known: sim, robot_ip"):
        visit(launch_stack('teleop_record'), *words, **given)


@pytest.mark.parametrize(('script', 'code'), [('exit 0', 0), ('exit 3', 1), ('kill -KILL $$', 1)])
def test_one_node_ends_the_others_and_a_failure_shows_in_the_exit_code(script, code):
    from launch.actions import ExecuteProcess

    first = ExecuteProcess(
        cmd=['sh', '-c', script], on_exit=end_of(STACKS['run_policy'].processes[0])
    )
    other = ExecuteProcess(cmd=['sleep', '60'])
    service = launch.LaunchService(noninteractive=True)
    service.include_launch_description(launch.LaunchDescription([first, other]))
    begin = time.monotonic()
    assert service.run() == code
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_nodes_do_not_outlive_a_killed_launch(number):
    code = (
        'import launch; from launch.actions import ExecuteProcess as Run; '
        'from ibc_bringup.launch_description import WITH_PARENT; s = launch.LaunchService(); '
        'node = Run(cmd=["sh", "-c", "echo node $$; exec sleep 60"], output="screen", '
        'prefix=WITH_PARENT); s.include_launch_description(launch.LaunchDescription([node])); '
        's.run()'
    )
    parent = subprocess.Popen([sys.executable, '-u', '-c', code], stdout=subprocess.PIPE, text=True)
    node = next(int(line.split()[-1]) for line in parent.stdout if '] node ' in line)
    parent.send_signal(number)
    parent.wait()
    deadline = time.monotonic() + 20
    while runs(node) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(node)


def runs(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_launch_sets_the_shared_memory_profile(monkeypatch):
    from launch_ros.actions import Node

    monkeypatch.setattr(Node, 'execute', lambda self, context: None)
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE', raising=False)
    _, context = visit(launch_stack('teleop_record'), demonstrator='true')
    assert context.environment['FASTRTPS_DEFAULT_PROFILES_FILE'].endswith('fastdds_shm.xml')
