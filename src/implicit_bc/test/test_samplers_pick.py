import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.samplers import (
    AutoregressiveConfig,
    DerivativeFreeConfig,
    LangevinConfig,
    autoregressive_minimize,
    langevin_minimize,
    minimize,
)

LOW, HIGH = torch.tensor([-1.0, -1.0]), torch.tensor([1.0, 1.0])
STILL = {'iterations': 1}

SAMPLERS = {
    'derivative_free': lambda energy, batch, generator, start, **config: minimize(
        energy, LOW, HIGH, batch, DerivativeFreeConfig(**STILL, **config), generator, start
    ),
    'autoregressive': lambda energy, batch, generator, start, **config: autoregressive_minimize(
        [energy] * 2,
        LOW,
        HIGH,
        batch,
        AutoregressiveConfig(**STILL, **config),
        generator,
        start,
    ),
    'langevin': lambda energy, batch, generator, start, **config: langevin_minimize(
        energy,
        LOW,
        HIGH,
        batch,
        LangevinConfig(noise=0.0, max_step=1e-6, **STILL, **config),
        generator,
        start,
    ),
}


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_one_sample_is_drawn_in_proportion_to_exp_of_minus_energy(sampler):
    # Two candidates, at energies 0 and 1: the lower one is drawn e times as often.
    batch = 4000
    start = torch.tensor([[-0.5, 0.0], [0.5, 0.0]]).expand(batch, -1, -1)
    generator = torch.Generator().manual_seed(0)
    found = SAMPLERS[sampler](
        lambda a: 0.5 + a[..., 0], batch, generator, start, samples=2, pick='draw'
    )
    share = float((found.best[:, 0] < 0).double().mean())
    assert share == pytest.approx(torch.sigmoid(torch.tensor(1.0)).item(), abs=0.02)


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_a_warm_start_is_among_the_candidates(sampler):
    # A well so narrow that uniform candidates miss it.
    well = torch.tensor([0.123, 0.456])
    start = well.expand(2, 3, -1)

    def energy(actions):
        close = (actions - well[: actions.shape[-1]]).abs().amax(-1) < 1e-3
        return 5.0 + 0 * actions.sum(-1) - 10.0 * close

    cold = SAMPLERS[sampler](energy, 2, torch.Generator().manual_seed(0), None, samples=50)
    warm = SAMPLERS[sampler](energy, 2, torch.Generator().manual_seed(0), start, samples=50)
    assert cold.energies.min() == 5
    assert torch.allclose(warm.best, start[:, 0], atol=1e-5)
    assert warm.candidates.shape == (2, 50, 2)
    # The others are the uniform ones of the same seed.
    assert torch.equal(warm.candidates[:, 3:], cold.candidates[:, 3:])


@pytest.mark.parametrize('sampler', SAMPLERS)
def test_a_warm_start_outside_the_box_is_moved_to_its_border(sampler):
    start = torch.tensor([[[5.0, -7.0]]])
    found = SAMPLERS[sampler](lambda a: 0 * a.sum(-1), 1, None, start, samples=1)
    assert torch.equal(found.best, torch.tensor([[1.0, -1.0]]))


@pytest.mark.parametrize('sampler', SAMPLERS)
@pytest.mark.parametrize('shape', [(1, 3, 2), (2, 1, 2), (1, 1, 3), (1, 2)])
def test_a_warm_start_of_another_shape_is_refused(sampler, shape):
    with pytest.raises(IbcError, match=r'this sampler starts \(1, 2, 2\) candidates'):
        SAMPLERS[sampler](lambda a: 0 * a.sum(-1), 1, None, torch.zeros(shape), samples=2)
