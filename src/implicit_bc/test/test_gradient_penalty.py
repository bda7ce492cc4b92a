import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.losses import GradientPenaltyConfig, gradient_penalty, info_nce
from implicit_bc.networks.energy import EnergyNetwork, FlatEncoder
from implicit_bc.networks.mlp import ValueConfig

LOW, HIGH = torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0])


def penalty(energy, actions, low=LOW, high=HIGH, **config):
    actions = actions.clone().requires_grad_()
    return gradient_penalty(energy(actions), actions, low, high, GradientPenaltyConfig(**config))


def slopes(*each):
    """Energy whose candidates j have the slopes each[j] = (dE/da_0, dE/da_1)."""
    return lambda actions: (actions * torch.tensor(each)).sum(-1)


@pytest.mark.parametrize(
    ('norm', 'margin', 'expected'),
    [('inf', 1.0, (4.0 - 1) ** 2), ('l2', 1.0, (5.0 - 1) ** 2), ('inf', 3.5, 0.25)],
)
def test_squared_excess_of_the_norm_over_the_margin(norm, margin, expected):
    found = penalty(slopes((3.0, -4.0)), torch.zeros(2, 1, 2), norm=norm, margin=margin)
    assert float(found) == pytest.approx(expected)


def test_every_candidate_has_its_own_norm():
    # Were the norm taken over the candidates, these would be one steep energy instead of three.
    energy = slopes((0.0, 2.0), (-3.0, 1.0), (0.5, 0.5))
    assert float(penalty(energy, torch.zeros(4, 3, 2))) == pytest.approx((1 + 4 + 0) / 3)


def test_the_paper_sums_over_the_counter_examples_alone():
    energy = slopes((9.0, 0.0), (3.0, 0.0), (0.0, 2.0))
    found = penalty(energy, torch.zeros(4, 3, 2), reduction='sum')
    assert float(found) == pytest.approx(4 + 1)


def test_slopes_are_measured_in_half_widths_of_the_box():
    low, high = torch.tensor([-2.0, 10.0]), torch.tensor([2.0, 11.0])
    found = penalty(slopes((1.5, 4.0)), torch.zeros(1, 1, 2), low, high)
    assert float(found) == pytest.approx((2 * 1.5 - 1) ** 2)


def test_gradient_reaches_the_weight_and_vanishes_inside_the_margin():
    def gradient(value):
        weight = torch.tensor(value, requires_grad=True)
        found = penalty(lambda a: weight * a.sum(-1), torch.zeros(2, 3, 2))
        (slope,) = torch.autograd.grad(found, weight)
        return float(found.detach()), float(slope)

    assert gradient(3.0) == (4.0, 4.0)
    assert gradient(-3.0) == (4.0, -4.0)
    assert gradient(0.9) == (0.0, 0.0)


def test_every_layer_of_a_network_is_penalized_in_one_pass_with_the_loss():
    torch.manual_seed(0)
    network = EnergyNetwork(FlatEncoder(6), ValueConfig(width=16, depth=3), 2)
    observation = torch.randn(4, 6)
    candidates = torch.rand(4, 9, 2).requires_grad_()
    energies = network(observation, candidates)
    strict = GradientPenaltyConfig(margin=0.0)
    added = gradient_penalty(energies, candidates, LOW, HIGH, strict)
    assert added > 0
    weights = {name: w for name, w in network.named_parameters() if name.endswith('weight')}
    # The observation's half acts through which hidden units are on; its own slope is zero here.
    del weights['observation_half.weight']
    for name, slope in zip(
        weights,
        torch.autograd.grad(added, list(weights.values()), retain_graph=True),
        strict=True,
    ):
        assert slope.abs().max() > 0, name
    (info_nce(energies) + added).backward()
    assert all(torch.isfinite(w.grad).all() for w in network.parameters() if w.grad is not None)


def test_gradient_matches_finite_differences():
    torch.manual_seed(0)
    weight = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    actions = torch.randn(3, 4, 2, dtype=torch.float64)
    low, high = LOW.double(), HIGH.double()

    def loss(weight):
        return penalty(lambda a: torch.tanh(a @ weight).sum(-1), actions, low, high, margin=0.1)

    assert torch.autograd.gradcheck(loss, weight)


def test_descending_the_penalty_ends_at_the_margin():
    weight = torch.tensor([4.0, -2.0], requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        penalty(lambda a: a @ weight, torch.zeros(1, 2, 2)).backward()
        optimizer.step()
    assert weight.tolist() == pytest.approx([1.0, -1.0], abs=1e-3)


def test_actions_without_a_gradient_are_refused():
    actions = torch.zeros(1, 2, 2)
    weight = torch.ones(2, requires_grad=True)
    with pytest.raises(IbcError, match='call requires_grad_\\(\\) on the candidates'):
        gradient_penalty(actions @ weight, actions, LOW, HIGH, GradientPenaltyConfig())


@pytest.mark.parametrize('bad', [{'margin': -1.0}, {'norm': 'l1'}, {'reduction': 'none'}])
def test_senseless_constants_are_refused(bad):
    with pytest.raises(ValueError, match='Input should be'):
        GradientPenaltyConfig(**bad)
