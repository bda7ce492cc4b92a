"""The `ibc` command: what it prints, and what it says when something is wrong."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ibc_bringup import checks
from ibc_bringup.main import main, parser
from ibc_bringup.ports import free_twin_ports


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def error_line(capsys) -> str:
    """The one line on stderr, without its `error: `."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith('error: ')
    return lines[0].removeprefix('error: ')


def parsers(top, *words):
    """The words of every command and of its actions, with their parsers."""
    found = {}
    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found |= {(*words, name): below, **parsers(below, *words, name)}
    return found


PARSERS = parsers(parser())


def test_all_commands_are_known():
    assert {'demo', 'loop', 'up', 'train', 'eval', 'generate', 'doctor'} <= {w[0] for w in PARSERS}
    assert {('bags', 'info'), ('bags', 'verify'), ('bags', 'export')} <= PARSERS.keys()
    assert ('models', 'list') in PARSERS


@pytest.mark.parametrize('words', PARSERS, ids=' '.join)
def test_every_command_and_action_has_help(words, capsys):
    assert run(*words, '--help') == 0
    said = capsys.readouterr().out
    assert said.startswith(f'usage: ibc {" ".join(words)} ')
    for action in PARSERS[words]._actions:
        assert action.help or isinstance(action, argparse._SubParsersAction), action
        assert not action.option_strings or action.option_strings[-1] in said


@pytest.mark.parametrize(
    ('command', 'names'),
    [
        ('eval', ['push_red_then_green', 'insert_blue', '{auto,egl,tiny}', '(50)']),
        ('generate', ['push_red_then_green', 'insert_blue', '(push_red)', '(planar_rgb)', '(100)']),
        ('train', ['cpu_base', 'real_insert', 'state_small', '(cpu_small)']),
    ],
)
def test_help_names_choices_and_defaults(command, names, capsys):
    assert run(command, '--help') == 0
    said = capsys.readouterr().out
    assert [name for name in names if name not in said] == []


SAY = """
import logging
from ibc_bringup.main import show_log
show_log()
show_log()
logging.getLogger('implicit_bc.training').info('%d parameters', 7)
logging.getLogger('implicit_bc.training').warning('slow')
logging.getLogger('matplotlib').info('fonts')
"""


