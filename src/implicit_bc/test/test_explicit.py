"""MSE and mixture density networks on data with one and with two answers."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from implicit_bc.methods import MeanSquaredError, MixtureDensity
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.scaling import NormalizationConfig, Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.training.config import LearningRate, TrainConfig
from implicit_bc.training.data import ArrayData
from implicit_bc.training.trainer import fit


def config(method, steps=300):
    return TrainConfig(
        method=method,
        steps=steps,
        batch_size=64,
        learning_rate=LearningRate(3e-3, final_fraction=0.05),
        network=NetworkConfig(value=ValueConfig(width=32, depth=2)),
        holdout=0.0,
        threads=1,
        device='cpu',
    )


def data(actions):
    rng = np.random.default_rng(0)
    states = rng.uniform(-1, 1, (600, 1)).astype(np.float32)
    return ArrayData(states, actions(states, rng).astype(np.float32), np.zeros(600, np.int32))


def decide(model, states):
    observation = torch.tensor(states, dtype=torch.float32)[:, None, None]
    model.eval()
    with torch.no_grad():
        decided = model.decide(observation, torch.Generator().manual_seed(0))
    return decided, model.action.inverse(decided.best).numpy()


@pytest.mark.parametrize('method', [MeanSquaredError(), MixtureDensity(components=4)])
def test_a_line_is_learned(method, tmp_path):
    line = data(lambda x, _: np.hstack((0.5 * x, -x)))
    model = fit(config(method), line, tmp_path, progress=False).model
    _, actions = decide(model, [-0.8, 0.0, 0.8])
    np.testing.assert_allclose(actions, [[-0.4, 0.8], [0, 0], [0.4, -0.8]], atol=0.06)


def test_between_two_answers_least_squares_takes_the_mean_and_a_mixture_takes_one(tmp_path):
    forked = data(
        lambda x, rng: rng.choice((-1.0, 1.0), (len(x), 1)) + 0.01 * rng.normal(size=x.shape)
    )
    mean = fit(config(MeanSquaredError()), forked, tmp_path / 'mse', progress=False).model
    assert abs(decide(mean, [0.2])[1].item()) < 0.3
    mixture = fit(config(MixtureDensity(components=3)), forked, tmp_path / 'mdn', progress=False)
    decided, actions = decide(mixture.model, [0.2])
    assert abs(actions.item()) == pytest.approx(1.0, abs=0.05)
    draws = mixture.model.action.inverse(decided.candidates)[0, :, 0]
    assert 0.2 < float((draws > 0).float().mean()) < 0.8


def test_actions_stay_inside_the_bounds(tmp_path):
    line = data(lambda x, _: x)
    model = fit(config(MeanSquaredError()), line, tmp_path, progress=False).model
    bounds = model.scaling.bounds
    assert decide(model, [50.0])[1].item() == pytest.approx(bounds.high[0], abs=1e-5)


@torch.no_grad()
def test_the_energy_of_a_mixture_is_its_negative_log_likelihood():
    torch.manual_seed(0)
    forked = data(lambda x, rng: x)
    scaling = Scaling.of_data(
        forked.observations, forked.actions, NormalizationConfig(), forked.action_limits
    )
    model = MixtureDensity(components=2).model(forked.spaces, NetworkConfig(), scaling)
    observation, action = torch.zeros(1, 1, 1), torch.tensor([[0.3]])
    loss = model.losses(observation, action, torch.Generator())['loss']
    assert float(model.landscape(observation, action[:, None])) == pytest.approx(float(loss))
    grid = torch.linspace(-30, 30, 4001)[None, :, None]
    density = torch.exp(-model.landscape(observation, grid))[0]
    step_normalized = float((grid[0, 1] - grid[0, 0]) / scaling.action.scale[0])
    assert float(density.sum() * step_normalized) == pytest.approx(1.0, abs=1e-3)


class Says(nn.Module):
    """A network whose output (1, n) is always the same."""

    def __init__(self, output):
        super().__init__()
        self.output = output

    def forward(self, _):
        return self.output


@torch.no_grad()
def test_temperature_and_exponent_of_a_mixture_of_two():
    """Training and acting have a temperature each; only acting has the exponent."""
    method = MixtureDensity(
        components=2, training_temperature=2.0, test_temperature=3.0, test_variance_exponent=4.0
    )
    unit = Affine((0.0,), (1.0,))
    scaling = Scaling(unit, unit, ActionBounds((-9.0,), (9.0,)))
    model = method.model(Spaces((1, 1), 1), NetworkConfig(), scaling)
    logits, means, stds = (1.5, 0.0), (-0.2, 0.7), (0.8, 0.5)
    model.network = Says(torch.tensor([[*logits, *means, *map(math.log, stds)]]))
    observation, action = torch.zeros(1, 1, 1), 0.3

    def log_density(temperature, exponent):
        weights = [math.exp(logit / temperature) for logit in logits]
        density = 0.0
        for weight, mean, std in zip(weights, means, stds, strict=True):
            z = (action - mean) / std**exponent
            bell = math.exp(-(z**2) / 2) / (std**exponent * math.sqrt(2 * math.pi))
            density += weight / sum(weights) * bell
        return math.log(density)

    loss = model.losses(observation, torch.tensor([[action]]), torch.Generator())['loss']
    assert float(loss) == pytest.approx(-log_density(2.0, 1.0), rel=1e-5)
    energy = model.landscape(observation, torch.tensor([[[action]]]))
    assert float(energy) == pytest.approx(-log_density(3.0, 4.0), rel=1e-4)
    draws = model.draw(observation, 50_000, torch.Generator().manual_seed(0))[0, :, 0]
    first = draws < 0.35  # by more than a standard deviation of the first, 0.8 ** 4
    share = 1 / (1 + math.exp(-0.5))
    spread = float(draws[(draws - 0.7).abs() < 0.2].std())
    assert float(first.float().mean()) == pytest.approx(
        share * (1 + math.erf(0.55 / 0.8**4 / math.sqrt(2))) / 2, abs=0.01
    )
    assert spread < 0.1
