import numpy as np
import pytest

from ibc_contract.errors import IbcError
from implicit_bc.nearest_neighbor import NearestNeighborPolicy
from implicit_bc.training.data import ArrayData

RNG = np.random.default_rng(0)


def demonstrations(observations):
    count = len(observations)
    actions = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    return ArrayData(observations, actions, np.arange(count))


def test_states_are_compared_exactly_and_without_scaling():
    data = demonstrations(np.array([[0, 0], [1, 0], [0, 100]], np.float32))
    policy = NearestNeighborPolicy(data, np.arange(3))
    asked = np.array([[[0.4, 3]], [[0.6, 3]], [[0, 51]]], np.float32)
    assert policy.act_on(asked).tolist() == [[0, 1], [2, 3], [4, 5]]
    assert policy.act({'state': asked[1]}, RNG).tolist() == [2, 3]


def test_states_far_from_the_origin_are_found_again():
    data = demonstrations((300 + RNG.uniform(size=(2000, 4))).astype(np.float32))
    policy = NearestNeighborPolicy(data, np.arange(2000))
    np.testing.assert_array_equal(policy.act_on(data.observations[:, None]), data.actions)


def test_images_are_found_again_under_noise():
    images = RNG.integers(0, 256, (400, 12, 16, 3)).astype(np.uint8)
    data = demonstrations(images)
    policy = NearestNeighborPolicy(data, np.arange(400))
    noisy = np.clip(images.astype(int) + RNG.normal(0, 12, images.shape), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(policy.act_on(noisy[:, None]), data.actions)


def test_only_the_given_rows_are_remembered(one_line):
    data = demonstrations(np.array([[0.0], [1.0], [2.0]], np.float32))
    policy = NearestNeighborPolicy(data, np.array([0, 2]))
    assert policy.act_on(np.array([[[1.1]]], np.float32)).tolist() == [[4, 5]]
    with pytest.raises(IbcError, match='no demonstrated step') as error:
        NearestNeighborPolicy(data, np.array([], int))
    one_line(error.value)
