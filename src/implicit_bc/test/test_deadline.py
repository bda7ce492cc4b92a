"""A search ends in time with a valid answer, and says how far it came."""

import numpy as np
import pytest
import torch

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from implicit_bc.methods import (
    Autoregressive,
    DerivativeFree,
    Langevin,
    MeanSquaredError,
    MixtureDensity,
)
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.policy import LearnedPolicy
from implicit_bc.samplers import (
    AutoregressiveConfig,
    Deadline,
    DerivativeFreeConfig,
    LangevinConfig,
    StepSize,
    autoregressive_minimize,
    langevin_minimize,
    minimize,
)
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

LOW, HIGH = torch.tensor([-1.0, -0.5]), torch.tensor([1.0, 0.5])
WELL = torch.tensor([0.3, -0.2])


class Clock:
    """Time that passes only where something says so [s]."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def bowl(clock, cost):
    """An energy with its minimum at WELL; every evaluation takes `cost` [s]."""

    def energy(actions):
        clock.now += cost
        return 20 * (actions - WELL[: actions.shape[-1]]).square().sum(-1)

    return energy


def search(kind, seconds, clock, cost=0.01):
    deadline = Deadline(seconds, clock=clock)
    generator = torch.Generator().manual_seed(0)
    energy = bowl(clock, cost)
    if kind == 'derivative_free':
        config = DerivativeFreeConfig(256, iterations=5)
        found = minimize(energy, LOW, HIGH, 1, config, generator, deadline=deadline)
    elif kind == 'autoregressive':
        config = AutoregressiveConfig(256, iterations=5)
        found = autoregressive_minimize(
            [energy, energy], LOW, HIGH, 1, config, generator, deadline=deadline
        )
    else:
        config = LangevinConfig(64, iterations=20, second_pass=StepSize(1e-5, 1e-5))
        found = langevin_minimize(energy, LOW, HIGH, 1, config, generator, deadline=deadline)
    return found, deadline


KINDS = {'derivative_free': 5, 'autoregressive': 5, 'langevin': 40}
kinds = pytest.mark.parametrize('kind', KINDS)


@kinds
def test_with_time_enough_everything_is_done(kind):
    free, _ = search(kind, None, Clock())
    found, deadline = search(kind, 10.0, Clock())
    assert found.iterations == free.iterations == KINDS[kind]
    assert not deadline.has_cut_short
    assert torch.equal(found.best, free.best)


@kinds
@pytest.mark.parametrize('seconds', [-1.0, 0.0, 0.005, 0.025, 0.045, 0.1, 0.199])
def test_it_ends_in_time_after_one_round_at_least(kind, seconds):
    clock, cost = Clock(), 0.01
    begin = clock.now
    found, deadline = search(kind, seconds, clock, cost)
    took = clock.now - begin
    # All candidates scored; before that, a pass over both dimensions, or a step of the chains.
    least = {'derivative_free': 1, 'autoregressive': 3, 'langevin': 2}[kind] * cost
    assert took <= max(seconds, least) + 1e-9
    assert 1 <= found.iterations <= KINDS[kind]
    assert deadline.has_cut_short == (found.iterations < KINDS[kind])
    # A valid answer: inside the box, the best of what was scored last.
    assert bool(((found.best >= LOW) & (found.best <= HIGH)).all())
    chosen = found.energies.argmin()
    assert torch.equal(found.best[0], found.candidates[0, chosen])
    assert torch.allclose(found.energies, bowl(Clock(), 0)(found.candidates))


@kinds
def test_more_time_finds_lower_energies(kind):
    spare, ample = (search(kind, seconds, Clock())[0] for seconds in (0.031, 1.0))
    assert spare.iterations < ample.iterations
    assert torch.dist(ample.best, WELL) < 0.05
    assert ample.energies.mean() < spare.energies.mean()


def test_a_slow_round_is_expected_to_come_again():
    clock = Clock()
    deadline = Deadline(0.95, clock=clock)
    costs = [0.1, 0.4, 0.1, 0.1, 0.1]
    done = []
    for index in deadline.rounds(len(costs)):
        clock.now += costs[index]
        done.append(index)
    assert done == [0, 1, 2]  # after 0.6 s, another 0.4 s do not fit, though 0.1 s would
    assert deadline.has_cut_short


def test_a_budget_that_is_not_a_number_is_refused(one_line):
    with pytest.raises(IbcError, match='time budget is not a number') as error:
        Deadline(float('nan'))
    one_line(error.value)


def test_no_rounds_are_no_rounds():
    deadline = Deadline(0.0)
    assert list(deadline.rounds(0)) == []
    assert not deadline.has_cut_short


@pytest.mark.parametrize(
    'method',
    [DerivativeFree(), Autoregressive(), Langevin(), MeanSquaredError(), MixtureDensity()],
    ids=lambda method: method.kind,
)
def test_policies_of_every_method_answer_at_once_if_they_must(method):
    contract = load_contract('planar_state')
    width = contract.observation_shape[1]
    scaling = Scaling(
        Affine((0.0,) * width, (1.0,) * width),
        Affine((0.0, 0.0), (0.01, 0.01)),
        ActionBounds((-0.03, -0.02), (0.02, 0.03)),
    )
    torch.manual_seed(0)
    network = NetworkConfig(value=ValueConfig(16, 2))
    model = method.model(Spaces.of_contract(contract), network, scaling)
    policy = LearnedPolicy(contract, model)
    observation = {'state': np.zeros(contract.observation_shape, np.float32)}
    decided = policy.infer(observation, np.random.default_rng(0), time_budget=0.0)
    assert decided.is_cut_short == (method.kind in KINDS)
    assert decided.iterations >= 1
    low, high = np.array(scaling.bounds.low), np.array(scaling.bounds.high)
    assert ((decided.action >= low - 1e-7) & (decided.action <= high + 1e-7)).all()
    at_leisure = policy.infer(observation, np.random.default_rng(0))
    assert not at_leisure.is_cut_short
    assert at_leisure.iterations >= decided.iterations
