"""The launch files under ROS's own launch, wherever that is installed."""

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

launch = pytest.importorskip('launch')
pytest.importorskip('launch_ros')

from ibc_bringup.launch_description import end_of, launch_stack  # noqa: E402
from ibc_bringup.stack import NodeCall  # noqa: E402
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
    calls = stack.calls(stack.values({'demonstrator': 'true', 'task': 'push_red'}))
    assert names == {call.process.name for call in calls if not call.follows}
    assert {call.process.name for call in calls if call.follows} == {'demonstrator'}


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

    call = NodeCall(STACKS['run_policy'].processes[0], {}, '', None)
    first = ExecuteProcess(cmd=['sh', '-c', script], on_exit=end_of(call))
    other = ExecuteProcess(cmd=['sleep', '60'])
    service = launch.LaunchService(noninteractive=True)
    service.include_launch_description(launch.LaunchDescription([first, other]))
    begin = time.monotonic()
    assert service.run() == code
    assert time.monotonic() - begin < 30


def test_who_follows_a_node_that_may_end_starts_when_it_has_ended_well(tmp_path):
    from launch.actions import ExecuteProcess

    (bringup,) = [p for p in STACKS['run_policy'].processes if p.may_end]
    last = NodeCall(STACKS['run_policy'].processes[0], {}, '', None)
    script = f'touch {tmp_path}/started'
    follower = ExecuteProcess(cmd=['sh', '-c', script], on_exit=end_of(last))
    call = NodeCall(bringup, {}, '', None)
    first = ExecuteProcess(cmd=['sleep', '0.2'], on_exit=end_of(call, [follower]))
    other = ExecuteProcess(cmd=['sleep', '60'])
    service = launch.LaunchService(noninteractive=True)
    service.include_launch_description(launch.LaunchDescription([first, other]))
    assert service.run() == 0
    assert (tmp_path / 'started').exists()


NODE = """
import os, sys, time
from rclpy.node import Node
from ibc_contract.runner import run

print('importing', os.getpid(), flush=True)
time.sleep(2)

class Probe(Node):
    def __init__(self):
        super().__init__('probe')
        print('node', os.getpid(), flush=True)

    def close(self):
        print('closed', flush=True)

sys.exit(run(Probe))
"""
LAUNCH = """
import sys, launch
from launch.actions import ExecuteProcess
from ibc_bringup.launch_description import PREFIX

node = ExecuteProcess(
    cmd=[sys.executable, '-c', sys.argv[1]], name='probe', output='screen', prefix=PREFIX
)
service = launch.LaunchService()
service.include_launch_description(launch.LaunchDescription([node]))
service.run()
"""


@pytest.fixture
def start_probe(ros):
    """Start launch with one node, as a terminal would: in a process group of its own."""
    running = []

    def start(until):
        parent = subprocess.Popen(
            [sys.executable, '-u', '-c', LAUNCH, NODE],
            env=ros.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Ignored, if a script started the tests with `&`.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        running.append(parent)
        return parent, next(
            int(line.split()[-1]) for line in parent.stdout if f'] {until} ' in line
        )

    yield start
    for parent in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_nodes_do_not_outlive_a_killed_launch(start_probe, number):
    parent, node = start_probe('node')
    parent.send_signal(number)
    parent.wait()
    deadline = time.monotonic() + 20
    while runs(node) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(node)


@pytest.mark.parametrize('until', ['importing', 'node'])
def test_ctrl_c_ends_a_node_without_a_traceback_also_while_it_imports(start_probe, until):
    parent, node = start_probe(until)
    os.killpg(parent.pid, signal.SIGINT)
    out, _ = parent.communicate(timeout=30)
    assert 'process has finished cleanly' in out
    assert 'Traceback' not in out
    assert ('] closed' in out) == (until == 'node')
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
