"""What is taken down of ticks and commands, and the rights of the thread."""

import json

import pytest

from xarm_planar_driver import real_time
from xarm_planar_driver.phases import Request
from xarm_planar_driver.real_time import Right, lock_memory, take_priority
from xarm_planar_driver.timing_log import TimingLog


def written(log, tmp_path):
    log.write(tmp_path / 'timing.json', 1e-3, Right(asked=True), Right())
    return json.loads((tmp_path / 'timing.json').read_text())


def test_a_command_is_on_the_wire_with_the_tick_after_the_one_that_takes_it(tmp_path):
    log = TimingLog()
    log.tick(1.00, 0.0001)
    log.accepted(0.995)
    log.answered(1.001, follows=True)
    log.tick(1.01, 0.0002)
    log.answered(1.012, follows=True)
    log.answered(1.022, follows=True)
    content = written(log, tmp_path)
    assert content['deadline_s'] == [1.00, 1.01]
    assert content['late_s'] == [0.0001, 0.0002]
    assert content['command_received_s'] == [0.995]
    assert content['command_to_wire_s'] == pytest.approx([0.017])
    assert content['realtime_granted'] is True
    assert content['memory_lock'] == 'not asked for'


def test_a_command_that_a_stop_dropped_is_not_counted(tmp_path):
    log = TimingLog()
    log.accepted(0.995)
    log.answered(1.001, follows=True)
    log.answered(1.011, follows=False)
    log.answered(9.0, follows=True)
    assert written(log, tmp_path)['command_to_wire_s'] == []


def test_the_driver_writes_it_when_it_closes(emulator, connect, tmp_path):
    path = tmp_path / 'timing.json'
    under_test = connect(emulator, timing_file=str(path))
    assert under_test.ask(Request.ENABLE).success
    under_test.move(0.01, 0.0)
    assert under_test.settles_at(0.01, 0.0)
    values = under_test.driver.status().values()
    assert values['lateness']
    assert str(values['realtime_priority']) == 'not asked for'
    under_test.driver.close()
    content = json.loads(path.read_text())
    assert len(content['deadline_s']) == len(content['late_s']) > 20
    (to_wire,) = content['command_to_wire_s']
    assert 0.0 < to_wire < 5.0
    assert content['realtime_granted'] is False


def test_what_nobody_wants_is_not_asked_for():
    for right in (take_priority(0), lock_memory(wanted=False)):
        assert not right.granted
        assert str(right) == 'not asked for'


def test_a_refusal_says_why(monkeypatch):
    def refuse(*_):
        raise PermissionError(1, 'Operation not permitted')

    monkeypatch.setattr(real_time.os, 'sched_setscheduler', refuse)
    right = take_priority(50)
    assert not right.granted
    assert str(right) == 'refused: Operation not permitted'
