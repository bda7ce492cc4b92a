"""Without a GPU only this much of it runs: giving up, and saying so."""

import logging
import time

import numpy as np
import torch

from ibc_contract.contract import load_contract
from implicit_bc import graphed_decision
from implicit_bc.graphed_decision import GraphedDecision, graphed
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.policy import LearnedPolicy
from implicit_bc.samplers import Samples
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.steadiness import Steadiness

CONTRACT = load_contract('planar_state')


def make_policy(warm_start=0):
    width = CONTRACT.observation_shape[1]
    scaling = Scaling(
        Affine((0.0,) * width, (1.0,) * width),
        Affine((0.0, 0.0), (0.01, 0.01)),
        ActionBounds((-0.03, -0.02), (0.02, 0.03)),
    )
    torch.manual_seed(0)
    network = NetworkConfig(value=ValueConfig(16, 2))
    model = DerivativeFree().model(Spaces.of_contract(CONTRACT), network, scaling)
    return LearnedPolicy(CONTRACT, model, Steadiness(warm_start))


def test_what_cannot_be_recorded_is_told_and_decided_without(caplog):
    policy = make_policy()
    observation = torch.zeros((1, *CONTRACT.observation_shape))  # on no GPU
    with caplog.at_level(logging.WARNING, 'implicit_bc'):
        assert graphed(policy.model, observation) is None
    (record,) = caplog.records
    assert 'no CUDA graph' in record.getMessage()
    assert '\n' not in record.getMessage()


def test_a_policy_that_may_record_decides_all_the_same_and_tries_once(caplog):
    plain, policy = make_policy(), make_policy()
    policy._may_graph = True  # as on a GPU
    seen = {'state': np.zeros(CONTRACT.observation_shape, np.float32)}
    with caplog.at_level(logging.WARNING, 'implicit_bc'):
        for seed in range(3):
            made = policy.infer(seen, np.random.default_rng(seed))
            assert np.array_equal(
                made.action, plain.infer(seen, np.random.default_rng(seed)).action
            )
    assert len(caplog.records) == 1


def test_one_slow_decision_is_not_held_against_the_graph(monkeypatch):
    waits = [0.0, 0.2, 0.0]

    class Recording:
        """What a graph would return, after a wait."""

        def __init__(self, work, device):
            self.made = Samples(torch.zeros(1, 2), torch.zeros(1, 4, 2), torch.zeros(1, 4), 3)

        def replay(self, seed):
            time.sleep(waits.pop(0))
            return self.made

    monkeypatch.setattr(graphed_decision, 'Recording', Recording)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: None)
    seen = torch.zeros((1, *CONTRACT.observation_shape))
    decision = GraphedDecision(make_policy().model, seen)
    decision(seen, 1)
    assert decision.seconds < 0.2


def test_a_warm_start_has_a_graph_of_its_own(monkeypatch):
    made = []

    class Recording:
        """Does the work anew, on the memory that a graph would read."""

        def __init__(self, work, device):
            self.work = work
            made.append(self)

        def replay(self, seed):
            return self.work(torch.Generator().manual_seed(seed))

    monkeypatch.setattr(graphed_decision, 'Recording', Recording)
    monkeypatch.setattr(torch.cuda, 'synchronize', lambda device: None)
    plain, policy = make_policy(8), make_policy(8)
    policy._may_graph = True  # as on a GPU
    rng = np.random.default_rng(0)
    ticks = [rng.standard_normal(CONTRACT.observation_shape).astype(np.float32) for _ in range(4)]
    for _ in range(2):
        for each in (plain, policy):
            each.reset(rng)
        for seed, state in enumerate(ticks):
            found, expected = (
                each.infer({'state': state}, np.random.default_rng(seed))
                for each in (policy, plain)
            )
            assert np.array_equal(found.candidates, expected.candidates)
    assert len(made) == 2
