import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibc_contract.errors import IbcError
from implicit_bc.normalization import ActionBounds, Affine, Normalizer, constant_dimensions
from implicit_bc.scaling import NormalizationConfig, Scaling

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


@pytest.mark.parametrize('unit', [1e-12, 1e-5, 1.0, 1e6])
def test_what_varies_is_scaled_whatever_its_unit(unit):
    data = unit * np.random.default_rng(0).normal((3, 0), 1, size=(1000, 2)).astype(np.float32)
    assert Affine.z_score(data).scale == pytest.approx((unit, unit), rel=0.1)
    bounds = ActionBounds.of_data(data, 0.05, (-np.inf, np.inf))
    for low, high, column in zip(bounds.low, bounds.high, data.T, strict=True):
        assert high - low == pytest.approx(1.1 * np.ptp(column), rel=1e-4)
    half = Affine.min_max(np.array(bounds.low), np.array(bounds.high)).scale
    assert half == pytest.approx(0.55 * np.ptp(data, axis=0), rel=1e-4)


def test_small_numbers_beside_large_ones_are_scaled_too():
    units = np.array([1e-5, 1.0, 1e6])
    data = units * np.random.default_rng(0).normal(size=(1000, 3))
    assert Affine.z_score(data).scale == pytest.approx(units, rel=0.1)


@pytest.mark.parametrize('around', [0.3, 0.0, -0.3])
def test_numerical_noise_is_constant_in_data_of_the_robot_s_size(around):
    rng = np.random.default_rng(0)
    data = np.stack((rng.normal(0.3, 0.1, 1000), around + 1e-9 * rng.normal(size=1000)), axis=1)
    assert constant_dimensions(data).tolist() == [False, True]
    assert constant_dimensions(data.astype(np.float32)).tolist() == [False, True]
    assert Affine.z_score(data).scale[1] == 1.0


@pytest.mark.parametrize('value', [0.0, 1e-5, 0.02, 300.0])
def test_a_constant_action_has_a_narrow_box_around_it(value):
    bounds = ActionBounds.of_data(np.full((5, 1), value, np.float32), 0.05, (-1e3, 1e3))
    half = (bounds.high[0] - bounds.low[0]) / 2
    assert bounds.low[0] < value < bounds.high[0]
    assert half == pytest.approx(1e-4 * (value or 1.0), rel=1e-3)


def test_states_may_be_divided_by_the_root_of_their_spread():
    states = np.random.default_rng(0).normal((1, 0), (4, 0.25), size=(5000, 2)).astype(np.float32)
    states = np.hstack((states, np.full((5000, 1), 7, np.float32)))
    scaled = [
        Scaling.of_data(states, states[:, :1], NormalizationConfig(observation=how), (-99, 99))
        for how in ('z_score', 'root_std')
    ]
    assert scaled[0].observation.scale == pytest.approx((4, 0.25, 1), rel=0.05)
    assert scaled[1].observation.scale == pytest.approx((2, 0.5, 1), rel=0.05)
    assert scaled[0].action == scaled[1].action


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
