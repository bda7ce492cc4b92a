import pytest
from hypothesis import given
from hypothesis import strategies as st

from implicit_bc.paired import pair, sign_test
from implicit_bc.rollout import Episode


def episodes(scores, first_seed=0):
    return [Episode(first_seed + i, s, s == 1.0, 10) for i, s in enumerate(scores)]


def test_the_sign_test_is_that_of_a_fair_coin():
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 5) == 1.0
    assert sign_test(1, 0) == 1.0, 'either way is as likely'
    assert sign_test(0, 6) == sign_test(6, 0) == pytest.approx(2 / 64)
    assert sign_test(1, 12) == pytest.approx(2 * (1 + 13) / 2**13)
    with pytest.raises(ValueError, match='-1 and 3 wins'):
        sign_test(-1, 3)


def test_episodes_are_paired_by_seed():
    found = pair(episodes([1, 1, 0, 0, 1]), episodes([1, 0, 1, 0], first_seed=1))
    # Seeds 1 to 4: (1, 1), (0, 0), (0, 1), (1, 0).
    assert (found.both, found.first_only, found.second_only, found.neither) == (1, 1, 1, 1)
    assert (found.episodes, found.p_value, found.score_difference) == (4, 1.0, 0.0)
    assert pair(episodes([1]), episodes([1], first_seed=1)) is None


def test_six_wins_to_none_are_significant_and_five_are_not():
    six = pair(episodes([1] * 10), episodes([0] * 6 + [1] * 4))
    five = pair(episodes([1] * 10), episodes([0] * 5 + [1] * 5))
    assert six.success_differs
    assert not five.success_differs


def test_partial_scores_tell_apart_what_success_does_not():
    found = pair(episodes([0.75, 0.5, 0.875] * 6), episodes([0.5, 0.25, 0.5] * 6))
    assert (found.neither, found.success_differs, found.score_differs) == (18, False, True)
    assert found.score_difference == pytest.approx(0.875 / 3)
    low, high = found.score_difference95
    assert 0.25 < low < found.score_difference < high < 0.375


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_who_comes_first_does_not_matter(outcomes):
    one, other = (episodes([float(won[i]) for won in outcomes]) for i in (0, 1))
    found, turned = pair(one, other), pair(other, one)
    assert (found.first_only, found.second_only) == (turned.second_only, turned.first_only)
    assert (found.p_value, found.success_differs) == (turned.p_value, turned.success_differs)
    assert found.score_difference == pytest.approx(-turned.score_difference)
    assert found.episodes == len(outcomes)


def test_a_policy_does_not_differ_from_itself():
    found = pair(episodes([1, 0, 0.5]), episodes([1, 0, 0.5]))
    assert (found.success_differs, found.score_differs) == (False, False)
    assert found.score_difference95 == (0.0, 0.0)
