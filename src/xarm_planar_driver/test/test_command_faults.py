"""Faults of what sends commands, end to end: how far the arm moves, what is said, how to go on.

Rows of docs/reliability.md: real node, real SDK, emulated controller; a process that sends what the
policy node, or the mouse, sends.
"""

import contextlib
import math
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driver_bench import STOP_DISTANCE, TOP_SPEED
from ibc_contract import topics
from planar_arm.safety import load_safety_limits
from planar_arm.servo import PlanarServo
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_planar_driver.driver_status import Level

SENDER = Path(__file__).with_name('command_process.py')
POLICY = (topics.POLICY_DELTA, 5.0, 0.02)
"""A policy's 20 mm each period, 0.1 m/s."""
MOUSE = (topics.TELEOP_DELTA, 20.0, 0.006)
"""A person's 0.12 m/s."""
LIMITS = load_safety_limits()
FARTHEST = LIMITS.max_lead + LIMITS.max_tcp_speed * LIMITS.max_command_age
"""What the gate lets the tool travel after the last command was made, whatever happened [m]."""


@pytest.fixture
def bench(shared):
    """The shared arm at home, and nobody leads."""
    assert shared.stage.call(topics.ARM_HOME).success
    shared.said.clear()
    return shared


@contextlib.contextmanager
def sender(bench, topic: str, rate: float, x: float, *bad: float) -> Iterator[subprocess.Popen]:
    """A process whose commands the arm follows by now."""
    command = [sys.executable, str(SENDER), topic, str(rate), str(x), *map(str, bad)]
    process = subprocess.Popen(command, env=bench.ros.env)
    try:
        assert moves(bench)
        yield process
    finally:
        process.kill()
        process.wait()


def moves(bench) -> bool:
    """Whether the setpoint gets away from where it is."""
    operator = bench.stage.operator
    begin = operator.point(topics.TCP_SETPOINT)
    return bench.stage.until(lambda: math.dist(operator.point(topics.TCP_SETPOINT), begin) > 0.015)


def watch(bench, seconds: float) -> None:
    bench.stage.until(lambda: False, timeout=seconds)


def ends(bench, since: float, distance: float) -> None:
    """Check that the tool comes to rest at most `distance` [m] from where it was at `since`.

    On a machine too busy to tick 100 times a second commands wait, until they are too old, and the
    setpoint lags behind its goal.
    """
    kept_up = keeps_up(bench, distance)
    watch(bench, LIMITS.max_command_age)
    assert bench.stage.until(lambda: not servo(bench).moving)
    assert bench.rests()
    moved, speed = bench.travel(since)
    allowed = distance if kept_up and keeps_up(bench, distance) else FARTHEST
    assert speed <= TOP_SPEED
    assert moved <= allowed + STOP_DISTANCE


def servo(bench) -> PlanarServo:
    return bench.stage.driver._driver._motion._course._servo


def keeps_up(bench, lead: float) -> bool:
    """Whether ticks come in time, and the setpoint is at most `lead` [m] from its goal."""
    on_time = float(bench.stage.operator.diagnosis[2]['rate_hz']) > 90.0
    return on_time and math.dist(servo(bench).goal, servo(bench).setpoint) <= lead


def count(bench, name: str) -> int:
    return int(bench.stage.operator.diagnosis[2].get(name, 0))


def follows(bench, command) -> bool:
    with sender(bench, *command):
        return bench.stage.in_phase('active')


@pytest.mark.system
def test_policy_killed_mid_move(bench):
    with sender(bench, *POLICY) as policy:
        policy.kill()
        killed = time.monotonic()
        ends(bench, killed, POLICY[2])
    assert bench.stage.in_phase('active')
    assert follows(bench, POLICY)


@pytest.mark.system
def test_policy_stalls_for_a_second(bench):
    with sender(bench, *POLICY) as policy:
        policy.send_signal(signal.SIGUSR1)
        stalled, kept_up = time.monotonic(), keeps_up(bench, POLICY[2])
        refused = count(bench, 'gate_command_stale')
        watch(bench, 0.9)
        moved, _ = bench.travel(stalled)
        allowed = POLICY[2] if kept_up and keeps_up(bench, POLICY[2]) else FARTHEST
        assert moved <= allowed + STOP_DISTANCE
        assert bench.stage.until(lambda: count(bench, 'gate_command_stale') > refused)
        assert moves(bench)  # it goes on by itself
        assert bench.travel(stalled)[1] <= TOP_SPEED  # and without a burst


@pytest.mark.system
def test_an_action_that_is_no_number(bench):
    with sender(bench, *POLICY, math.nan) as policy:
        refused = count(bench, 'gate_command_not_finite')
        assert bench.hears('refused: no numbers', Level.WARN)
        assert count(bench, 'gate_command_not_finite') > refused
        assert moves(bench)  # those that are numbers are followed
        policy.kill()
        ends(bench, time.monotonic(), POLICY[2])


@pytest.mark.system
def test_moves_ten_times_too_long(bench):
    begin = time.monotonic()
    with sender(bench, topics.POLICY_DELTA, 5.0, 0.2) as policy:
        assert bench.hears('shortened: asked for too long a move', Level.WARN)
        watch(bench, 1.0)
        policy.kill()
        ends(bench, time.monotonic(), LIMITS.max_lead)
    path = bench.arm.path(begin, time.monotonic())
    assert all(DEFAULT_WORKSPACE.contains(point[:2], -1e-3) for point in path)
    assert abs(path[:, 2] - DEFAULT_WORKSPACE.tool_height).max() < 2e-3


@pytest.mark.system
@pytest.mark.parametrize('says_so', [True, False], ids=['closed', 'killed'])
def test_mouse_window_closed_mid_drag(bench, says_so):
    with sender(bench, *MOUSE) as mouse:
        mouse.kill()
        closed = time.monotonic()
        if says_so:
            bench.stage.operator.move(0.0, 0.0)
        ends(bench, closed, 2 * MOUSE[2])
    assert bench.stage.in_phase('active')


@pytest.mark.system
def test_a_person_takes_over_mid_move(bench):
    """What the policy still wanted no longer counts, and it is not heard any more."""
    with sender(bench, topics.POLICY_DELTA, 5.0, 0.06):
        began = time.monotonic()
        ignored = count(bench, 'ignored_policy_while_teleop')
        while time.monotonic() < began + 1.0:
            bench.stage.operator.move(0.0, 0.0)
            watch(bench, 0.05)
        assert bench.travel(began + 0.5)[0] <= 1e-3
        assert bench.stage.until(lambda: count(bench, 'ignored_policy_while_teleop') > ignored)
        assert moves(bench)  # when let go
