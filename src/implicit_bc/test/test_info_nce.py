import math

import pytest
import torch

from implicit_bc.losses import info_nce


def test_closed_form():
    energies = torch.tensor([[1.0, 2.0, 4.0], [0.5, 0.5, 0.5]])
    first = -math.log(math.exp(-1) / (math.exp(-1) + math.exp(-2) + math.exp(-4)))
    assert float(info_nce(energies)) == pytest.approx((first + math.log(3)) / 2)


def test_low_energy_of_the_demonstrated_action_is_good():
    assert float(info_nce(torch.tensor([[-20.0, 0.0, 0.0]]))) == pytest.approx(0, abs=1e-6)
    assert float(info_nce(torch.tensor([[20.0, 0.0, 0.0]]))) == pytest.approx(20 + math.log(2))


def test_gradient_does_not_vanish_on_outliers():
    energies = torch.tensor([[100.0, 0.0]], requires_grad=True)
    info_nce(energies).backward()
    assert energies.grad is not None
    assert energies.grad[0].tolist() == pytest.approx([1.0, -1.0])


def test_a_term_per_observation_does_not_matter():
    energies = torch.randn(4, 9, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(info_nce(energies), info_nce(energies + torch.randn(4, 1)), atol=1e-5)
