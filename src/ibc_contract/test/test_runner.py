"""The node runner as a process: exit codes, one-line errors, closing on signals."""

import signal
import subprocess
import sys
import time

import pytest

from ibc_contract.ending_signals import SIGNALS
from waiting import PATIENCE_S

NODE = """
import sys
import time

from rclpy.node import Node

from ibc_contract.errors import IbcError
from ibc_contract.runner import run


kept = []


class Probe(Node):
    exit_code = None

    def __init__(self):
        super().__init__('probe')
        self.declare_parameter('how', 'wait')
        how = self.get_parameter('how').value
        if how == 'refuse':
            raise IbcError('the arm does not answer: switch it on')
        if how == 'crash':
            raise RuntimeError('a bug')
        if how == 'finish':
            self.create_timer(0.05, self.finish)
        if how == 'fail':
            self.create_timer(0.05, self.fail)
        if how == 'trip':
            self.create_timer(0.05, self.trip)
        print('ready', flush=True)

    def finish(self):
        self.exit_code = 0

    def fail(self):
        self.exit_code = 7

    def trip(self):
        kept.append(self.executor)
        raise IbcError('the arm is gone')

    def close(self):
        time.sleep(0.5)
        print('closed', flush=True)


class EndsSlowly:
    def __del__(self, sleep=time.sleep):
        sleep(0.5)


last = EndsSlowly()  # deleted after the interpreter has given up its signal handlers


code = run(Probe)
for executor in kept:
    executor.spin_once(timeout_sec=0.0)  # raises if only its context has been shut down
sys.exit(code)
"""


@pytest.fixture
def start(ros):
    running = []

    def launch(how: str, before=None) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, '-c', NODE, '--ros-args', '-p', f'how:={how}'],
            env=ros.env,
            preexec_fn=before,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield launch
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.system
@pytest.mark.parametrize(
    'signals',
    [*([number] for number in SIGNALS), [signal.SIGINT, signal.SIGTERM, signal.SIGINT]],
    ids=[*(number.name for number in SIGNALS), 'impatient'],
)
def test_a_signal_closes_the_node_and_the_code_is_zero(start, signals):
    process = start('wait')
    assert process.stdout.readline() == 'ready\n'
    for number in signals:
        process.send_signal(number)
        time.sleep(0.15)  # the later ones arrive while the node is closing
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, 'closed\n', '')


@pytest.mark.system
def test_signals_until_the_process_has_ended_do_not_change_its_code(start):
    process = start('wait')
    assert process.stdout.readline() == 'ready\n'
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(0.15)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, 'closed\n', '')


def ignore_signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def block_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))


@pytest.mark.system
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('before', [ignore_signals, block_signals])
def test_signals_count_that_were_ignored_or_blocked_when_the_process_began(start, before, number):
    process = start('wait', before)
    assert process.stdout.readline() == 'ready\n'
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, 'closed\n', '')


@pytest.mark.system
def test_under_nohup_a_closed_terminal_ends_nothing(start):
    process = start('wait', lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    assert process.stdout.readline() == 'ready\n'
    process.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, 'closed\n', '')


@pytest.mark.system
def test_a_signal_that_was_blocked_while_importing_ends_the_process_before_it_has_a_node(start):
    process = start('wait', block_signals)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, '', '')


@pytest.mark.system
@pytest.mark.parametrize(('how', 'code'), [('finish', 0), ('fail', 7)])
def test_a_node_ends_the_process_with_its_exit_code(start, how, code):
    process = start(how)
    out, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (code, 'ready\nclosed\n')


@pytest.mark.system
def test_an_expected_error_is_one_line(start):
    process = start('refuse')
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (1, '')
    assert err == 'error: the arm does not answer: switch it on\n'


@pytest.mark.system
def test_a_parameter_that_no_node_reads_is_refused_with_those_that_it_has(ros, tmp_path):
    path = tmp_path / 'probe.yaml'
    path.write_text('/**: {ros__parameters: {use_sim_time: false, hwo: wait}}\n')
    command = [sys.executable, '-c', NODE, '--ros-args', '--params-file', str(path)]
    done = subprocess.run(command, env=ros.env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, 'ready\nclosed\n')
    assert done.stderr == "error: probe has no parameter 'hwo'; known: how\n"


@pytest.mark.system
@pytest.mark.parametrize('is_beside_others', [False, True])
def test_a_parameter_file_for_other_nodes_alone_is_refused(ros, tmp_path, is_beside_others):
    path, right = tmp_path / 'probe.yaml', tmp_path / 'right.yaml'
    path.write_text('/prob: {ros__parameters: {how: wait}}\n')
    right.write_text('probe: {ros__parameters: {how: wait}}\n')
    words = ['--ros-args', '--params-file', str(path)]
    if is_beside_others:
        words += ['--params-file', str(right), '-p', 'how:=finish']
    command = [sys.executable, '-c', NODE, *words]
    done = subprocess.run(command, env=ros.env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, 'ready\nclosed\n')
    assert done.stderr == (
        f'error: {path} says nothing to /probe, only to /prob; call it so, or /**\n'
    )


@pytest.mark.system
@pytest.mark.parametrize('text', [None, '/**:\n  ros__parameters:\n', '/**: ['])
def test_a_parameter_file_that_is_no_such_is_one_line(ros, tmp_path, text):
    path = tmp_path / 'probe.yaml'
    if text is not None:
        path.write_text(text)
    command = [sys.executable, '-c', NODE, '--ros-args', '--params-file', str(path)]
    done = subprocess.run(command, env=ros.env, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, '')
    (line,) = done.stderr.splitlines()
    assert line.startswith('error: ')
    assert str(path) in line


@pytest.mark.system
def test_a_bug_keeps_its_traceback(start):
    process = start('crash')
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert 'RuntimeError: a bug' in err
    assert 'Traceback' in err


def test_after_an_error_in_a_callback_the_executor_is_shut_down_before_its_context(start):
    # One that is not is collected some time later, and prints a traceback below the error.
    process = start('trip')
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (1, 'error: the arm is gone\n')
    assert out == 'ready\nclosed\n'
