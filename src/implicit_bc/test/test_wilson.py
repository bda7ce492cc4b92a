import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicit_bc.wilson import wilson_interval


@pytest.mark.parametrize(
    ('successes', 'trials', 'low', 'high'),
    [
        (18, 20, 0.6990, 0.9721),
        (0, 20, 0.0, 0.1611),
        (20, 20, 0.8389, 1.0),
        (50, 100, 0.4038, 0.5962),
        (0, 0, 0.0, 1.0),
    ],
)
def test_known_intervals(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_holds_the_rate(counts):
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1


def test_more_successes_than_trials():
    with pytest.raises(ValueError, match='21 successes of 20'):
        wilson_interval(21, 20)
