import os
import signal
import subprocess
import sys

from ibc_bringup import process_group
from ibc_bringup.process_group import Command, Ended, ProcessGroup
from waiting import PATIENCE_S, wait_for

SLEEP = 'import time; print("up", flush=True); time.sleep(60)'
STUBBORN = (
    'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print("up", flush=True); '
    'time.sleep(60)'
)


def command(name, code, ends_group=False):
    return Command(name, [sys.executable, '-c', code], ends_group)


def make_group(*commands):
    lines = []
    group = ProcessGroup(commands, lambda name, line: lines.append((name, line)), os.environ)
    return group, lines


def test_the_first_that_fails_is_reported_with_its_last_words():
    code = 'import sys; print("working"); sys.exit("error: the cable is out")'
    group, lines = make_group(command('steady', SLEEP), command('weak', code))
    with group:
        ended = group.wait(PATIENCE_S)
    assert ended is not None
    assert ended.failed
    assert (ended.name, ended.code, ended.group_code) == ('weak', 1, 1)
    assert ended.summary() == 'weak ended with code 1: the cable is out'
    assert ('weak', 'working') in lines
    assert ('steady', 'up') in lines


def test_stop_interrupts_what_is_left():
    group, lines = make_group(command('a', SLEEP), command('b', SLEEP))
    group.start()
    assert wait_for(lambda: len(lines) == 2)
    group.stop()
    assert group.first_ended().code in (-signal.SIGINT, 1, 130)


def test_stop_ends_what_ignores_an_interrupt(monkeypatch):
    monkeypatch.setattr(
        process_group, 'ESCALATION', ((0.5, signal.SIGTERM), (60.0, signal.SIGKILL))
    )
    group, lines = make_group(command('stubborn', STUBBORN))
    group.start()
    assert wait_for(lambda: lines)
    group.stop()
    assert group.first_ended().code == -signal.SIGTERM


def test_a_planned_end_gives_its_code():
    group, _ = make_group(command('steady', SLEEP), command('job', 'pass', ends_group=True))
    with group:
        ended = group.wait(PATIENCE_S)
    assert not ended.failed
    assert ended.group_code == 0


def test_who_follows_a_process_starts_when_that_has_ended_well():
    first = Command('first', [sys.executable, '-c', 'print("done")'], may_end=True)
    job = Command('job', [sys.executable, '-c', 'pass'], ends_group=True, follows='first')
    group, lines = make_group(command('steady', SLEEP), job, first)
    with group:
        assert group.wait(timeout_s=PATIENCE_S).name == 'job'
    assert ('first', 'done') in lines
    failing = Command('first', [sys.executable, '-c', 'raise SystemExit(3)'], may_end=True)
    group, _ = make_group(command('steady', SLEEP), job, failing)
    with group:
        ended = group.wait(timeout_s=PATIENCE_S)
    assert (ended.name, ended.group_code) == ('first', 3)


def test_an_end_that_was_not_planned_is_a_failure_even_with_code_0():
    assert Ended('node', 0, planned=False, tail=()).group_code == 1
    assert Ended('node', 3, planned=False, tail=()).group_code == 3
    assert Ended('job', -9, planned=True, tail=()).group_code == 137


def test_the_summary_leaves_out_what_logging_adds():
    tail = ('[ERROR] [1795457663.886] [realsense_capture]: unplugged', 'Destroying')
    assert Ended('camera', 1, False, tail).summary() == 'camera ended with code 1: unplugged'


def test_reasons_are_said_once():
    tail = ('[INFO] [1795457663.886] [arm]: homing', 'error: arm: no answer from 10.0.0.5')
    ended = Ended('arm', 1, False, tail)
    assert ended.summary() == 'arm ended with code 1: no answer from 10.0.0.5'
    assert ended.explained
    assert Ended('arm', 1, False, ('[ERROR] [1.0] [arm]: fault',)).explained
    assert not Ended('arm', 2, False, ('Traceback:', 'ValueError: 3')).explained
    assert not Ended('arm', -11, False, ()).explained


def test_after_a_kill_the_summary_says_what_can_be_saved():
    code = 'import os; print("recording a", flush=True); os.kill(os.getpid(), 9)'
    advice = 'an episode that was open: `ibc bags repair b`'
    argv = [sys.executable, '-c', code]
    group, _ = make_group(Command('recorder', argv, if_killed=advice))
    with group:
        ended = group.wait(PATIENCE_S)
    assert ended.summary() == f'recorder ended with signal 9: recording a; {advice}'
    assert Ended('recorder', 1, False, ('error: full',), advice).summary().endswith('code 1: full')


def test_a_node_that_is_still_being_imported_ends_at_once_and_in_silence(tmp_path):
    (tmp_path / 'slow.py').write_text(SLEEP)
    argv = [sys.executable, '-m', 'ibc_bringup.bare_start', 'slow', '--word']
    lines = []
    group = ProcessGroup(
        [Command('slow', argv)],
        lambda name, line: lines.append(line),
        {**os.environ, 'PYTHONPATH': str(tmp_path)},
    )
    group.start()
    assert wait_for(lambda: lines == ['up'])
    group.stop()
    assert group.first_ended().code == -signal.SIGINT
    assert lines == ['up']


def test_a_bare_start_passes_arguments_and_exit_code_on(tmp_path):
    (tmp_path / 'told.py').write_text('import sys; print(__name__, sys.argv[1:]); sys.exit(7)')
    done = subprocess.run(
        [sys.executable, '-m', 'ibc_bringup.bare_start', 'told', '--ros-args', '-p', 'a:=1'],
        env={**os.environ, 'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 7
    assert done.stdout.strip() == "__main__ ['--ros-args', '-p', 'a:=1']"


def test_wait_gives_up_after_its_time():
    group, _ = make_group(command('steady', SLEEP))
    with group:
        assert group.wait(timeout_s=0.1) is None


def test_children_do_not_outlive_a_killed_parent():
    code = (
        'import os, sys; from ibc_bringup.process_group import Command, ProcessGroup; '
        f'c = Command("child", [sys.executable, "-c", {SLEEP!r}]); '
        'g = ProcessGroup([c], lambda n, l: None, os.environ); g.start(); '
        'print(g._children[0].process.pid, flush=True); import time; time.sleep(60)'
    )
    parent = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not _runs(child))


def _runs(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False
