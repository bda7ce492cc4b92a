import json
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ibc_contract.errors import IbcError
from implicit_bc import evaluation
from implicit_bc.baselines import DoNothingPolicy, RandomPolicy
from implicit_bc.evaluation import evaluate, rollout

sys.path.insert(0, str(Path(__file__).parent))  # worker processes get this path
from line_world import HomingPolicy, LineEnv


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


@pytest.mark.parametrize(('episodes', 'workers'), [(1, 4), (3, 1)])
def test_one_worker_or_one_episode_needs_no_process(monkeypatch, episodes, workers):
    monkeypatch.setattr(evaluation, 'spawn_pool', None)
    assert evaluate(HomingPolicy, LineEnv, episodes, workers=workers).episodes == episodes


def test_a_policy_that_cannot_be_made_is_said_before_any_process_starts(monkeypatch):
    def missing():
        raise IbcError('there is no such model')

    monkeypatch.setattr(evaluation, 'spawn_pool', None)
    with pytest.raises(IbcError, match='no such model'):
        evaluate(missing, LineEnv, episodes=4, workers=2)


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
