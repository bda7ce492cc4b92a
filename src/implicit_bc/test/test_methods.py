"""Every method learns small problems with known answers, from arrays to decisions."""

import numpy as np
import pytest
import torch

from implicit_bc.losses import GradientPenaltyConfig
from implicit_bc.methods import (
    Autoregressive,
    DerivativeFree,
    ImplicitModel,
    Langevin,
    MeanSquaredError,
    MixtureDensity,
)
from implicit_bc.networks.dropout import Dropout
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.samplers import AutoregressiveConfig, DerivativeFreeConfig, LangevinConfig
from implicit_bc.scaling import NormalizationConfig, Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.training.config import LearningRate, TrainConfig, config_from_dict
from implicit_bc.training.data import ArrayData
from implicit_bc.training.trainer import fit

IMPLICIT = {
    'derivative_free': DerivativeFree(negatives=64, sampler=DerivativeFreeConfig(samples=256)),
    'autoregressive': Autoregressive(negatives=32, sampler=AutoregressiveConfig(samples=256)),
    'langevin': Langevin(
        negatives=16,
        sampler=LangevinConfig(samples=64, iterations=25, max_step=0.25),
        gradient_penalty=GradientPenaltyConfig(margin=5.0),
    ),
}


def train(method, data, run_dir, steps=250):
    config = TrainConfig(
        method=method,
        steps=steps,
        batch_size=32,
        learning_rate=LearningRate(3e-3, final_fraction=0.02),
        network=NetworkConfig(value=ValueConfig(width=64, depth=3)),
        normalization=NormalizationConfig(action='min_max'),
        holdout=0.0,
        threads=1,
        device='cpu',
    )
    return fit(config, data, run_dir, progress=False).model.eval()


def data(actions, count=600):
    rng = np.random.default_rng(0)
    states = rng.uniform(-1, 1, (count, 1)).astype(np.float32)
    return ArrayData(states, actions(states, rng).astype(np.float32), np.zeros(count, np.int32))


@torch.no_grad()
def decide(model, states):
    observation = torch.tensor(states, dtype=torch.float32)[:, None, None]
    return model.action.inverse(
        model.decide(observation, torch.Generator().manual_seed(0)).best
    ).numpy()


@pytest.mark.parametrize('kind', IMPLICIT)
def test_a_jump_stays_sharp(kind, tmp_path):
    """Paper Fig. 2a: an energy takes one side or the other, not what lies between."""
    step = data(lambda x, _: np.hstack((np.sign(x), 0.3 * np.sign(-x))))
    model = train(IMPLICIT[kind], step, tmp_path)
    asked = np.array([-0.9, -0.4, -0.1, 0.1, 0.4, 0.9])
    expected = np.stack((np.sign(asked), -0.3 * np.sign(asked)), axis=1)
    np.testing.assert_allclose(decide(model, asked), expected, atol=0.12)


@pytest.mark.parametrize('kind', IMPLICIT)
def test_of_two_answers_one_is_given(kind, tmp_path):
    forked = data(lambda x, rng: rng.choice((-1.0, 1.0), (len(x), 1)) * np.array([[1.0, 0.5]]))
    model = train(IMPLICIT[kind], forked, tmp_path)
    for first, second in decide(model, [-0.5, 0.0, 0.5]):
        assert abs(first) == pytest.approx(1.0, abs=0.12)
        assert second == pytest.approx(0.5 * np.sign(first), abs=0.08)


@pytest.mark.parametrize('kind', IMPLICIT)
def test_the_landscape_is_lowest_where_the_decision_is(kind, tmp_path):
    line = data(lambda x, _: np.hstack((x, -x)))
    model = train(IMPLICIT[kind], line, tmp_path, steps=150)
    assert isinstance(model, ImplicitModel)
    axis = torch.linspace(-1, 1, 41)
    grid = torch.cartesian_prod(axis, axis)
    with torch.no_grad():
        energies = model.landscape(torch.full((1, 1, 1), 0.4), grid[None])[0]
    np.testing.assert_allclose(grid[energies.argmin()], decide(model, [0.4])[0], atol=0.08)


def test_the_gradient_penalty_is_reported_and_bounds_the_slope(tmp_path):
    line = data(lambda x, _: x)
    chains = LangevinConfig(samples=64, iterations=25)
    plain = Langevin(negatives=16, sampler=chains, gradient_penalty=None)
    free = train(plain, line, tmp_path / 'free', 150)
    bound = train(Langevin(negatives=16, sampler=chains), line, tmp_path / 'bound', 150)
    observation, action = torch.zeros(1, 1, 1), torch.linspace(-1, 1, 101)[None, :, None]

    def steepest(model):
        asked = action.clone().requires_grad_()
        (slope,) = torch.autograd.grad(model.landscape(observation, asked).sum(), asked)
        return float(slope.abs().max())

    assert steepest(bound) < 1.5 < steepest(free)
    losses = bound.losses(observation, action[:, 0], torch.Generator().manual_seed(0))
    assert set(losses) == {'loss', 'info_nce', 'gradient_penalty'}


def test_uniform_counter_examples_join_those_of_the_chains():
    method = Langevin(negatives=3, uniform_negatives=5, gradient_penalty=None)
    scaling = Scaling.of_data(
        np.zeros((2, 1)), np.array([[-1.0], [1.0]]), NormalizationConfig(), (-1.0, 1.0)
    )
    model = method.model(Spaces((1, 1), 1), NetworkConfig(value=ValueConfig(8, 2)), scaling)
    torch.nn.init.zeros_(model.network.value.head.weight)  # all candidates are as good
    observation, action = torch.zeros(4, 1, 1), torch.zeros(4, 1)
    loss = model.losses(observation, action, torch.Generator().manual_seed(0))['loss']
    assert float(loss.detach()) == pytest.approx(np.log(1 + 3 + 5), abs=1e-5)


@pytest.mark.parametrize(
    'method', [Autoregressive(negatives=7), Langevin(negatives=7)], ids=lambda m: m.kind
)
def test_dropout_rests_while_counter_examples_are_searched_for(method):
    scaling = Scaling.of_data(
        np.zeros((2, 1)), np.array([[-1.0] * 2, [1.0] * 2]), NormalizationConfig(), (-1.0, 1.0)
    )
    network = NetworkConfig(value=ValueConfig(8, 2, dropout=0.5))
    model = method.model(Spaces((1, 1), 2), network, scaling).train()
    seen = set()
    for module in model.modules():
        if isinstance(module, Dropout):
            module.register_forward_hook(lambda m, x, _: seen.add((x[0].shape[1], m.training)))
    model.losses(torch.zeros(3, 1, 1), torch.zeros(3, 2), torch.Generator().manual_seed(0))
    assert seen == {(7, False), (8, True)}  # searched for; contrasted with the demonstrated one


@pytest.mark.parametrize(
    'method', [*IMPLICIT.values(), MeanSquaredError(), MixtureDensity(components=3)]
)
def test_every_method_survives_its_yaml(method):
    config = TrainConfig(method=method)
    assert config_from_dict(config.to_dict(), 'here').method == method
