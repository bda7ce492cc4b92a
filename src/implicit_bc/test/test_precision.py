import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc import precision
from implicit_bc.networks.energy import NetworkConfig, make_energy
from implicit_bc.networks.pooling import AveragePooling, SpatialSoftArgmax
from implicit_bc.precision import autocast
from implicit_bc.spaces import Spaces
from implicit_bc.training.config import config_from_dict
from implicit_bc.training.data import ArrayData
from implicit_bc.training.start import start_or_resume

CPU = torch.device('cpu')


@pytest.fixture
def capable(monkeypatch):
    monkeypatch.setattr(precision, '_multiplies_bfloat16', lambda device: True)


def products_in(context: torch.autocast) -> torch.dtype:
    with context:
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_auto_follows_the_hardware(monkeypatch):
    for capable, expected in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(precision, '_multiplies_bfloat16', lambda device, c=capable: c)
        assert products_in(autocast('auto', CPU)) is expected
        assert products_in(autocast('float32', CPU)) is torch.float32


def test_emulated_bfloat16_is_refused(monkeypatch):
    monkeypatch.setattr(precision, '_multiplies_bfloat16', lambda device: False)
    with pytest.raises(IbcError, match='only emulates it'):
        autocast('bfloat16', CPU)


def test_energies_stay_float32_and_close(capable):
    torch.manual_seed(0)
    network = make_energy(Spaces((2, 90, 120, 3), 2), NetworkConfig())
    frames, actions = torch.randn(2, 6, 90, 120), torch.randn(2, 50, 2)
    exact = network(frames, actions)
    with autocast('bfloat16', CPU):
        embedded = network.embed(frames)
    mixed = network.score(embedded, actions)
    assert mixed.dtype is torch.float32
    spread = (exact - exact.mean(dim=1, keepdim=True)).std()
    assert (mixed - exact).std() < 0.1 * spread


def test_positions_are_not_rounded(capable):
    torch.manual_seed(0)
    pooling = SpatialSoftArgmax(4, 3, 5, 7)
    maps = torch.randn(1, 4, 5, 7)
    exact = pooling(maps)
    with autocast('bfloat16', CPU):
        torch.testing.assert_close(pooling(maps), exact, rtol=0, atol=1e-6)


def test_averages_over_the_image_are_not_rounded():
    maps = torch.randn(2, 4, 30, 40, generator=torch.Generator().manual_seed(0)).bfloat16()
    torch.testing.assert_close(AveragePooling(4)(maps), maps.float().mean(dim=(2, 3)))


def test_a_learned_proposal_has_the_precision_of_its_model(tmp_path):
    config = config_from_dict({'method': {'kind': 'ranking'}, 'precision': 'bfloat16'}, 'test')
    numbers = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    data = ArrayData(numbers, numbers, np.zeros(8, int))
    model = start_or_resume(config, data, tmp_path, resume=False).model
    assert model.proposal.precision == model.precision == 'bfloat16'


def test_weights_get_float32_gradients(capable):
    network = make_energy(Spaces((2, 90, 120, 3), 2), NetworkConfig())
    with autocast('bfloat16', CPU):
        embedded = network.embed(torch.randn(2, 6, 90, 120))
    network.score(embedded, torch.randn(2, 8, 2)).sum().backward()
    assert all(p.grad is not None and p.grad.dtype is torch.float32 for p in network.parameters())