def test_progress_and_warnings_are_plain_lines():
    done = subprocess.run([sys.executable, '-c', SAY], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ['7 parameters', 'warning: slow']


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['up', 'dance'], 'known: teleop_record, run_policy, replay_bag'),
        (['up', 'run_policy', 'model:=nobody'], "unknown model 'nobody'; known:"),
        (['up', 'teleop_record', 'task:=juggle'], 'choose from push_red'),
        (['up', 'teleop_record', 'tsak:=push_red'], "no argument 'tsak'; known: sim"),
        (['up', 'teleop_record', 'sim:=false'], 'needs robot_ip:=VALUE'),
        (['up', 'teleop_record', '--', 'sim=true'], 'not of the form name:=value'),
        (['eval', 'nobody'], "unknown model 'nobody'; known:"),
        (['eval', 'random'], 'add --task NAME'),
        (['eval', 'random', '--task', 'juggle'], "unknown task 'juggle'; known: push_red"),
        (['generate', '--task', 'juggle'], "unknown task 'juggle'; known: push_red"),
        (['loop', '--task', 'juggle'], "unknown task 'juggle'; known: push_red"),
        (['demo', '--task', 'juggle'], "unknown task 'juggle'; known: push_red"),
        (['demo', '--seconds', '0'], 'no time for a trial'),
        (['demo', '--model', 'nobody'], "unknown model 'nobody'; known:"),
        (['train'], 'needs folders of bags'),
        (['train', '/nowhere', '--preset', 'huge'], "unknown training preset 'huge'; known:"),
        (['train', '/nowhere', '--set', 'steps'], 'not of the form key=value'),
        (['train', '/nowhere', '--set', 'stesp=1'], 'stesp'),
        (['train', '--resume', '/nowhere'], 'holds no training run'),
        (['loop', '--resume', '/nowhere'], 'holds no loop'),
        (['bags', 'info', '/nowhere'], '/nowhere: there is no such folder'),
        (['bags', 'repair', '/nowhere'], '/nowhere: there is no such folder'),
        (['up', 'replay_bag', 'bag:=/nowhere'], '/nowhere: there is no such folder'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, list) else '',
)
def test_bad_input_gets_one_line_and_exit_code_1(words, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 1
    assert expected in error_line(capsys)


def test_a_killed_worker_gets_one_line(tmp_path):
    words = ['generate', '--task', 'push_red', '--contract', 'planar_state', '--workers', '2']
    command = [sys.executable, '-m', 'ibc_bringup.main', *words, '--root', str(tmp_path / 'bags')]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    # Recording has begun: both workers are there.
    while not list((tmp_path / 'bags').glob('push_red_*')):
        assert time.monotonic() < deadline
        assert running.poll() is None
        time.sleep(0.05)
    os.kill(workers_of(running.pid)[0], signal.SIGKILL)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 1
    assert said.splitlines()[-1].startswith('error: a worker process was killed')
    assert 'Traceback' not in said


def workers_of(pid):
    """Process ids of the pool's workers, not of what multiprocessing starts to keep track."""
    found = []
    for child in Path(f'/proc/{pid}/task/{pid}/children').read_text().split():
        if b'spawn_main' in Path(f'/proc/{child}/cmdline').read_bytes():
            found.append(int(child))
    return found


def test_up_lists_stacks_and_their_arguments(capsys):
    assert run('up') == 0
    assert 'run_policy' in capsys.readouterr().out
    assert run('up', 'run_policy', '--show-args') == 0
    shown = capsys.readouterr().out
    model = next(line for line in shown.splitlines() if 'model:=STR' in line)
    assert model.endswith('(required)')
    assert 'control_port:=15502' in shown


def test_models_as_json(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('IBC_MODELS', str(tmp_path))
    assert run('models', 'list', '--json') == 0
    for entry in json.loads(capsys.readouterr().out):
        assert set(entry) == {'name', 'path', 'tasks', 'contract', 'results'}


def error_of_stack(env: dict[str, str], *words: str) -> str:
    """Run `ibc up` until it fails; the one line on stderr."""
    done = subprocess.run(
        [sys.executable, '-m', 'ibc_bringup.main', 'up', *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


def assignments(values: dict[str, str]) -> list[str]:
    return [f'{name}:={value}' for name, value in values.items()]


@pytest.mark.system
def test_a_taken_port_is_said_before_anything_starts(tmp_path, ros):
    ports = free_twin_ports()
    words = ['teleop_record', 'demonstrator:=true', f'root:={tmp_path}', *assignments(ports)]
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', int(ports['control_port'])))
        taken.listen()
        last = error_of_stack(ros.env, *words)
    assert last.startswith(f'error: port {ports["control_port"]} on 127.0.0.1 is in use')


@pytest.mark.system
def test_a_missing_display_is_said_before_the_arm_is_enabled(tmp_path, ros):
    env = {name: value for name, value in ros.env.items() if name != 'DISPLAY'}
    words = ['teleop_record', f'root:={tmp_path}', *assignments(free_twin_ports())]
    assert error_of_stack(env, *words).startswith('error: no window: DISPLAY is not set')


def finding(status):
    return lambda: checks.Finding('Something', status, 'as it is', '' if status == 'ok' else 'mend')


@pytest.mark.parametrize(
    ('found', 'verdict'),
    [
        ('ok ok', 'Ready.'),
        ('ok warn', 'Ready for the twin. 1 to know about (warn): only what it names is affected.'),
        ('fail ok fail warn', '2 failed: mend from the top, each -> says how.'),
    ],
)
def test_doctor_ends_with_what_it_comes_to(found, verdict, monkeypatch, capsys):
    monkeypatch.setattr(checks, 'CHECKS', [finding(status) for status in found.split()])
    assert run('doctor') == (1 if 'fail' in found else 0)
    *lines, empty, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == found.split()
    assert [line.endswith('  -> mend') for line in lines] == [w != 'ok' for w in found.split()]
    assert (empty, last) == ('', verdict)


@pytest.mark.parametrize('check', [checks.display, checks.model_bundles])
def test_doctor_goes_on_where_a_module_is_missing(check, monkeypatch):
    for name in ('teleop_mouse.window', 'ibc_bringup.bundles'):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(checks, 'CHECKS', [check, finding('ok')])
    broken, other = checks.run_checks()
    assert broken.status == 'fail'
    assert broken.detail.startswith('cannot be checked: import of')
    assert broken.remedy == 'see Python modules'
    assert other.status == 'ok'


@pytest.mark.parametrize(
    ('problems', 'remedy'),
    [
        ({'cv2': 'ImportError: libGL.so.1: cannot open shared object file'}, 'system libraries'),
        ({'torch': "ModuleNotFoundError: No module named 'torch'"}, 'make setup'),
        ({'cv2': 'ImportError: libGL.so.1: ...', 'torch': 'No module named'}, 'make setup'),
    ],
)
def test_doctor_tells_a_missing_library_from_a_missing_module(problems, remedy, monkeypatch):
    done = subprocess.CompletedProcess([], 0, json.dumps(problems), '')
    monkeypatch.setattr(checks, '_run', lambda _: done)
    found = checks.python_modules()
    assert found.status == 'fail'
    assert remedy in found.remedy


@pytest.mark.system
def test_doctor_reports_every_check_as_json():
    done = subprocess.run(
        [sys.executable, '-m', 'ibc_bringup.main', 'doctor', '--json'],
        capture_output=True,
        text=True,
        timeout=300,
    )
    findings = {entry['name']: entry for entry in json.loads(done.stdout)}
    assert findings['Python']['status'] == 'ok'
    assert findings['Python modules']['status'] == 'ok', findings['Python modules']
    assert findings['ROS 2 loopback']['status'] == 'ok', findings['ROS 2 loopback']
    failed = [entry for entry in findings.values() if entry['status'] == 'fail']
    assert done.returncode == (1 if failed else 0)
    assert all(entry['remedy'] for entry in findings.values() if entry['status'] != 'ok')
