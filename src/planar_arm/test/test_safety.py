import dataclasses
import inspect
import itertools
import math
import re
from importlib import resources
from typing import get_type_hints

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planar_arm import xarm6
from planar_arm.errors import PlanarArmError
from planar_arm.jerk_limited import JerkLimitedPlanner, PlaneState
from planar_arm.safety import GateTrip, SafetyGate, SafetyLimits, load_safety_limits
from planar_arm.workspace import DEFAULT_WORKSPACE

LIMITS = load_safety_limits()
SOURCE = inspect.getsource(SafetyLimits)
anything = st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture
def gate():
    return SafetyGate(LIMITS, DEFAULT_WORKSPACE)


@given(st.tuples(anything, anything), anything)
def test_whatever_is_admitted_is_finite_fresh_and_short(delta, age):
    gate = SafetyGate(LIMITS, DEFAULT_WORKSPACE)
    admission = gate.admit_delta(delta, age)
    assert np.isfinite(admission.delta).all()
    assert math.hypot(*admission.delta) <= LIMITS.max_delta * (1 + 1e-9)
    if not admission.accepted:
        assert not admission.delta.any()
        assert admission.reason
        assert gate.interventions.total() == 1
    else:
        assert age <= LIMITS.max_command_age


far = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf]))


moves = st.tuples(st.tuples(far, far), st.tuples(far, far))


@given(st.lists(moves, max_size=30), st.floats(0.001, 0.05))
def test_setpoints_never_leave_the_workspace_or_exceed_the_speed(wanted, dt):
    gate = SafetyGate(LIMITS, DEFAULT_WORKSPACE)
    point = np.array(xarm6.HOME_XY)
    for target, tool in wanted:
        following = gate.limit_point(point, target, tool, dt)
        assert DEFAULT_WORKSPACE.contains(following, margin=-1e-9)
        assert math.dist(point, following) <= LIMITS.max_tcp_speed * dt * (1 + 1e-5)
        point = following


def test_interventions_are_counted_by_kind(gate):
    gate.admit_delta((np.nan, 0.0), 0.0)
    gate.admit_delta((0.0, 0.0), LIMITS.max_command_age + 0.1)
    gate.admit_delta((0.0, 0.0), -1.0)
    gate.admit_delta((1.0, 0.0), 0.0)
    gate.limit_point(xarm6.HOME_XY, (5.0, 0.0), xarm6.HOME_XY, 0.01)
    gate.limit_point(xarm6.HOME_XY, (np.inf, 0.0), xarm6.HOME_XY, 0.01)
    gate.limit_point((0.3, 0.0), (0.301, 0.0), (0.27, 0.0), 0.01)
    gate.limit_point((0.3, 0.0), (0.301, 0.0), (np.nan, 0.0), 0.01)
    assert gate.interventions == {
        'command_not_finite': 1,
        'command_stale': 2,
        'delta_shortened': 1,
        'setpoint_outside_workspace': 1,
        'setpoint_waits_for_tool': 2,
        'setpoint_slowed': 1,
        'setpoint_not_finite': 1,
        'tool_not_finite': 1,
    }


def test_an_ordinary_command_passes_untouched(gate):
    admission = gate.admit_delta((0.01, -0.02), 0.01)
    assert admission.accepted
    assert admission.reason == ''
    assert tuple(admission.delta) == (0.01, -0.02)
    assert not gate.interventions


@pytest.mark.parametrize(
    ('q', 'kind', 'message'),
    [
        (np.full(6, np.nan), 'joints_not_finite', 'not finite'),
        (xarm6.HOME_Q + np.array((0, 0, 0, 0, 0, 0.1)), 'joint_speed', 'joint6'),
        (xarm6.HOME_Q + np.array((0, 3.0, 0, 0, 0, 0)), 'joint_limit', 'joint2'),
        (np.zeros(5), 'joints_not_finite', 'not finite'),
    ],
)
def test_joint_commands_that_must_not_be_sent_trip(gate, q, kind, message):
    with pytest.raises(GateTrip, match=message):
        gate.check_joints(xarm6.HOME_Q, q, 0.01)
    assert gate.interventions == {kind: 1}


def test_joint_commands_within_limits_pass(gate):
    gate.check_joints(xarm6.HOME_Q, xarm6.HOME_Q + 0.01, 0.01)
    assert not gate.interventions


