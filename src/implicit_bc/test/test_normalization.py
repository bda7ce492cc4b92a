import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibc_contract.errors import IbcError
from implicit_bc.normalization import ActionBounds, Affine, Normalizer

ACTIONS = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.floats(-0.05, 0.05)
)


def test_z_score_has_zero_mean_and_unit_variance():
    data = np.random.default_rng(0).normal((3, -7), (2, 0.01), size=(1000, 2))
    normal = Normalizer(Affine.z_score(data))(torch.tensor(data).float()).numpy()
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(normal.std(axis=0), 1, atol=1e-3)


def test_min_max_maps_the_corners():
    normalizer = Normalizer(Affine.min_max(np.array([-1.0, 2.0]), np.array([3.0, 4.0])))
    corners = torch.tensor([[-1.0, 2.0], [3.0, 4.0], [1.0, 3.0]])
    assert normalizer(corners).tolist() == [[-1, -1], [1, 1], [0, 0]]


def test_a_constant_dimension_is_not_blown_up():
    affine = Affine.z_score(np.array([[5.0, 0.1], [5.0, 0.2]]))
    assert affine.scale[0] == 1.0
    assert affine.offset[0] == 5.0


@given(ACTIONS)
def test_normalizers_invert(actions):
    for affine in (Affine.z_score(actions), Affine.min_max(actions.min(0), actions.max(0))):
        normalizer = Normalizer(affine)
        x = torch.tensor(actions).float()
        np.testing.assert_allclose(normalizer.inverse(normalizer(x)), actions, atol=1e-6)


def test_bounds_are_widened_per_dimension():
    bounds = ActionBounds.of_data(np.array([[-0.01, 0.0], [0.03, 0.002]]), 0.05, (-0.1, 0.1))
    assert bounds.low == pytest.approx((-0.012, -0.0001))
    assert bounds.high == pytest.approx((0.032, 0.0021))


@given(ACTIONS, st.floats(0, 0.2))
def test_every_demonstrated_action_lies_inside(actions, buffer):
    bounds = ActionBounds.of_data(actions, buffer, (-0.04, 0.04))
    bounds.require_inside(actions, 'data')
    within_limit = np.abs(actions).max() <= 0.04
    if within_limit:
        assert max(map(abs, bounds.low + bounds.high)) <= 0.04


def test_an_action_outside_is_named():
    bounds = ActionBounds((-0.01, -0.01), (0.01, 0.01))
    with pytest.raises(IbcError, match=r'bag x: action \[0.02, 0.0\] m \(row 1'):
        bounds.require_inside(np.array([[0.0, 0.0], [0.02, 0.0]]), 'bag x')
