import copy

import pytest
import torch
from torch.nn.functional import normalize
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from implicit_bc.losses.info_nce import info_nce
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.energy import EnergyNetwork, FlatEncoder, NetworkConfig
from implicit_bc.networks.explicit import ExplicitNetwork
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.networks.spectral_norm import SpectralLinear, SpectralNorm, power_iteration
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.tensors import load_into, load_tensors, save_tensors
from implicit_bc.training.checkpoint import TrainState

KINDS = pytest.mark.parametrize('kind', ['plain', 'residual', 'bottleneck'])


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def energy(kind: str = 'plain', **options) -> EnergyNetwork:
    value = ValueConfig(16, 4, kind, dense='spectral_norm', **options)
    return EnergyNetwork(FlatEncoder(6), value, 2, trunk=(12,))


def norms(network: torch.nn.Module) -> dict[str, SpectralNorm]:
    return {n: m for n, m in network.named_modules() if isinstance(m, SpectralNorm)}


def vectors(network: torch.nn.Module) -> list[torch.Tensor]:
    return [t.clone() for norm in norms(network).values() for t in (norm.u, norm.v)]


def largest_singular_value(matrix: torch.Tensor) -> float:
    return float(torch.linalg.svdvals(matrix.detach())[0])


def test_one_power_iteration_by_hand():
    layer = SpectralLinear(3, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]]))
        layer.spectral_norm.u.copy_(torch.tensor([0.6, 0.8]))
    power_iteration(layer)
    # v = W'u / |W'u| = (1.8, 3.2, 0) / |.|, u = Wv / |Wv| = (5.4, 12.8) / |.|
    v = normalize(torch.tensor([1.8, 3.2, 0.0]), dim=0)
    u = normalize(torch.tensor([5.4, 12.8]), dim=0)
    torch.testing.assert_close(layer.spectral_norm.v, v)
    torch.testing.assert_close(layer.spectral_norm.u, u)
    sigma = (5.4**2 + 12.8**2) ** 0.5 / (1.8**2 + 3.2**2) ** 0.5
    assert layer.spectral_norm(layer.weight).item() == pytest.approx(sigma)


@pytest.mark.parametrize('shape', [(5, 5), (7, 3), (3, 7), (1, 9)])
def test_the_largest_singular_value_becomes_1(shape):
    inputs, outputs = shape
    layer = SpectralLinear(inputs, outputs)
    with torch.no_grad():
        layer.weight.mul_(10)
    for _ in range(200):  # one per optimizer step
        power_iteration(layer)
    used = layer(torch.eye(inputs)) - layer.bias
    assert largest_singular_value(used) == pytest.approx(1, abs=1e-5)


@KINDS
def test_every_dense_layer_of_a_network_is_normalized(kind):
    """Trunk, fusion (both halves as one matrix), hidden layers and head."""
    value = ValueConfig(16, 4, kind, dense='spectral_norm')
    networks = (energy(kind), ExplicitNetwork(FlatEncoder(6), value, 5, trunk=(12,)))
    for network in networks:
        power_iteration(network, 2000)
        layers = [m for m in network.modules() if isinstance(m, SpectralLinear)]
        pairs = [(layer.weight, layer.spectral_norm) for layer in layers]
        if isinstance(network, EnergyNetwork):
            halves = (network.observation_half.weight, network.action_half.weight)
            pairs.append((torch.cat(halves, dim=1), network.spectral_norm))
        for matrix, norm in pairs:
            assert norm(matrix).item() == pytest.approx(largest_singular_value(matrix), rel=1e-5)
        hidden = {'plain': 3, 'residual': 4, 'bottleneck': 3}[kind]
        assert len(pairs) == len(norms(network)) == 1 + 1 + hidden + 1


def test_a_plain_energy_changes_no_faster_than_its_action():
    """|E(o, a) - E(o, b)| <= |a - b|, which unnormalized weights of this size break."""
    network = energy()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(20)
    power_iteration(network, 500)
    observation, actions = torch.randn(8, 6), torch.randn(8, 200, 2)
    energies = network(observation, actions).detach()
    steps = (actions[:, 1:] - actions[:, :-1]).norm(dim=-1)
    rises = (energies[:, 1:] - energies[:, :-1]).abs()
    assert (rises <= steps * 1.0001).all()
    assert rises.max() > 0


@pytest.mark.parametrize('training', [True, False])
def test_forwards_and_chains_do_not_iterate(training):
    network = energy().train(training)
    before = vectors(network)
    embedded = network.embed(torch.randn(3, 6))
    actions = torch.zeros(3, 5, 2)
    for _ in range(4):
        actions = actions.detach().requires_grad_()
        (slope,) = torch.autograd.grad(network.score(embedded, actions).sum(), actions)
        actions = actions - 0.1 * slope
    assert all(torch.equal(a, b) for a, b in zip(before, vectors(network), strict=True))
    power_iteration(network)
    assert not any(torch.equal(a, b) for a, b in zip(before[:2], vectors(network)[:2], strict=True))


