"""R-NCE: the density that corrects the loss is the one that counter-examples are drawn with."""

import math

import numpy as np
import pytest
import torch

from implicit_bc.methods import Ranking
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import DerivativeFreeConfig
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

SCALING = Scaling(Affine((0.0,), (1.0,)), Affine((0.0,), (1.0,)), ActionBounds((-1.0,), (2.0,)))


@pytest.fixture
def model():
    torch.manual_seed(0)
    method = Ranking(
        negatives=4000, components=3, uniform_share=0.25, sampler=DerivativeFreeConfig(samples=64)
    )
    config = NetworkConfig(value=ValueConfig(width=16, depth=2))
    return method.model(Spaces((1, 1), 1), config, SCALING)


OBSERVATION = torch.tensor([[[0.3]]])


def test_the_density_of_proposals_is_one_in_all(model):
    mixture = model.proposal.mixture(OBSERVATION)
    grid = torch.linspace(-30, 30, 60_001)[None, :, None]
    density = model._log_density(mixture, grid).exp()
    assert torch.trapezoid(density, grid[..., 0]).item() == pytest.approx(1.0, abs=1e-3)


def test_proposals_are_drawn_with_that_density(model):
    mixture = model.proposal.mixture(OBSERVATION)
    drawn = model._propose(mixture, 4000, torch.Generator().manual_seed(0))[0, :, 0]
    edges = torch.linspace(-3, 4, 15)
    fine = torch.linspace(-3, 4, 14_001)[None, :, None]
    density = model._log_density(mixture, fine).exp()[0]
    expected = torch.stack([density[1000 * i : 1000 * (i + 1)].mean() for i in range(14)]) * 0.5
    found = torch.histogram(drawn.detach(), edges).hist / len(drawn)
    np.testing.assert_allclose(found, expected.detach(), atol=0.03)


def test_an_energy_that_knows_nothing_beyond_the_proposal_costs_what_the_ranking_costs(model):
    """With E = -log q the corrected energies are equal: the loss is log(1 + N), whatever q is."""
    mixture = model.proposal.mixture(OBSERVATION)

    def minus_log_density(embedded, actions):
        return -model._log_density(mixture, actions)

    model.network.score = minus_log_density
    action = torch.tensor([[0.7]])
    losses = model.losses(OBSERVATION, action, torch.Generator().manual_seed(0))
    assert losses['info_nce'].item() == pytest.approx(math.log(4001), abs=1e-4)
    assert losses['loss'].item() == pytest.approx(
        losses['info_nce'].item() + losses['proposal'].item(), abs=1e-5
    )


def test_decisions_keep_to_the_box_and_take_a_start(model):
    start = torch.full((1, 5, 1), 0.5)
    made = model.decide(OBSERVATION, torch.Generator().manual_seed(0), start)
    assert made.candidates.shape == (1, 64, 1)
    assert made.candidates.min() >= -1
    assert made.candidates.max() <= 2
