import math

import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.networks.energy import EnergyNetwork, FlatEncoder
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.samplers import (
    LangevinConfig,
    StepSize,
    langevin_chain,
    langevin_minimize,
    uniform_actions,
)

LOW, HIGH = torch.tensor([-1.0, -2.0]), torch.tensor([1.0, 0.5])
HALF = (HIGH - LOW) / 2
UNIT = (torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0]))


def run(energy, batch=1, seed=0, box=(LOW, HIGH), start=None, **config):
    generator = torch.Generator().manual_seed(seed)
    return langevin_minimize(energy, *box, batch, LangevinConfig(**config), generator, start)


def bowl(centre, stiffness=10.0):
    return lambda actions: stiffness * (actions - centre).square().sum(-1)


def network():
    torch.manual_seed(0)
    return EnergyNetwork(FlatEncoder(6), ValueConfig(width=16, depth=3), 2)


def test_step_sizes_fall_by_the_polynomial_from_the_first_step_to_the_last():
    # Half their sum bounds the way that a slope of 1 can carry a chain of 100 steps (D.1: 8.4).
    sizes = [StepSize(0.5, 1e-5, 2.0).at(step, 100) for step in range(100)]
    assert sizes[0] == 0.5
    assert sizes[-1] == pytest.approx(1e-5)
    assert sizes[33] == pytest.approx(1e-5 + (0.5 - 1e-5) * (2 / 3) ** 2)
    assert sum(sizes) / 2 == pytest.approx(8.38, abs=0.01)
    assert StepSize().at(0, 1) == 0.1


def test_one_pass_without_noise_is_gradient_descent_in_units_of_the_half_width():
    # u <- (1 - lambda_k q / 2) u for E = q/2 u^2 with u measured in half-widths from the centre.
    stiffness, steps = 1.5, 7
    size = StepSize(0.2, 0.05, 1.0)
    start = uniform_actions(LOW, HIGH, 3, 5, torch.Generator().manual_seed(0))
    centre = (LOW + HIGH) / 2
    config = LangevinConfig(iterations=steps, step_size=size, noise=0.0, max_step=1.0)

    def energy(actions):
        return stiffness / 2 * ((actions - centre) / HALF).square().sum(-1)

    ends = langevin_chain(energy, start, LOW, HIGH, config)
    factor = math.prod(1 - size.at(k, steps) * stiffness / 2 for k in range(steps))
    assert torch.allclose(ends - centre, factor * (start - centre), atol=1e-6)


def test_a_step_is_clipped_in_every_dimension_by_its_own_half_width():
    start = ((LOW + HIGH) / 2)[None, None]
    config = LangevinConfig(iterations=1, noise=0.0, max_step=0.1)
    ends = langevin_chain(lambda a: 1e6 * (a[..., 1] - a[..., 0]), start, LOW, HIGH, config)
    assert torch.allclose(ends - start, torch.tensor([0.1, -0.1]) * HALF)


def test_noise_is_multiplied_by_the_step_size_and_clipped_with_the_gradient():
    start = ((LOW + HIGH) / 2).expand(1, 20_000, 2)
    generator = torch.Generator().manual_seed(0)
    config = LangevinConfig(iterations=1, step_size=StepSize(0.04, 0.04), noise=0.5)
    ends = langevin_chain(lambda a: 0 * a.sum(-1), start, LOW, HIGH, config, generator)
    assert torch.allclose((ends - start).std(dim=(0, 1)), 0.04 * 0.5 * HALF, rtol=0.03)

    loud = LangevinConfig(iterations=1, noise=1e3, max_step=0.1)
    ends = langevin_chain(lambda a: 0 * a.sum(-1), start, LOW, HIGH, loud, generator)
    assert torch.all((ends - start).abs() <= 0.1 * HALF + 1e-6)


def test_quadratic_of_each_observation_has_its_own_minimum():
    centres = torch.tensor([[0.3, -0.7], [-0.9, 0.2], [0.0, 0.0]])
    found = run(bowl(centres[:, None]), batch=3, samples=64)
    assert torch.allclose(found.best, centres, atol=0.005)
    # Not only the best chain has arrived.
    assert torch.allclose(found.candidates, centres[:, None].expand(-1, 64, -1), atol=0.1)


def test_two_wells_give_the_deeper_one_not_the_mean():
    wells, depths = torch.tensor([[-0.6, 0.0], [0.6, 0.0]]), torch.tensor([0.0, 1.0])

    def energy(actions):
        distance = (actions[:, :, None] - wells).square().sum(-1)
        return (10 * distance + depths).amin(-1)

    for seed in range(3):
        found = run(energy, seed=seed, samples=64)
        assert torch.allclose(found.best[0], wells[0], atol=0.02)
        to_wells = torch.cdist(found.candidates[0], wells).amin(1)
        assert torch.all(to_wells < 0.15)


def test_a_ridge_is_reached_from_everywhere_and_followed_to_its_lowest_point():
    # A valley along x = y, a hundred times steeper across than along it.
    def energy(actions):
        x, y = actions[..., 0], actions[..., 1]
        return 10 * (x - y).square() + 0.1 * (x + y - 0.8).square()

    found = run(energy, box=UNIT, samples=128, iterations=100)
    x, y = found.candidates[0].T
    assert (x - y).abs().max() < 0.1
    assert found.energies.min() < 1e-3
    assert torch.allclose(found.best[0], torch.tensor([0.4, 0.4]), atol=0.06)