def test_a_tool_that_would_move_too_fast_trips(gate):
    gate.check_tool((0.3, 0.0, 0.1), (0.3, 0.0, 0.1 + 0.01 * LIMITS.max_tcp_speed), 0.01)
    for too_far in (0.011 * LIMITS.max_tcp_speed, np.nan):
        with pytest.raises(GateTrip, match='tool at'):
            gate.check_tool((0.3, 0.0, 0.1), (0.3, 0.0, 0.1 + too_far), 0.01)
    assert gate.interventions == {'tool_speed': 2}


GOOD = (
    'max_tcp_speed: 0.1\nmax_tcp_acceleration: 1\nmax_tcp_jerk: 10\n'
    'max_joint_speed: 1\nmax_delta: 0.05\n'
    'max_lead: 0.1\nmax_following_error: 0.02\nmax_joint_error: 0.2\n'
    'max_height_error: 0.004\nmax_command_age: 1\n'
)


def test_limits_from_a_file(tmp_path):
    path = tmp_path / 'limits.yaml'
    path.write_text(GOOD)
    assert load_safety_limits(path).max_tcp_speed == 0.1


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('max_tcp_speed: 0.1\n', 'max_tcp_acceleration: .*required'),
        (GOOD.replace('0.1', '5'), r'max_tcp_speed is 5: .*less than or equal to 1'),
        (GOOD.replace('0.1', '1.0e-300'), r'max_tcp_speed is 1e-300: .*greater than or equal to'),
        (GOOD.replace('0.1', '.nan'), r'max_tcp_speed is nan'),
        (GOOD.replace('0.1', 'true'), 'max_tcp_speed is True: .*valid number'),
        (GOOD.replace('0.1', '"0.1"'), "max_tcp_speed is '0.1': .*valid number"),
        (GOOD + 'speed: 1\n', 'speed: Unexpected'),
        (GOOD + 'max_tcp_speed: 0.2\n', 'line 11: max_tcp_speed is there twice'),
        (GOOD + '[\n: - {', 'line 12: '),
        ('', 'name: value'),
        ('0.1', 'name: value'),
        ('&a [*a]', 'name: value|[Cc]ircular'),
        ('[' * 5000, 'limits.yaml'),
        ('d: 2020-13-01', 'month'),
        (b'\xff\xfe\xfa', 'no UTF-8 text'),
        (None, 'No such file'),
    ],
)
def test_incomplete_or_silly_limits_are_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / 'limits.yaml'
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(PlanarArmError, match=message) as caught:
        load_safety_limits(path)
    assert str(caught.value).startswith(f'safety limits {path}: ')
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize('end', ['ge', 'le'])
def test_motion_can_be_planned_at_either_end_of_every_range(end):
    hints = get_type_hints(SafetyLimits, include_extras=True)
    names = ('max_tcp_speed', 'max_tcp_acceleration', 'max_tcp_jerk')
    ends = [each for name in names for each in hints[name].__metadata__[0].metadata]
    speed, acceleration, jerk = (getattr(each, end) for each in ends if hasattr(each, end))
    for limits in itertools.product((speed, 0.25), (acceleration, 5.0), (jerk, 100.0)):
        planner = JerkLimitedPlanner(*limits)
        way = planner.reach(PlaneState.at_rest((0.2, -0.2)), np.array((0.6, 0.2)))
        assert way is not None
        assert planner.stop(way.at(way.duration / 2)) is not None


@pytest.mark.parametrize('field', dataclasses.fields(SafetyLimits), ids=lambda field: field.name)
def test_the_file_says_unit_and_range_of_each_limit(field):
    text = (resources.files('planar_arm') / 'safety_limits.yaml').read_text()
    (line,) = (line for line in text.splitlines() if line.startswith(f'{field.name}:'))
    unit, low, high = re.search(r'# (\[.+?\]) (\S+) to ([\d.]+)(?:;|$)', line).groups()
    assert unit in SOURCE[SOURCE.index(f'{field.name}: ') :].split('"""')[1]
    (bounds,) = get_type_hints(SafetyLimits, include_extras=True)[field.name].__metadata__
    limits = {type(each).__name__: each for each in bounds.metadata}
    assert float(high) == pytest.approx(limits['Le'].le, abs=0.01)
    assert float(low) == limits['Ge'].ge
