"""What is carried over between ticks, on an energy with two wells; nothing by default."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from ibc_contract.errors import IbcError
from implicit_bc.bundle import load_bundle, save_bundle
from implicit_bc.methods import DerivativeFree, Langevin, MeanSquaredError, MixtureDensity
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.policy import LearnedPolicy
from implicit_bc.samplers import DerivativeFreeConfig
from implicit_bc.spaces import Spaces
from implicit_bc.steadiness import Steadiness

sys.path.insert(0, str(Path(__file__).parent))
from two_wells import CONTRACT, SCALING, WELLS_M, TwoWells, seen


def side(action):
    """Well that an action lies in: -1 left, +1 right."""
    assert abs(abs(action[0]) - 0.02) < 0.005
    return int(np.sign(action[0]))


def decide(policy, gaps):
    rng = np.random.default_rng(0)
    return [side(policy.act(seen(gap), rng)) for gap in gaps]


WAVERING = [0.2, -0.2] * 4


def test_by_default_every_tick_decides_from_nothing():
    policy = LearnedPolicy(CONTRACT, TwoWells())
    assert decide(policy, WAVERING) == [-1, 1] * 4
    first = policy.infer(seen(0.3), np.random.default_rng(1))
    policy.act(seen(-3.0), np.random.default_rng(2))
    again = policy.infer(seen(0.3), np.random.default_rng(1))
    assert np.array_equal(first.candidates, again.candidates)


def test_with_a_margin_it_stays_with_its_mode():
    policy = LearnedPolicy(CONTRACT, TwoWells(), Steadiness(mode_margin=0.6))
    assert decide(policy, WAVERING) == [-1] * 8
    policy.reset(np.random.default_rng(0))
    assert decide(policy, WAVERING[1:]) == [1] * 7


def test_it_leaves_for_a_mode_that_is_better_by_the_margin():
    policy = LearnedPolicy(CONTRACT, TwoWells(), Steadiness(mode_margin=0.6))
    assert decide(policy, [0.2, -0.4, -1.0, 0.4, 1.0]) == [-1, -1, 1, 1, -1]


def test_staying_is_no_standing_still():
    policy = LearnedPolicy(CONTRACT, TwoWells(2048), Steadiness(mode_margin=0.6))
    rng = np.random.default_rng(0)
    first = policy.act(seen(0.2), rng)
    second = policy.act(seen(-0.2), rng)
    # The best action of the mode as it is seen now, not the last one again.
    assert not np.array_equal(first, second)
    assert second == pytest.approx(WELLS_M[0].numpy(), abs=2e-3)


def test_a_policy_that_draws_goes_on_drawing_in_the_mode_it_stays_with():
    # Uniform candidates, drawn from by exp(-energy): a bowl 10 (r / 0.02)^2 gives sigma 4.5 mm.
    model = TwoWells(samples=1024, iterations=1, pick='draw')
    policy, rng = (
        LearnedPolicy(CONTRACT, model, Steadiness(mode_margin=1.0)),
        np.random.default_rng(0),
    )
    policy.act(seen(8.0), rng)  # only the left well is worth a draw
    made = [policy.infer(seen(-0.2), rng) for _ in range(80)]
    away = np.array([one.action for one in made]) - WELLS_M[0].numpy()
    assert (away[:, 0] < 0.015).all()  # none from the right well, which is better by less
    assert np.std(away[:, 0]) == pytest.approx(0.0045, rel=0.25)
    lowest = [np.array_equal(one.action, one.candidates[one.energies.argmin()]) for one in made]
    assert np.mean(lowest) < 0.1


def test_a_policy_that_draws_leaves_a_mode_that_is_beaten_or_gone():
    policy = LearnedPolicy(CONTRACT, TwoWells(pick='draw'), Steadiness(mode_margin=1.0))

    def drawn(gap):
        return np.sign(policy.act(seen(gap), rng)[0])

    rng = np.random.default_rng(0)
    gaps = [8.0, -0.2, -0.8, -8.0, 0.2, 0.8, 8.0]
    assert [drawn(gap) for gap in gaps] == [-1, -1, -1, 1, 1, 1, -1]
    sides = set()
    for _ in range(20):
        policy.reset(rng)
        sides.add(drawn(0.0))
    assert sides == {-1, 1}  # from nothing, every mode has its turn


def test_a_mode_that_is_gone_holds_nobody():
    policy = LearnedPolicy(CONTRACT, TwoWells(), Steadiness(mode_margin=1000.0))
    assert decide(policy, [0.2, -30.0]) == [-1, 1]


@pytest.mark.parametrize('iterations', [1, 3])
def test_a_warm_start_never_loses_what_was_found(iterations):
    # Few candidates: from nothing, each tick finds something else.
    def energies(steadiness):
        policy = LearnedPolicy(CONTRACT, TwoWells(8, iterations), steadiness)
        rng = np.random.default_rng(0)
        return np.array([policy.infer(seen(0.3), rng).energies.min() for _ in range(40)])

    assert (np.diff(energies(Steadiness())) > 0).any()
    warm = energies(Steadiness(warm_start=4))
    assert (np.diff(warm) <= 1e-5).all()
    assert warm[-1] < 0.6 * warm[0]


def test_warming_up_leaves_no_memory():
    policy = LearnedPolicy(CONTRACT, TwoWells(), Steadiness(warm_start=16, mode_margin=1.0))
    fresh = policy.infer(seen(0.1), np.random.default_rng(0))
    policy.reset(np.random.default_rng(0))
    policy.warm_up(2)
    again = policy.infer(seen(0.1), np.random.default_rng(0))
    assert np.array_equal(again.candidates, fresh.candidates)


@pytest.mark.parametrize(
    ('method', 'steadiness', 'said'),
    [
        (MeanSquaredError(), Steadiness(mode_margin=0.1), 'ranks no actions'),
        (MeanSquaredError(), Steadiness(warm_start=1), 'does not search'),
        (MixtureDensity(), Steadiness(warm_start=1), 'does not search'),
        (
            DerivativeFree(sampler=DerivativeFreeConfig(16)),
            Steadiness(warm_start=17),
            'warm_start is 17, but derivative_free has 16 candidates',
        ),
    ],
)
def test_what_a_method_cannot_carry_over_is_refused(method, steadiness, said, one_line):
    network = NetworkConfig(value=ValueConfig(16, 2))
    model = method.model(Spaces.of_contract(CONTRACT), network, SCALING)
    with pytest.raises(IbcError, match=said) as caught:
        LearnedPolicy(CONTRACT, model, steadiness)
    one_line(caught.value)


@pytest.fixture
def bundle(tmp_path):
    torch.manual_seed(0)
    network = NetworkConfig(value=ValueConfig(16, 2))
    method = DerivativeFree(sampler=DerivativeFreeConfig(64))
    model = method.model(Spaces.of_contract(CONTRACT), network, SCALING)
    return save_bundle(tmp_path / 'model', CONTRACT, model, ['push_red'], {})


def write(bundle, steadiness):
    file = bundle / 'policy.yaml'
    description = {**yaml.safe_load(file.read_text()), 'steadiness': steadiness}
    file.write_text(yaml.safe_dump(description))


def test_a_bundle_may_say_so_and_its_user_has_the_last_word(bundle):
    assert load_bundle(bundle).policy.steadiness == Steadiness()
    write(bundle, {'warm_start': 8, 'mode_margin': 0.5})
    assert load_bundle(bundle).policy.steadiness == Steadiness(8, 0.5)
    changed = load_bundle(bundle, steadiness={'mode_margin': 0.0})
    assert changed.policy.steadiness == Steadiness(8, 0.0)


@pytest.mark.parametrize(
    ('steadiness', 'said'),
    [
        ({'warm_start': -1}, 'steadiness.warm_start'),
        ({'mode_margin': 'much'}, 'steadiness.mode_margin'),
        ({'warmth': 3}, 'steadiness.warmth'),
        ('yes', "'steadiness'"),
        ({'warm_start': 65}, 'has 64 candidates'),
    ],
)
def test_what_a_bundle_must_not_say_is_named(bundle, steadiness, said, one_line):
    write(bundle, steadiness)
    with pytest.raises(IbcError, match=said) as caught:
        load_bundle(bundle)
    assert str(bundle) in one_line(caught.value)


def test_langevin_chains_start_warm_too():
    network = NetworkConfig(value=ValueConfig(16, 2))
    method = Langevin()
    model = method.model(Spaces.of_contract(CONTRACT), network, SCALING)
    policy = LearnedPolicy(CONTRACT, model, Steadiness(warm_start=32))
    first = policy.infer(seen(0.0), np.random.default_rng(0))
    warm = policy.infer(seen(0.0), np.random.default_rng(0))
    assert not np.array_equal(warm.candidates, first.candidates)
