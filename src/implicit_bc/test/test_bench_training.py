"""The training benchmark compares like with like."""

import dataclasses

import pytest

from ibc_contract.errors import IbcError
from implicit_bc.benchmarks.growth import bench_growth
from implicit_bc.benchmarks.training import compare_steps, paper_settings
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.spaces import Spaces

STATES, PIXELS = paper_settings()
SMALL_STATES = dataclasses.replace(STATES, batch=24, negatives=16)
SMALL_PIXELS = dataclasses.replace(
    PIXELS,
    spaces=Spaces((2, 24, 32, 3), 2),
    network=NetworkConfig(
        image=ConvMaxPoolConfig((8, 16), (True, False), keypoints=8), value=ValueConfig(16, 2)
    ),
    batch=12,
    negatives=8,
)


def test_the_settings_are_the_paper_s():
    value = STATES.network.value
    assert (value.width, value.depth, value.kind) == (128, 8, 'residual')  # D.2
    assert (STATES.batch, STATES.negatives) == (512, 256)
    value = PIXELS.network.value
    assert (value.width, value.depth, PIXELS.batch, PIXELS.negatives) == (1024, 4, 128, 256)  # D.5
    assert PIXELS.spaces.observation == (2, 90, 120, 3)


@pytest.mark.parametrize('setting', [SMALL_STATES, SMALL_PIXELS], ids=lambda s: s.name)
def test_both_sides_take_the_same_gradient(setting):
    result = compare_steps(setting, 2, 'cpu')
    assert result['gradient_difference'] <= setting.tolerance
    assert result['speedup'] == pytest.approx(
        result['steps_per_s'] / result['plain_steps_per_s'], rel=0.05
    )
    assert result['device']


def test_the_seed_decides_what_is_compared():
    first, again, other = (
        compare_steps(SMALL_STATES, 1, 'cpu', seed)['gradient_difference'] for seed in (1, 1, 2)
    )
    assert first == again != other


def test_different_gradients_are_an_error(one_line):
    setting = dataclasses.replace(SMALL_STATES, tolerance=0.0)
    with pytest.raises(IbcError, match='states: gradients differ from the plain ones') as error:
        compare_steps(setting, 1, 'cpu')
    one_line(error.value)


def test_a_device_that_does_not_exist(one_line):
    with pytest.raises(IbcError, match="device 'cuda:77'") as error:
        compare_steps(SMALL_STATES, 1, 'cuda:77')
    one_line(error.value)


def test_memory_of_the_plain_step_grows_with_its_size_and_ours_stays():
    small, large = bench_growth(((64, 128), (256, 128)), progress=False)
    assert (small['candidates'], large['candidates']) == (64 * 129, 256 * 129)
    # of every candidate, 9 activations of 128 floats are kept for the backward pass
    kept_mb = 9 * 128 * 4 * 192 * 129 / 1e6
    assert large['plain']['peak_mb'] - small['plain']['peak_mb'] > 0.7 * kept_mb
    assert large['here']['peak_mb'] < 0.5 * large['plain']['peak_mb']
