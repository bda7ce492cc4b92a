"""What a policy says it sees: modes, confidence and the landscape, against a known energy."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.batched import BatchedPolicy
from implicit_bc.interface import ActionMode, ModeSet
from implicit_bc.methods import (
    Autoregressive,
    DerivativeFree,
    Langevin,
    MeanSquaredError,
    MixtureDensity,
    Ranking,
)
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.policy import LearnedPolicy
from implicit_bc.samplers import ModesConfig, find_modes
from implicit_bc.spaces import Spaces

sys.path.insert(0, str(Path(__file__).parent))
from two_wells import CONTRACT, SCALING, WELLS_M, TwoWells, seen


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def policy():
    return LearnedPolicy(CONTRACT, TwoWells())


def untrained(method):
    torch.manual_seed(0)
    network = NetworkConfig(value=ValueConfig(16, 2))
    return LearnedPolicy(CONTRACT, method.model(Spaces.of_contract(CONTRACT), network, SCALING))


@pytest.mark.parametrize('gap', [-0.5, 0.4])
def test_modes_are_the_wells_in_order_with_their_margin(policy, gap):
    found = policy.modes(seen(gap), rng())
    order = [0, 1] if gap > 0 else [1, 0]
    assert [mode.action for mode in found.modes] == [
        pytest.approx(WELLS_M[i].numpy(), abs=2e-3) for i in order
    ]
    assert found.modes[0].margin == 0
    assert found.margin == found.modes[1].margin == pytest.approx(abs(gap), abs=0.1)
    assert sum(mode.mass for mode in found.modes) == pytest.approx(1.0, abs=0.02)
    assert found.modes[0].mass > found.modes[1].mass
    assert np.array_equal(found.modes[0].action, policy.act(seen(gap), rng()))


def test_confidence_tells_whether_the_policy_wavers(policy):
    equal, clear = policy.modes(seen(0.0), rng()), policy.modes(seen(8.0), rng())
    assert equal.confidence == pytest.approx(0.5, abs=0.15)
    assert clear.confidence == 1.0
    assert clear.margin == math.inf
    assert len(clear.modes) == 1


@pytest.mark.parametrize('gap', [0.1, 0.2, 0.4, 0.8, 1.2])
def test_confidence_is_the_share_of_the_better_of_two_equal_bowls(policy, gap):
    found = [policy.modes(seen(gap), rng(seed)).confidence for seed in range(5)]
    assert np.median(found) == pytest.approx(1 / (1 + math.exp(-gap)), abs=0.03)


@pytest.mark.parametrize('margins', [[], [0.0], [0.0] * 5, [0.2, 1.0, 3.0], [50.0], [1e4] * 3])
@pytest.mark.parametrize('more', [0.0, 0.3, 5.0])
def test_confidence_is_bounded_and_rises_with_every_margin(margins, more):
    def confidence(margins):
        modes = [ActionMode(np.zeros(2), 0.0, margin, 0.0) for margin in (0.0, *sorted(margins))]
        return ModeSet(tuple(modes)).confidence

    found = confidence(margins)
    assert 1 / (1 + len(margins)) <= found * (1 + 1e-12)
    assert found <= 1
    assert confidence([margin + more for margin in margins]) >= found * (1 - 1e-12)


def test_a_term_of_the_observation_alone_changes_nothing(policy):
    plain, shifted = policy.modes(seen(0.4), rng()), policy.modes(seen(0.4, term=8.0), rng())
    assert shifted.margin == pytest.approx(plain.margin, abs=1e-5)
    assert shifted.confidence == pytest.approx(plain.confidence, abs=1e-5)
    plain, shifted = policy.landscape(seen(0.4)), policy.landscape(seen(0.4, term=8.0))
    np.testing.assert_allclose(shifted.energies, plain.energies, atol=1e-5)


def test_ranks_alone_make_the_rank_share():
    points = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
    wells = torch.tensor([[-0.5, 0.0], [0.5, 0.0]])
    energies = (points[:, None] - wells).square().sum(-1).amin(-1)
    shares = [
        [mode.rank_share for mode in find_modes(points, scaled, ModesConfig(min_mass=0))]
        for scaled in (energies, 100 * energies, energies.exp() - 7)
    ]
    assert shares[0] == shares[1] == shares[2]
    assert shares[0] == pytest.approx([0.5, 0.5], abs=0.15)
    assert sum(shares[0]) == pytest.approx(1.0)


def test_looking_at_modes_decides_nothing(policy):
    before = policy.infer(seen(0.1), rng())
    policy.modes(seen(0.3), rng(1))
    policy.landscape(seen(0.3))
    assert np.array_equal(policy.infer(seen(0.1), rng()).action, before.action)


def test_the_landscape_is_the_energy_over_the_box_of_actions(policy):
    shown = policy.landscape(seen(1.5), points=81)
    assert (shown.x[0], shown.x[-1]) == pytest.approx((-0.04, 0.04))
    assert (shown.y[0], shown.y[-1]) == pytest.approx((-0.03, 0.02))
    assert shown.energies.shape == (81, 81)
    assert shown.energies.min() == 0
    assert shown.lowest == pytest.approx(WELLS_M[0].numpy(), abs=1e-3)
    # Rows are y, columns x: (0.02, 0.01) m is the upper well, and the box is not symmetric in y.
    row, column = np.abs(shown.y - 0.01).argmin(), np.abs(shown.x - 0.02).argmin()
    assert shown.energies[row, column] == pytest.approx(1.5, abs=0.01)
    assert shown.energies[0, column] == pytest.approx(10 * 4 + 1.5, abs=0.1)


@pytest.mark.parametrize(
    'method', [DerivativeFree(), Autoregressive(), Langevin()], ids=lambda m: m.kind
)
def test_the_landscape_of_a_network_has_the_energies_of_its_decisions(method):
    policy = untrained(method)
    decided = policy.infer(seen(0.3), rng())
    shown = policy.landscape(seen(0.3), points=101)
    nearest = [
        shown.energies[np.abs(shown.y - y).argmin(), np.abs(shown.x - x).argmin()]
        for x, y in decided.candidates
    ]
    offset = np.array(nearest) - decided.energies
    assert np.ptp(offset) < 0.05 * np.ptp(shown.energies)


@pytest.mark.parametrize('points', [-3, 0, 1])
def test_a_landscape_has_an_extent(policy, points):
    with pytest.raises(IbcError, match=f'not {points}'):
        policy.landscape(seen(0.0), points)


def test_an_explicit_policy_has_neither():
    policy = untrained(MeanSquaredError())
    with pytest.raises(IbcError, match=r'mean_squared_error .* no modes'):
        policy.modes(seen(0.0), rng())
    with pytest.raises(IbcError, match=r'mean_squared_error .* no landscape'):
        policy.landscape(seen(0.0))


METHODS = (
    DerivativeFree(),
    Autoregressive(),
    Langevin(),
    MeanSquaredError(),
    MixtureDensity(),
    Ranking(),
)
FAR = np.full(CONTRACT.observation_shape, 3e38, np.float32)


@pytest.mark.parametrize('method', METHODS, ids=lambda m: m.kind)
def test_an_observation_that_overflows_the_network_makes_no_wrong_answer(method, one_line):
    """Of autoregressive energies here the first one alone overflows, which does not choose."""
    policy = untrained(method)
    batched = BatchedPolicy(policy.model)
    seen_batch = np.stack((FAR * 0, FAR))
    for answer in (
        lambda: policy.infer({'state': FAR}, rng()),
        lambda: batched.act(seen_batch),
        lambda: batched.draw(seen_batch, 3),
    ):
        with pytest.raises(IbcError, match='answer is not finite') as error:
            answer()
        one_line(error.value)
    assert np.isfinite(batched.draw(seen_batch[:1], 3)).all()


@pytest.mark.parametrize(
    'method', [DerivativeFree(), Langevin(), MixtureDensity(), Ranking()], ids=lambda m: m.kind
)
def test_a_landscape_that_overflows_is_none(method):
    with pytest.raises(IbcError, match='answer is not finite'):
        untrained(method).landscape({'state': FAR}, points=5)
