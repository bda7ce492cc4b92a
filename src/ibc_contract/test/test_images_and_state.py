import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from ibc_contract.images import decode_jpeg, encode_jpeg, to_observation
from ibc_contract.state import state_vector

RGB = load_contract('planar_rgb')
STATE = load_contract('planar_state')
ONE_OBJECT = dataclasses.replace(
    STATE, observation=dataclasses.replace(STATE.observation, objects=1)
)


def test_jpeg_keeps_colours_in_rgb_order():
    rgb = np.zeros((64, 96, 3), np.uint8)
    rgb[:, :48] = (200, 30, 20)
    rgb[:, 48:] = (10, 40, 220)
    again = decode_jpeg(encode_jpeg(rgb))
    assert again.shape == rgb.shape
    assert np.abs(again[:, 8:40].astype(int) - (200, 30, 20)).max() <= 4
    assert np.abs(again[:, 56:88].astype(int) - (10, 40, 220)).max() <= 4


def test_decoding_is_repeatable_to_the_byte():
    rgb = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    jpeg = encode_jpeg(rgb)
    np.testing.assert_array_equal(decode_jpeg(jpeg), decode_jpeg(jpeg))
    assert encode_jpeg(rgb) == jpeg


@pytest.mark.parametrize('garbage', [b'', b'\xff\xd8\xff', b'no image at all'])
def test_garbage_is_refused(garbage):
    with pytest.raises(IbcError, match='not a JPEG'):
        decode_jpeg(garbage)


def test_the_observation_averages_areas():
    # 640x360 -> 120x90 averages 16/3 x 4 pixels: stripes finer than that vanish into their mean.
    rgb = np.zeros((360, 640, 3), np.uint8)
    rgb[::2] = 200
    small = to_observation(rgb, RGB)
    assert small.shape == (90, 120, 3)
    assert small.dtype == np.uint8
    assert np.abs(small.astype(int) - 100).max() <= 1


def test_a_state_contract_has_no_images():
    with pytest.raises(IbcError, match='planar_state observes no images'):
        to_observation(np.zeros((36, 64, 3), np.uint8), STATE)


@given(st.floats(-np.pi, np.pi), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_state_holds_setpoint_position_and_yaw(yaw, x, y):
    pose = [x, y, 0.04, 0.0, 0.0, np.sin(yaw / 2), np.cos(yaw / 2)]
    vector = state_vector((0.3, -0.1), [pose], ONE_OBJECT)
    assert vector.dtype == np.float32
    expected = [0.3, -0.1, x, y, np.cos(yaw), np.sin(yaw)]
    np.testing.assert_allclose(vector, expected, atol=1e-6)


def test_absent_objects_are_zeros():
    pose = [0.4, 0.1, 0.04, 0.0, 0.0, 0.0, 1.0]
    vector = state_vector((0.3, -0.1), [pose, pose], STATE)
    assert vector.shape == (18,)
    np.testing.assert_allclose(vector[6:10], [0.4, 0.1, 1.0, 0.0], atol=1e-6)
    assert not vector[10:].any()


@pytest.mark.parametrize('count', [0, 5])
def test_the_wrong_number_of_objects_is_refused(count):
    with pytest.raises(IbcError, match=f'room for 4 objects, but the twin has {count}'):
        state_vector((0.3, 0.0), np.zeros((count, 7)), STATE)
    with pytest.raises(IbcError, match='planar_rgb observes images'):
        state_vector((0.3, 0.0), np.zeros((4, 7)), RGB)
