import pytest
import torch

from implicit_bc.networks.energy import EnergyNetwork, FlatEncoder
from implicit_bc.networks.mlp import PlainLayers, ResidualLayers, ValueConfig, ValueNetwork

KINDS = pytest.mark.parametrize('kind', ['plain', 'residual', 'bottleneck'])


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def dense(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        # fusion of 20 observed numbers and 2 of the action, hidden layers, head
        (ValueConfig(128, 8), dense(22, 128) + 7 * dense(128, 128) + dense(128, 1)),
        (ValueConfig(128, 8, 'residual'), dense(22, 128) + 8 * dense(128, 128) + dense(128, 1)),
        (
            ValueConfig(128, 7, 'bottleneck'),
            dense(22, 128) + 2 * (dense(128, 32) + dense(32, 32) + dense(32, 128)) + dense(128, 1),
        ),
    ],
)
def test_parameters_counted_by_hand(value, expected):
    assert parameters(EnergyNetwork(FlatEncoder(20), value, 2)) == expected


@pytest.mark.parametrize(('kind', 'depth'), [('residual', 6), ('bottleneck', 7)])
def test_residual_layers_without_weights_are_the_identity(kind, depth):
    layers = ResidualLayers(ValueConfig(8, depth, kind))
    for parameter in layers.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(3, 5, 8)
    assert torch.equal(layers(x), x)


def test_residual_block_is_its_formula():
    """x + W2 relu(W1 relu(x)): by hand for numbers of either sign."""
    layers = ResidualLayers(ValueConfig(2, 2, 'residual'))
    (first, second) = layers.blocks[0]
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 2.0], [-1.0, 1.0]]))
        first.bias.copy_(torch.tensor([0.5, 0.0]))
        second.weight.copy_(torch.tensor([[3.0, 1.0], [0.0, -2.0]]))
        second.bias.copy_(torch.tensor([0.0, 1.0]))
    # relu(x) = (2, 0); W1 relu(x) + b1 = (2.5, -2) -> (2.5, 0); W2 . + b2 = (7.5, 1)
    assert layers(torch.tensor([2.0, -3.0])).tolist() == pytest.approx([9.5, -2.0])


def test_plain_layers_end_with_relu_and_residual_ones_do_not():
    """Neither has an activation after the head: energies of both signs."""
    torch.manual_seed(0)
    x = torch.randn(50, 16)
    assert PlainLayers(ValueConfig(16, 3))(x.clone()).min().item() == 0
    assert ResidualLayers(ValueConfig(16, 4, 'residual'))(x.clone()).min().item() < 0


@KINDS
def test_gradients_reach_every_weight_and_the_actions(kind):
    torch.manual_seed(0)
    network = EnergyNetwork(FlatEncoder(6), ValueConfig(16, 4, kind), 2)
    actions = torch.randn(3, 7, 2, requires_grad=True)
    network(torch.randn(3, 6), actions).square().sum().backward()
    assert actions.grad is not None
    assert (actions.grad.abs().sum(dim=-1) > 0).all()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@KINDS
def test_dropout_acts_while_training_only(kind):
    torch.manual_seed(0)
    network = EnergyNetwork(FlatEncoder(6), ValueConfig(64, 4, kind, dropout=0.5), 2)
    same = EnergyNetwork(FlatEncoder(6), ValueConfig(64, 4, kind), 2)
    same.load_state_dict(network.state_dict())
    observation, actions = torch.randn(3, 6), torch.randn(3, 7, 2)
    network.eval()
    assert torch.equal(network(observation, actions), same(observation, actions))
    network.train()
    first = network(observation, actions)
    assert not torch.equal(first, network(observation, actions))


@KINDS
def test_dropout_drops_its_share_and_keeps_the_mean(kind):
    torch.manual_seed(0)
    layers = ValueNetwork(ValueConfig(64, 4, kind, dropout=0.25)).train().hidden
    seen = []
    layers.dropout.register_forward_hook(lambda _, args, out: seen.append((args[0].clone(), out)))
    layers(torch.randn(2000, 64))
    assert len(seen) == (4 if kind != 'bottleneck' else 3)
    for before, after in seen:
        assert (after[before > 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.02)
        assert after.mean().item() == pytest.approx(before.mean().item(), rel=0.05)
