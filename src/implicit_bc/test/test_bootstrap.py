import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from implicit_bc.bootstrap import mean_interval


def test_of_many_values_it_is_the_normal_interval():
    values = np.random.default_rng(0).uniform(0, 1, 400)
    spread = 1.96 * values.std() / np.sqrt(400)
    expected = (values.mean() - spread, values.mean() + spread)
    assert mean_interval(values) == pytest.approx(expected, abs=0.003)


def test_another_level_is_narrower():
    values = [0.0, 0.5, 1.0, 1.0]
    low, high = mean_interval(values)
    inner_low, inner_high = mean_interval(values, level=0.5)
    assert low < inner_low < inner_high < high


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from((0.0, 0.125, 0.5, 1.0)), min_size=1, max_size=40))
def test_it_lies_among_the_values_around_their_mean_and_repeats(values):
    low, high = mean_interval(values)
    assert min(values) <= low <= np.mean(values) + 1e-9
    assert np.mean(values) - 1e-9 <= high <= max(values)
    assert mean_interval(values[::-1]) == (low, high)


def test_equal_values_leave_no_width():
    assert mean_interval([0.25] * 5) == (0.25, 0.25)


def test_no_values():
    with pytest.raises(ValueError, match='no values'):
        mean_interval([])
