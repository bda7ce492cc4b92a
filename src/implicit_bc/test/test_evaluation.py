import json
import os
from functools import partial

import numpy as np
import pytest

from ibc_contract.errors import IbcError
from implicit_bc.baselines import DoNothingPolicy, RandomPolicy
from implicit_bc.evaluation import evaluate, rollout


class LineEnv:
    """Walk from a random place to the origin within 30 steps of 4 cm."""

    def reset(self, *, seed=None):
        self.position = np.random.default_rng(seed).uniform(-0.3, 0.3, 2)
        self.steps = 0
        return self._observation(), self._info()

    def step(self, action):
        self.position = self.position + np.clip(action, -0.04, 0.04)
        self.steps += 1
        info = self._info()
        return self._observation(), info['score'], info['success'], self.steps == 30, info

    def close(self):
        pass

    def _observation(self):
        return {'state': np.stack((self.position, self.position)).astype(np.float32)}

    def _info(self):
        distance = float(np.linalg.norm(self.position))
        return {'score': 1 - min(1, distance), 'success': distance < 0.01, 'process': os.getpid()}


class HomingPolicy:
    """Goes home; `flaw` makes it lose its way in this fraction of the episodes."""

    def __init__(self, flaw=0.0):
        self.flaw = flaw

    def reset(self, rng):
        self.lost = rng.random() < self.flaw

    def act(self, observation, rng):
        return np.zeros(2) if self.lost else -observation['state'][-1].astype(float)


def test_all_succeed():
    summary = evaluate(HomingPolicy, LineEnv, episodes=20, seed=3, progress=False)
    assert (summary.success_rate, summary.episodes, summary.seed) == (1.0, 20, 3)
    assert summary.wilson95 == pytest.approx((0.8389, 1.0), abs=1e-4)
    assert summary.score > 0.99
    assert [episode.seed for episode in summary.rollouts] == list(range(3, 23))


@pytest.mark.parametrize('policy', [DoNothingPolicy, partial(RandomPolicy, 0.04)])
def test_baselines_fail(policy):
    summary = evaluate(policy, LineEnv, episodes=20, progress=False)
    assert summary.success_rate < 0.2
    assert summary.score < 0.95


def test_random_policy_covers_its_range():
    rng = np.random.default_rng(0)
    actions = np.array([RandomPolicy(0.04).act({}, rng) for _ in range(2000)])
    assert np.abs(actions).max() <= 0.04
    assert actions.max() > 0.039
    assert actions.min() < -0.039


def test_summary_has_the_keys_of_the_command_line():
    figures = evaluate(HomingPolicy, LineEnv, episodes=2, progress=False).to_dict()
    assert list(figures) == ['score', 'success_rate', 'wilson95', 'episodes', 'seed', 'seconds']
    assert json.loads(json.dumps(figures))['wilson95'][1] == 1.0


def test_several_processes_give_the_same_episodes():
    factory = partial(HomingPolicy, 0.5)
    here = evaluate(factory, LineEnv, episodes=12, seed=1, workers=1, progress=False)
    there = evaluate(factory, LineEnv, episodes=12, seed=1, workers=2, progress=False)
    assert here.rollouts == there.rollouts
    assert 0 < here.success_rate < 1


def test_every_step_can_be_watched():
    seen = []
    episode = rollout(HomingPolicy(), LineEnv(), 0, lambda *step: seen.append(step))
    assert len(seen) == episode.steps
    observation, action, info = seen[0]
    assert set(observation) == {'state'}
    assert action.shape == (2,)
    assert 'score' in info


def test_no_episodes():
    with pytest.raises(IbcError, match='at least 1'):
        evaluate(HomingPolicy, LineEnv, episodes=0)
