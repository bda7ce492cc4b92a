"""Training that begins with a bundle."""

import dataclasses

import numpy as np
import pytest

from ibc_contract.errors import IbcError
from implicit_bc.bundle import load_bundle
from implicit_bc.methods import DerivativeFree, MeanSquaredError
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.training.config import LearningRate, TrainConfig
from implicit_bc.training.trainer import train

CONFIG = TrainConfig(
    contract='tiny',
    steps=100,
    batch_size=32,
    method=DerivativeFree(negatives=16),
    learning_rate=LearningRate(3e-3, final_fraction=0.05),
    network=NetworkConfig(value=ValueConfig(width=32, depth=2)),
    device='cpu',
)
ROWS = np.arange(0, 1000, 17)


@pytest.fixture
def trained(points, tmp_path):
    return train(CONFIG, points, tmp_path / 'first', progress=False)


def further(trained, points, folder, **changes):
    config = dataclasses.replace(CONFIG, initial_model=str(trained), **changes)
    return train(config, points, folder, progress=False)


def energies(bundle, points):
    model = load_bundle(bundle).policy.model
    observations, actions = points.batch(ROWS)
    seen, done = model.low.new_tensor(observations), model.low.new_tensor(actions)
    return model.landscape(seen, done[:, None]).detach().numpy()


def test_it_begins_where_the_bundle_ends(points, trained, tmp_path):
    slow = LearningRate(1e-7)
    bundle = further(trained, points, tmp_path / 'b', steps=1, learning_rate=slow)
    assert energies(bundle, points) == pytest.approx(energies(trained, points), abs=1e-3)
    other = train(dataclasses.replace(CONFIG, steps=1), points, tmp_path / 'c', progress=False)
    assert np.abs(energies(other, points) - energies(trained, points)).max() > 1
    assert f'begun with the weights of `{trained}`' in (bundle / 'README.md').read_text()


def test_normalizers_stay_and_the_box_is_that_of_the_new_data(points, trained, tmp_path):
    wider = dataclasses.replace(points, actions=1.2 * points.actions)
    after = load_bundle(further(trained, wider, tmp_path / 'b', steps=1)).policy.model.scaling
    before = load_bundle(trained).policy.model.scaling
    assert (after.action, after.observation) == (before.action, before.observation)
    assert after.bounds.high == pytest.approx(1.2 * np.array(before.bounds.high), rel=1e-3)


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'network': NetworkConfig(value=ValueConfig(width=16, depth=2))}, 'its network is'),
        ({'method': MeanSquaredError()}, 'its method.kind is derivative_free'),
        ({'initial_model': 'nothing'}, "unknown model 'nothing'"),
    ],
)
def test_what_does_not_fit_is_named(points, trained, tmp_path, one_line, change, named):
    config = dataclasses.replace(CONFIG, **({'initial_model': str(trained)} | change))
    with pytest.raises(IbcError, match=named) as error:
        train(config, points, tmp_path / 'b', progress=False)
    one_line(error.value)


def test_a_resumed_run_goes_on_with_its_own_weights(points, trained, tmp_path):
    steady = LearningRate(1e-3)  # another rate than a schedule's, which knows the run's length
    straight = further(trained, points, tmp_path / 'b', steps=20, learning_rate=steady)
    further(trained, points, tmp_path / 'c', steps=10, learning_rate=steady)
    config = dataclasses.replace(CONFIG, initial_model=str(trained), steps=20, learning_rate=steady)
    resumed = train(config, points, tmp_path / 'c', resume=True, progress=False)
    weights = 'policy.safetensors'
    assert (resumed / weights).read_bytes() == (straight / weights).read_bytes()
