import math

import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.losses import autoregressive_info_nce
from implicit_bc.samplers import (
    AutoregressiveConfig,
    DerivativeFreeConfig,
    autoregressive_minimize,
    autoregressive_negatives,
    minimize,
)


def box(dims):
    return -torch.ones(dims), torch.ones(dims)


def run(energies, batch=1, seed=0, bounds=None, **config):
    generator = torch.Generator().manual_seed(seed)
    low, high = bounds or box(len(energies))
    return autoregressive_minimize(
        energies, low, high, batch, AutoregressiveConfig(**config), generator
    )


def bowls(centre, stiffness=20.0):
    """One energy per dimension: a separable quadratic over the prefix."""

    def upto(size):
        return lambda prefix: stiffness * (prefix - centre[..., :size]).square().sum(-1)

    return [upto(size) for size in range(1, centre.shape[-1] + 1)]


def test_in_one_dimension_it_is_algorithm_1_bit_for_bit():
    def energy(actions):
        return torch.sin(9 * actions[..., 0]) + actions[..., 0].square()

    one = run([energy], batch=3, samples=64, iterations=4)
    joint = minimize(
        energy,
        *box(1),
        3,
        DerivativeFreeConfig(samples=64, iterations=4),
        torch.Generator().manual_seed(0),
    )
    assert torch.equal(one.candidates, joint.candidates)
    assert torch.equal(one.best, joint.best)


def test_separable_energy_agrees_with_joint_inference():
    centre = torch.tensor([0.3, -0.7, 0.1])
    energies = bowls(centre)
    one_by_one = run(energies, iterations=5)
    joint = minimize(
        energies[-1],
        *box(3),
        1,
        DerivativeFreeConfig(iterations=5),
        torch.Generator().manual_seed(0),
    )
    assert torch.allclose(one_by_one.best[0], centre, atol=0.04)
    assert torch.allclose(one_by_one.best, joint.best, atol=0.06)


def test_it_reaches_further_than_joint_inference_in_many_dimensions():
    centre = torch.linspace(-0.6, 0.7, 12)
    energies = bowls(centre, 50.0)
    found = run(energies, batch=8)
    joint = minimize(
        energies[-1], *box(12), 8, DerivativeFreeConfig(), torch.Generator().manual_seed(0)
    )
    error = (found.best - centre).abs().amax(1).mean()
    assert error < 0.1
    assert error < 0.4 * (joint.best - centre).abs().amax(1).mean()


def test_quadratic_of_each_observation_has_its_own_minimum():
    centres = torch.tensor([[0.3, -0.7], [-0.9, 0.2], [0.0, 0.0]])
    found = run(bowls(centres[:, None]), batch=3)
    assert torch.allclose(found.best, centres, atol=0.03)


def test_two_wells_are_not_mixed_and_the_deeper_one_wins():
    # At (-0.6, -0.6) and (0.6, 0.6); the first entry alone cannot tell which is deeper.
    wells = torch.tensor([[-0.6, -0.6], [0.6, 0.6]])
    energies = [
        lambda prefix: (100 * (prefix - wells[:, 0]).square()).amin(-1),
        lambda actions: (
            100 * (actions[:, :, None] - wells).square().sum(-1) + torch.tensor([1.0, 0.0])
        ).amin(-1),
    ]
    for seed in range(5):
        assert torch.allclose(run(energies, seed=seed).best[0], wells[1], atol=0.05)


def test_a_ridge_is_followed_to_its_lowest_point():
    # The first energy is what remains when the second entry is free to follow: the valley's floor.
    energies = [
        lambda prefix: 8 * (prefix[..., 0] - 0.4).square(),
        lambda a: 100 * (a[..., 0] - a[..., 1]).square() + 8 * (a[..., 0] - 0.4).square(),
    ]
    found = run(energies, iterations=5)
    assert torch.allclose(found.best[0], torch.tensor([0.4, 0.4]), atol=0.05)


def test_bounds_hold_in_dimensions_of_very_different_widths():
    low, high = torch.tensor([-50.0, 3.0, -1.0]), torch.tensor([50.0, 3.001, 1.0])
    outside = torch.tensor([0.0, 10.0, -7.0])
    energies = bowls(outside, 1.0)
    found = run(energies, bounds=(low, high))
    assert torch.all((found.candidates >= low) & (found.candidates <= high))
    assert torch.allclose(found.best[0, 1:], torch.tensor([3.001, -1.0]), atol=1e-4)


