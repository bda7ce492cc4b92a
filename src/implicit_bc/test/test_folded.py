"""The folded energy is the network's own, whatever its layers, batch and number of candidates."""

import pytest
import torch

from implicit_bc.networks.encoder import FlatEncoder
from implicit_bc.networks.energy import EnergyNetwork
from implicit_bc.networks.folded import CHUNK
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.networks.spectral_norm import power_iteration

VALUES = [
    ValueConfig(16, 1),
    ValueConfig(16, 3),
    ValueConfig(16, 2, 'residual'),
    ValueConfig(16, 6, 'residual'),
    ValueConfig(16, 1, 'bottleneck'),
    ValueConfig(16, 4, 'bottleneck', init='normal'),
    ValueConfig(16, 7, 'bottleneck'),
    ValueConfig(16, 4, 'bottleneck', dense='spectral_norm'),
    ValueConfig(16, 3, dense='spectral_norm'),
]


def make(value, seed=0):
    torch.manual_seed(seed)
    return EnergyNetwork(FlatEncoder(5), value, 2, trunk=(8,)).eval()


def same(network, observations, candidates):
    embedded = network.embed(torch.randn(observations, 1, 5))
    actions = torch.randn(observations, candidates, 2)
    expected = network.score(embedded, actions).double()
    folded = network.folded(embedded)
    assert torch.allclose(folded(actions).double(), expected, rtol=1e-5, atol=1e-5)
    # Not overwritten by the first call.
    assert torch.equal(folded(actions), folded(actions))


@pytest.mark.parametrize('value', VALUES, ids=lambda v: f'{v.kind}-{v.depth}-{v.dense}')
def test_it_scores_as_the_network_does(value):
    same(make(value), observations=3, candidates=7)


@pytest.mark.parametrize(
    ('observations', 'candidates'),
    [(1, 1), (1, CHUNK), (1, CHUNK + 1), (2, 2 * CHUNK + 3), (2 * CHUNK + 5, 1), (5, CHUNK // 3)],
)
@pytest.mark.parametrize('threads', [1, 2, 3])
def test_parts_cover_every_action_once(observations, candidates, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        same(make(ValueConfig(16, 4, 'bottleneck')), observations, candidates)
        with torch.inference_mode():
            same(make(ValueConfig(16, 3)), observations, candidates)
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)


def test_it_follows_the_weights_and_rests_dropout():
    network = make(ValueConfig(16, 4, 'bottleneck', dropout=0.5, dense='spectral_norm'))
    same(network, 2, 5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter))
    power_iteration(network)
    same(network, 2, 5)
    embedded, actions = torch.randn(1, 16), torch.randn(1, 9, 2)
    expected = network.score(embedded, actions)
    network.train()
    assert torch.allclose(network.folded(embedded)(actions), expected, atol=1e-5)