@KINDS
def test_a_training_step_with_a_langevin_chain(kind):
    """Chain, loss, gradient penalty and micro-batches: all backwards work and reach all weights."""
    network = energy(kind).train()
    observation, positive = torch.randn(6, 6), torch.randn(6, 1, 2)
    for rows in (slice(0, 3), slice(3, 6)):
        negatives = torch.zeros(3, 4, 2)
        for _ in range(5):
            negatives = negatives.detach().requires_grad_()
            energies = network(observation[rows], negatives)
            (slope,) = torch.autograd.grad(energies.sum(), negatives)
            negatives = negatives - 0.1 * slope + 0.1 * torch.randn_like(slope)
        candidates = torch.cat((positive[rows], negatives.detach()), dim=1).requires_grad_()
        energies = network(observation[rows], candidates)
        (slope,) = torch.autograd.grad(energies.sum(), candidates, create_graph=True)
        (info_nce(energies) + slope.abs().amax(dim=-1).square().mean()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_an_iteration_between_forward_and_backward_changes_no_gradient():
    network = energy()
    other = copy.deepcopy(network)
    observation, actions = torch.randn(3, 6), torch.randn(3, 5, 2)
    network(observation, actions).square().sum().backward()
    total = other(observation, actions).square().sum()
    power_iteration(other)
    total.backward()
    for a, b in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad)


def test_gradients_pass_through_sigma():
    """d (W / sigma) / dW with u and v held fixed: against finite differences."""
    layer = SpectralLinear(4, 3).double()
    weight = layer.weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda w: w / layer.spectral_norm(w), weight)
    # A scaled weight is the same layer, so the gradient has no part along the weight.
    layer(torch.randn(5, 4).double()).square().sum().backward()
    assert (layer.weight.grad * layer.weight).sum().item() == pytest.approx(0, abs=1e-10)


def test_scale_of_the_weights_does_not_matter():
    layer = SpectralLinear(4, 3)
    x = torch.randn(5, 4)
    before = layer(x)
    with torch.no_grad():
        layer.weight.mul_(7)
    torch.testing.assert_close(layer(x), before)


def test_released_initialization_starts_normalized():
    network = energy(init='normal')
    for module in network.modules():
        if isinstance(module, SpectralLinear):
            exact = largest_singular_value(module.weight)
            assert module.spectral_norm(module.weight).item() == pytest.approx(exact, rel=0.05)


def step(network: EnergyNetwork, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    observation = torch.randn(8, 6, generator=generator)
    actions = torch.randn(8, 5, 2, generator=generator)
    optimizer.zero_grad()
    info_nce(network(observation, actions)).backward()
    optimizer.step()
    power_iteration(network)


def test_a_resumed_run_equals_a_straight_one(tmp_path):
    """u and v go through the file with the weights: bit for bit the same energies and weights."""
    straight = energy('residual')
    optimizer = torch.optim.SGD(straight.parameters(), 0.1)
    for i in range(4):
        step(straight, optimizer, i)
    save_tensors(tmp_path, 'model', straight.state_dict())
    for i in range(4, 8):
        step(straight, optimizer, i)

    torch.manual_seed(1)
    resumed = energy('residual')
    load_into(resumed, load_tensors(tmp_path, 'model'), 'model')
    optimizer = torch.optim.SGD(resumed.parameters(), 0.1)
    for i in range(4, 8):
        step(resumed, optimizer, i)
    for key, tensor in straight.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[key]), key


def test_a_network_of_regular_layers_has_nothing_to_iterate():
    network = EnergyNetwork(FlatEncoder(6), ValueConfig(16, 4), 2)
    before = copy.deepcopy(network.state_dict())
    power_iteration(network)
    assert before.keys() == network.state_dict().keys()
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())


def test_averaged_weights_are_normalized_until_their_norms_stand_still():
    """What is kept of a trained model: no layer stretches by more than a thousandth."""
    model = DerivativeFree(negatives=8).model(
        Spaces((1, 3), 2),
        NetworkConfig(trunk=(24,), value=ValueConfig(32, 4, 'residual', dense='spectral_norm')),
        Scaling(
            Affine((0.0,) * 3, (1.0,) * 3),
            Affine((0.0,) * 2, (1.0,) * 2),
            ActionBounds((-1.0,) * 2, (1.0,) * 2),
        ),
    )
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    state = TrainState(model, torch.optim.Adam(model.parameters(), 0.03), average)
    generator = torch.Generator().manual_seed(0)
    for _ in range(80):
        observation = torch.rand(32, 1, 3, generator=generator) * 2 - 1
        losses = model.losses(observation, observation[:, 0, :2].square(), generator)
        state.optimizer.zero_grad()
        losses['loss'].backward()
        state.optimizer.step()
        power_iteration(model)
        average.update_parameters(model)

    def stretches():
        network = average.module.network
        layers = [m for m in network.modules() if isinstance(m, SpectralLinear)]
        pairs = [(layer.weight, layer.spectral_norm) for layer in layers]
        halves = (network.observation_half.weight, network.action_half.weight)
        pairs.append((torch.cat(halves, dim=1), network.spectral_norm))
        return torch.tensor([largest_singular_value(m / norm(m)) for m, norm in pairs])

    assert stretches().max() > 1.05
    kept = copy.deepcopy(state.best().state_dict())
    torch.testing.assert_close(stretches(), torch.ones(len(stretches())), rtol=0, atol=1e-3)
    assert all(torch.equal(kept[key], again) for key, again in state.best().state_dict().items())