def test_a_minimum_outside_is_found_on_the_border():
    found = run(bowl(torch.tensor([3.0, -5.0])), samples=16, iterations=100)
    assert torch.allclose(found.best[0], torch.tensor([1.0, -2.0]), atol=1e-3)


def test_dimensions_of_very_different_widths_are_minimized_alike():
    low = torch.tensor([-100.0, 3.0, -1.0, 0.0])
    high = torch.tensor([300.0, 3.001, 1.0, 0.0])
    centre = torch.tensor([250.0, 3.0002, -0.5, 0.0])
    half = (high - low) / 2

    def energy(actions):
        return 10 * ((actions - centre) / half.clamp(min=1e-6)).square().sum(-1)

    found = run(energy, box=(low, high), samples=64)
    assert torch.all((found.candidates >= low) & (found.candidates <= high))
    error = (found.best[0] - centre).abs()
    assert torch.all(error <= 0.02 * half)


def test_the_answer_is_the_argmin_of_the_final_scores():
    def energy(actions):
        return torch.sin(7 * actions[..., 0]) * torch.cos(5 * actions[..., 1])

    found = run(energy, batch=2, samples=16, iterations=3)
    assert torch.equal(energy(found.candidates), found.energies)
    for row in range(2):
        assert torch.equal(found.best[row], found.candidates[row, found.energies[row].argmin()])


def test_the_second_pass_doubles_the_steps_and_quenches_what_the_first_left_hot():
    calls = []

    def energy(actions):
        calls.append(actions.requires_grad)
        return 10 * actions.square().sum(-1)

    hot = {'samples': 64, 'iterations': 20, 'step_size': StepSize(0.1, 0.1)}
    once = run(energy, **hot)
    assert calls == [True] * 20 + [False]
    calls.clear()
    twice = run(energy, second_pass=StepSize(0.1, 1e-5), **hot)
    assert calls == [True] * 40 + [False]
    assert twice.energies.mean() < 0.5 * once.energies.mean()


def test_the_first_pass_at_inference_may_have_a_noise_of_its_own():
    flat = {'samples': 2000, 'iterations': 1, 'step_size': StepSize(0.04, 0.04), 'noise': 0.1}
    start = ((LOW + HIGH) / 2).expand(1, 2000, 2)

    def spread(**noise):
        made = run(lambda a: 0 * a.sum(-1), start=start, **flat, **noise)
        return made.candidates.std(dim=(0, 1)) / HALF

    assert torch.allclose(spread(), torch.full((2,), 0.004), rtol=0.1)
    assert torch.allclose(spread(inference_noise=0.8), torch.full((2,), 0.032), rtol=0.1)


def test_the_second_pass_keeps_the_noise_of_the_chains_whatever_the_first_has():
    # A first pass that hardly moves, so that what is left is the noise of the second.
    start = ((LOW + HIGH) / 2).expand(1, 2000, 2)
    made = run(
        lambda a: 0 * a.sum(-1),
        start=start,
        samples=2000,
        iterations=1,
        step_size=StepSize(1e-6, 1e-6),
        second_pass=StepSize(0.04, 0.04),
        noise=0.1,
        inference_noise=0.8,
    )
    spread = made.candidates.std(dim=(0, 1)) / HALF
    assert torch.allclose(spread, torch.full((2,), 0.004), rtol=0.1)


def test_chains_begin_where_they_are_told():
    start = torch.tensor([[[0.5, -1.0], [9.0, 9.0]]])
    found = run(lambda a: 0 * a.sum(-1), start=start, samples=4, iterations=1, noise=0.0)
    assert torch.equal(found.candidates[0, :2], torch.stack((start[0, 0], HIGH)))
    with pytest.raises(IbcError, match=r'start: is \(1, 2, 2\), this sampler starts \(1, 1, 2\)'):
        run(bowl(0.0), start=start, samples=1)


def test_same_seed_same_answer():
    energy = bowl(torch.tensor([0.1, 0.2]), 1.0)
    first, again = run(energy, seed=3, samples=8), run(energy, seed=3, samples=8)
    other = run(energy, seed=4, samples=8)
    assert torch.equal(first.candidates, again.candidates)
    assert not torch.equal(first.candidates, other.candidates)


@pytest.mark.parametrize('mode', [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_works_in_every_gradient_mode_with_the_same_result(mode):
    energy = network()
    observation = torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    expected = run(lambda a: energy(observation, a), batch=3, samples=8, iterations=5)
    with mode():
        embedded = energy.embed(observation)
        found = run(lambda a: energy.score(embedded, a), batch=3, samples=8, iterations=5)
    assert torch.allclose(found.candidates, expected.candidates, atol=1e-6)
    assert not found.candidates.requires_grad
    assert not found.energies.requires_grad
    assert all(weight.grad is None for weight in energy.parameters())


def test_the_graph_of_an_embedding_survives_the_chain():
    energy = network()
    embedded = energy.embed(torch.randn(2, 6))
    start = uniform_actions(*UNIT, 2, 4)
    config = LangevinConfig(iterations=3)
    ends = langevin_chain(lambda a: energy.score(embedded, a), start, *UNIT, config)
    assert not ends.requires_grad
    energy.score(embedded, ends).sum().backward()
    assert energy.observation_half.weight.grad is not None


@pytest.mark.parametrize(
    'bad', [{'samples': 0}, {'iterations': 0}, {'noise': -1.0}, {'max_step': 0.0}]
)
def test_senseless_constants_are_refused(bad):
    with pytest.raises(ValueError, match='Input should be'):
        LangevinConfig(**bad)
