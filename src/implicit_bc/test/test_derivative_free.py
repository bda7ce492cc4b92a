import pytest
import torch

from implicit_bc.samplers import DerivativeFreeConfig, minimize, uniform_actions

LOW, HIGH = torch.tensor([-1.0, -2.0]), torch.tensor([1.0, 0.5])


def run(energy, batch=1, seed=0, **config):
    generator = torch.Generator().manual_seed(seed)
    return minimize(energy, LOW, HIGH, batch, DerivativeFreeConfig(**config), generator)


def test_uniform_actions_fill_the_box_of_each_dimension():
    actions = uniform_actions(LOW, HIGH, 4, 5000, torch.Generator().manual_seed(0))
    assert actions.shape == (4, 5000, 2)
    assert torch.allclose(actions.amin((0, 1)), LOW, atol=1e-3)
    assert torch.allclose(actions.amax((0, 1)), HIGH, atol=1e-3)


def test_quadratic_of_each_observation_has_its_own_minimum():
    centres = torch.tensor([[0.3, -0.7], [-0.9, 0.2], [0.0, 0.0]])
    found = run(lambda a: 50 * (a - centres[:, None]).square().sum(-1), batch=3)
    assert torch.allclose(found.best, centres, atol=0.03)


def test_two_wells_give_the_deeper_one_not_the_mean():
    wells = torch.tensor([[-0.6, 0.0], [0.6, 0.0]])
    depths = torch.tensor([0.0, 1.0])

    def energy(actions):
        distance = (actions[:, :, None] - wells).square().sum(-1)
        return (100 * distance + depths).amin(-1)

    for seed in range(5):
        assert torch.allclose(run(energy, seed=seed).best[0], wells[0], atol=0.05)


def test_noise_begins_with_sigma_and_shrinks_after_every_round():
    """On a flat energy and all from one point, variances add up: 0.33, then 0.165 (B.1)."""
    low, high = torch.tensor([-9.0, -9.0]), torch.tensor([9.0, 9.0])
    start, generator = torch.zeros(1, 20_000, 2), torch.Generator().manual_seed(0)

    def variance(rounds):
        config = DerivativeFreeConfig(samples=20_000, iterations=1 + rounds)
        flat = minimize(lambda a: 0 * a[..., 0], low, high, 1, config, generator, start, kept=0)
        return float(flat.candidates.var())

    assert variance(0) == 0.0
    assert variance(1) ** 0.5 == pytest.approx(0.33, rel=0.02)
    assert (variance(2) - variance(1)) ** 0.5 == pytest.approx(0.165, rel=0.08)


UNIT = torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0])


def from_the_minimum(ridge, minimum, **config):
    """Distance of 64 answers from the minimum of a ridge along x = y."""
    generator = torch.Generator().manual_seed(0)
    found = minimize(ridge, *UNIT, 64, DerivativeFreeConfig(**config), generator)
    return (found.best - minimum).norm(dim=1)


def test_a_ridge_is_followed_to_its_lowest_point():
    # A hundred times steeper across than along it.
    def ridge(actions):
        x, y = actions.unbind(-1)
        return 2.5 * (x + y - 0.6).square() + 250 * (x - y).square()

    lowest = torch.tensor([0.3, 0.3])
    found, more = (from_the_minimum(ridge, lowest, samples=count) for count in (1024, 16384))
    assert found.mean() < 0.03
    assert found.max() < 0.1
    assert more.mean() < 0.4 * found.mean()
    assert from_the_minimum(ridge, lowest, iterations=10).mean() < 0.4 * found.mean()


def test_of_a_narrow_ridge_the_search_finds_the_floor_and_with_more_effort_the_lowest_point():
    # The whole way along it counts as much as 0.03 across it.
    def ridge(actions):
        x, y = actions.unbind(-1)
        return (x - 0.3).square() + 50 * (x - y).abs()

    lowest = torch.tensor([0.3, 0.3])
    found, more = (from_the_minimum(ridge, lowest, samples=count) for count in (1024, 16384))
    assert 0.1 < found.mean() < 0.3
    assert more.mean() < 0.1
    assert from_the_minimum(ridge, lowest, iterations=10).mean() < 0.12
    answers = minimize(ridge, *UNIT, 64, DerivativeFreeConfig(), torch.Generator().manual_seed(0))
    assert (answers.best[:, 0] - answers.best[:, 1]).abs().max() < 0.02


def test_a_minimum_outside_is_found_on_the_border():
    found = run(lambda a: 20 * (a - torch.tensor([3.0, -5.0])).square().sum(-1))
    assert torch.allclose(found.best[0], torch.tensor([1.0, -2.0]), atol=0.02)


def test_the_answer_is_the_argmin_of_the_final_scores():
    # A flat energy: were scores and candidates of different rounds, these would not match.
    def energy(actions):
        return torch.sin(7 * actions[..., 0]) * torch.cos(5 * actions[..., 1])

    found = run(energy, batch=2, samples=64)
    assert torch.equal(energy(found.candidates), found.energies)
    for row in range(2):
        best = found.candidates[row, found.energies[row].argmin()]
        assert torch.equal(found.best[row], best)


def test_energies_are_evaluated_once_per_iteration():
    calls = []

    def energy(actions):
        calls.append(actions.shape)
        return actions.square().sum(-1)

    run(energy, iterations=3, samples=10)
    assert calls == [(1, 10, 2)] * 3


def test_same_seed_same_answer():
    def energy(actions):
        return torch.sin(9 * actions).sum(-1)

    assert torch.equal(run(energy, seed=3).best, run(energy, seed=3).best)
    assert not torch.equal(run(energy, seed=3).candidates, run(energy, seed=4).candidates)


def test_more_samples_come_closer():
    def error(samples):
        target = torch.tensor([0.2, -0.4])
        found = run(lambda a: (a - target).square().sum(-1), batch=32, samples=samples)
        return float((found.best - target).norm(dim=1).mean())

    assert error(2048) < 0.3 * error(32)


@pytest.mark.parametrize('bad', [{'samples': 0}, {'sigma': 0.0}, {'shrink': 1.5}])
def test_senseless_constants_are_refused(bad):
    with pytest.raises(ValueError, match='Input should be'):
        DerivativeFreeConfig(**bad)