def test_energies_see_growing_prefixes_and_only_the_last_one_decides():
    calls = []

    def recording(size):
        def energy(prefix):
            calls.append(tuple(prefix.shape))
            return prefix.square().sum(-1)

        return energy

    run([recording(1), recording(2), recording(3)], samples=10, iterations=3)
    assert calls == [(1, 10, 1), (1, 10, 2), (1, 10, 3)] * 2 + [(1, 10, 3)]


def test_every_dimension_gets_the_same_noise_and_it_shrinks_once_per_pass():
    flat = [lambda prefix: 0 * prefix.sum(-1)] * 3
    config = AutoregressiveConfig(samples=5000, iterations=3, sigma=0.1)
    start = torch.zeros(1, 5000, 3)
    generator = torch.Generator().manual_seed(0)
    found = autoregressive_minimize(flat, *box(3), 1, config, generator, start)
    expected = torch.full((3,), math.hypot(0.1, 0.05))
    assert torch.allclose(found.candidates[0].std(0), expected, rtol=0.05)


def test_one_energy_per_dimension_is_required():
    with pytest.raises(IbcError, match='2 energies for 3 action dimensions'):
        run(bowls(torch.zeros(2)), bounds=box(3))


def test_counter_examples_follow_the_search_not_the_demonstration():
    centre = torch.tensor([0.5, -0.5])
    config = AutoregressiveConfig(samples=512, iterations=2, sigma=0.1)
    first, second = autoregressive_negatives(
        bowls(centre, 200.0), *box(2), 4, config, torch.Generator().manual_seed(0)
    )
    assert first.shape == (2, 4, 512, 1)
    assert second.shape == (2, 4, 512, 2)
    # First iteration: uniform; then prefixes chosen by the first energy, second entries uniform.
    assert first[0].std() == pytest.approx(2 / math.sqrt(12), rel=0.05)
    assert second[0, ..., 0].mean() == pytest.approx(0.5, abs=0.02)
    assert second[0, ..., 0].std() == pytest.approx(math.hypot(0.1, 0.05), rel=0.1)
    assert second[0, ..., 1].std() == pytest.approx(2 / math.sqrt(12), rel=0.05)
    # Second iteration: the second entry has been chosen as well.
    assert second[1, ..., 1].mean() == pytest.approx(-0.5, abs=0.02)


def test_drawing_counter_examples_leaves_no_gradient():
    weight = torch.ones(1, requires_grad=True)
    negatives = autoregressive_negatives(
        [lambda p: weight * p.square().sum(-1)] * 2, *box(2), 1, AutoregressiveConfig(samples=4)
    )
    assert not any(prefixes.requires_grad for prefixes in negatives)
    assert weight.grad is None


def test_loss_is_the_sum_over_dimensions_and_the_mean_over_iterations():
    # Energies that say nothing: log(1 + N) per dimension, however many iterations.
    flat = [lambda prefix: 0 * prefix.sum(-1)] * 3
    negatives = [torch.zeros(2, 5, 7, size) for size in (1, 2, 3)]
    loss = autoregressive_info_nce(flat, torch.zeros(5, 3), negatives)
    assert float(loss) == pytest.approx(3 * math.log(8))

    # Two iterations with one counter-example each, at energies 1 and 2 against 0.
    negatives = [torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)]
    loss = autoregressive_info_nce([lambda p: p[..., 0]], torch.zeros(1, 1), negatives)
    expected = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-2))) / 2
    assert float(loss) == pytest.approx(expected)


def test_each_energy_learns_from_its_own_prefixes_only():
    weights = [torch.ones(1, requires_grad=True) for _ in range(2)]
    energies = [
        lambda p: weights[0] * p[..., 0].square(),
        lambda p: weights[1] * p[..., 1].square(),
    ]
    negatives = [torch.ones(1, 1, 1, 1), torch.tensor([1.0, 2.0]).reshape(1, 1, 1, 2)]
    autoregressive_info_nce(energies, torch.zeros(1, 2), negatives).backward()
    # d/dw log(1 + exp(-w x^2)) = -x^2 / (1 + exp(w x^2)); the demonstrated action is at 0.
    assert float(weights[0].grad) == pytest.approx(-1 / (1 + math.e))
    assert float(weights[1].grad) == pytest.approx(-4 / (1 + math.exp(4)))


def test_same_seed_same_answer():
    energies = bowls(torch.zeros(2), 1.0)
    assert torch.equal(run(energies, seed=3).candidates, run(energies, seed=3).candidates)
    assert not torch.equal(run(energies, seed=3).candidates, run(energies, seed=4).candidates)


@pytest.mark.parametrize('bad', [{'samples': 0}, {'sigma': 0.0}, {'shrink': 1.5}])
def test_senseless_constants_are_refused(bad):
    with pytest.raises(ValueError, match='Input should be'):
        AutoregressiveConfig(**bad)
