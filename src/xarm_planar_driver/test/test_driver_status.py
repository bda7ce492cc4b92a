from dataclasses import replace

import pytest

from xarm_planar_driver.driver_status import DriverStatus, Level, RecentStats
from xarm_planar_driver.phases import Phase
from xarm_planar_driver.servo_loop import LoopStats
from xarm_planar_driver.status_reports import StatusReport

FINE = DriverStatus(
    phase=Phase.ACTIVE,
    activity='active',
    fault=None,
    reason='',
    stats=LoopStats(since=100.0, ticks=200, worst_late=0.0005),
    recently=LoopStats(since=97.0),
    report=StatusReport(received=101.9, state=1, mode=1, error=0, warning=0),
    lately={},
    interventions={},
    ignored={},
)


def test_all_is_well():
    assert FINE.judge(now=102.0) == (Level.OK, 'active')


@pytest.mark.parametrize(
    ('changes', 'level', 'message'),
    [
        ({'phase': Phase.STOPPED, 'reason': 'C31'}, Level.ERROR, 'stopped: C31; call arm/reset'),
        (
            {'phase': Phase.STOPPED, 'reason': 'C31', 'is_reached': False},
            Level.ERROR,
            'stopped: C31; the con',
        ),
        ({'phase': Phase.HOLDING, 'reason': 'off plane'}, Level.WARN, 'holding: off plane'),
        ({'lately': {'policy_from_before_reset': 5}}, Level.WARN, '5 commands refused: the arm'),
        ({'lately': {'teleop_from_before_reset': 1}}, Level.WARN, '1 command refused: the arm'),
        ({'phase': Phase.IDLE, 'reason': 'disabled'}, Level.WARN, 'idle: disabled'),
        ({'stats': LoopStats(100.0, silent=2)}, Level.WARN, 'arm did not answer in 2 ticks'),
        ({'stats': LoopStats(100.0, silent=1)}, Level.WARN, 'arm did not answer in 1 tick'),
        ({'lately': {'setpoint_waits_for_tool': 7}}, Level.WARN, 'the tool does not follow'),
        ({'lately': {'command_not_finite': 1}}, Level.WARN, '1 command refused: no numbers'),
        ({'lately': {'delta_shortened': 3}}, Level.WARN, '3 commands shortened'),
        ({'lately': {'command_stale': 3}}, Level.WARN, '3 commands refused: too old'),
        ({'recently': LoopStats(97.0, missed=26)}, Level.WARN, '26 ticks missed in 5 s: the mach'),
        (
            {'recently': LoopStats(97.0, missed=60, slow=6, worst_reply=0.05)},
            Level.WARN,
            'the arm takes up to 50 ms to answer',
        ),
        ({'report': None}, Level.WARN, 'no status reports'),
    ],
)
def test_what_is_wrong_is_said(changes, level, message):
    judged, text = replace(FINE, **changes).judge(now=102.0)
    assert judged is level
    assert text.startswith(message)


def test_a_tick_missed_now_and_then_is_counted_but_warns_nobody():
    stats = LoopStats(100.0, missed=3, slow=1, worst_reply=0.05)
    status = replace(FINE, stats=stats, recently=stats, lately={'command_stale': 1})
    assert status.judge(now=102.0) == (Level.OK, 'active')
    assert status.values(now=102.0)['missed_ticks'] == 3


def test_of_late_is_the_sum_of_the_last_seconds():
    recent = RecentStats()
    for second in range(10):
        stats = LoopStats(float(second), missed=5, slow=1, worst_reply=0.01 * second)
        sums = recent.add(stats, second + 1.0)
    assert (sums.missed, sums.slow, sums.worst_reply) == (30, 6, 0.09)
    assert recent.add(LoopStats(10.0), 30.0).missed == 0


def test_old_reports_are_no_reports():
    assert FINE.judge(now=110.0)[0] is Level.WARN


def test_values_for_the_operator():
    lateness = [150, 0, 0, 0, 0, 3, 0, 1]
    stats = replace(FINE.stats, lateness=lateness)
    status = replace(
        FINE, stats=stats, interventions={'command_stale': 4}, ignored={'policy_while_teleop': 7}
    )
    values = status.values(now=102.0)
    assert values['rate_hz'] == '100.0'
    assert values['worst_late_ms'] == '0.50'
    assert values['lateness'] == '<0.1 ms: 150, <5 ms: 3, >=10 ms: 1'
    assert str(values['realtime_priority']) == 'not asked for'
    assert values['report_age_s'] == '0.10'
    assert values['gate_command_stale'] == 4
    assert values['ignored_policy_while_teleop'] == 7


def test_an_error_is_shown_by_name():
    report = StatusReport(received=101.9, state=4, mode=0, error=24, warning=0)
    assert str(replace(FINE, report=report).values(now=102.0)['arm_error']).startswith('C24')
