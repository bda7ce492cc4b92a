"""What a recorded graph does is what its kernels do one by one; only where there is a GPU."""

import copy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ibc_contract.contract import load_contract
from implicit_bc.graphed_decision import GraphedDecision
from implicit_bc.methods import DerivativeFree
from implicit_bc.policy import LearnedPolicy
from implicit_bc.spaces import Spaces
from implicit_bc.steadiness import Steadiness
from implicit_bc.training.checkpoint import TrainState
from implicit_bc.training.gradients import Gradients, micro_batches
from implicit_bc.training.update import update

sys.path.insert(0, str(Path(__file__).parent))
from small_models import IMAGES, METHODS, STATES, observations, small_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='there is no GPU')

CLOSE = {'rtol': 1e-4, 'atol': 1e-4}
BATCH = 8


@pytest.fixture(params=METHODS, ids=lambda method: method.kind)
def method(request):
    return request.param


@pytest.fixture(params=[STATES, IMAGES], ids=['states', 'images'])
def model(method, request):
    return small_model(method, request.param).to('cuda')


def seeded(seed):
    return torch.Generator('cuda').manual_seed(seed)


@torch.inference_mode()
def test_a_recorded_decision_is_the_eager_one(model):
    model.eval()
    seen = observations(model.spaces, 3).to('cuda').split(1)
    recorded = GraphedDecision(model, seen[0])
    for seed, observation in enumerate(seen):
        eager, made = model.decide(observation, seeded(seed)), recorded(observation, seed)
        torch.testing.assert_close(made.candidates, eager.candidates, **CLOSE)
        torch.testing.assert_close(made.energies, eager.energies, **CLOSE)
        torch.testing.assert_close(made.best, eager.best, **CLOSE)
        assert made.iterations == eager.iterations


def test_a_policy_that_starts_warm_answers_with_its_graphs_as_without():
    contract = load_contract('planar_state')
    setting = Spaces.of_contract(contract), STATES[1]
    eager, recorded = (
        LearnedPolicy(contract, small_model(METHODS[0], setting).to('cuda'), Steadiness(4))
        for _ in range(2)
    )
    eager._may_graph = False
    for seed, state in enumerate(observations(setting[0], 4)):
        one, other = (
            policy.infer({'state': state.numpy()}, np.random.default_rng(seed))
            for policy in (eager, recorded)
        )
        np.testing.assert_allclose(other.candidates, one.candidates, **CLOSE)
    assert sorted(recorded._graphs) == [False, True]


@torch.inference_mode()
def test_the_seed_decides_what_a_recorded_decision_draws():
    model = small_model(DerivativeFree(), STATES).to('cuda').eval()
    observation = observations(model.spaces, 1).to('cuda')
    recorded = GraphedDecision(model, observation)
    first, other, again = (recorded(observation, seed).candidates for seed in (1, 2, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@torch.inference_mode()
def test_a_recorded_decision_is_that_of_the_weights_when_it_is_asked_for():
    model = small_model(DerivativeFree(), STATES).to('cuda').eval()
    observation = observations(model.spaces, 1).to('cuda')
    recorded = GraphedDecision(model, observation)
    for parameter in model.parameters():
        parameter.mul_(1.1)
    eager = model.decide(observation, seeded(5))
    torch.testing.assert_close(recorded(observation, 5).energies, eager.energies, **CLOSE)


def trained(model, records):
    """Take three steps; return the state."""
    optimizer = torch.optim.Adam(model.parameters(), 1e-2, eps=1e-2, fused=True)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    state = TrainState(model.train(), optimizer, average)
    gradients = Gradients(model, BATCH, micro_batches(BATCH, BATCH), seed=0)
    gradients._may_record &= records
    observation = observations(model.spaces, BATCH).to('cuda')
    action = torch.linspace(-1, 1, 2 * BATCH, device='cuda').reshape(BATCH, 2)
    for _ in range(3):
        update(state, gradients, observation, action)
        state.step += 1
    assert (gradients._graph is not None) == records
    return state


def test_steps_with_a_recorded_gradient_are_the_eager_ones(model):
    eager, recorded = trained(copy.deepcopy(model), False), trained(copy.deepcopy(model), True)
    for one, other in (
        (eager.model, recorded.model),
        (eager.best(), recorded.best()),
    ):
        for name, parameter in one.state_dict().items():
            torch.testing.assert_close(
                other.state_dict()[name], parameter, **CLOSE, msg=lambda m, n=name: f'{n}: {m}'
            )


def test_recorded_steps_are_the_same_every_time():
    made = [trained(small_model(DerivativeFree(), STATES).to('cuda'), True) for _ in range(2)]
    one, other = (state.model.state_dict() for state in made)
    assert all(torch.equal(one[name], other[name]) for name in one)
