import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planar_arm.errors import BadGeometry
from planar_arm.interpolation import SetpointRamp

coordinate = st.floats(-1.0, 1.0)
point = st.tuples(coordinate, coordinate)
seconds = st.floats(0.0, 100.0)
durations = st.floats(0.0, 2.0)


@given(point, point, seconds, durations)
def test_hits_its_ends_exactly_and_stays_there(start, goal, t0, duration):
    ramp = SetpointRamp(start, goal, t0, t0 + duration)
    assert tuple(ramp.at(t0 + duration)) == goal
    assert tuple(ramp.at(t0 + duration + 10.0)) == goal
    if t0 + duration > t0:
        assert tuple(ramp.at(t0)) == start
        assert tuple(ramp.at(t0 - 1.0)) == start


@given(point, point, st.floats(0.0, 1.0))
def test_is_a_straight_line_at_constant_speed(start, goal, share):
    ramp = SetpointRamp(start, goal, 0.0, 0.2)
    expected = np.array(start) + share * (np.array(goal) - np.array(start))
    np.testing.assert_allclose(ramp.at(0.2 * share), expected, atol=1e-12)


@given(point, point, point, st.floats(0.0, 0.3), durations)
def test_a_new_ramp_starts_at_the_commanded_point(start, goal, following, t, duration):
    ramp = SetpointRamp(start, goal, 0.0, 0.2)
    successor = ramp.toward(following, t, duration)
    assert tuple(successor.goal) == following
    if successor.t1 > successor.t0:
        assert tuple(successor.at(t)) == tuple(ramp.at(t))


@given(point, point, st.floats(0.0, 1.0), st.floats(0.0, 0.3))
def test_a_delayed_ramp_is_the_same_motion_later(start, goal, delay, t):
    ramp = SetpointRamp(start, goal, 0.0, 0.2)
    np.testing.assert_allclose(ramp.delayed(delay).at(t + delay), ramp.at(t), atol=1e-9)


def test_points_cannot_be_changed_behind_its_back():
    start = np.zeros(2)
    ramp = SetpointRamp(start, np.ones(2), 0.0, 1.0)
    start[0] = 5.0
    assert ramp.at(0.0)[0] == 0.0
    with pytest.raises(ValueError, match='read-only'):
        ramp.goal[0] = 3.0


def test_nonsense_is_refused():
    with pytest.raises(BadGeometry, match='goal'):
        SetpointRamp(np.zeros(2), np.array([np.nan, 0.0]), 0.0, 1.0)
    with pytest.raises(BadGeometry, match='before it starts'):
        SetpointRamp(np.zeros(2), np.ones(2), 1.0, 0.5)
