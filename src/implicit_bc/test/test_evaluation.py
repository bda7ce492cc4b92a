import json
import multiprocessing
import os
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ibc_contract.errors import IbcError
from implicit_bc import evaluation
from implicit_bc.baselines import DoNothingPolicy, RandomPolicy
from implicit_bc.evaluation import evaluate, roll_out
from implicit_bc.evaluation_summary import summarize
from implicit_bc.rollout import Episode, rollout

sys.path.insert(0, str(Path(__file__).parent))  # worker processes get this path
from line_world import HomingPolicy, LineEnv, SlowEnv, ThreadCounter, ThreadEnv, Witness


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
    assert {'score', 'success_rate', 'wilson95', 'episodes', 'seed', 'seconds'} <= set(figures)
    assert json.loads(json.dumps(figures))['wilson95'][1] == 1.0


def test_a_summary_says_when_how_often_and_why():
    done = [
        Episode(7, 1.0, True, 20, 4.0, {'slowed': 3}),
        Episode(8, 1.0, True, 50, 10.0, {'slowed': 1, 'waits': 4}),
        Episode(9, 0.5, False, 60, 12.0, {}, 'green not in', 'stalled'),
        Episode(10, 0.0, False, 60, 12.0, {}, 'red not in', 'stalled'),
        Episode(11, 0.5, False, 60, 12.0, {}, 'green not in', 'ran out of time'),
        Episode(12, 1.0, True, 80, 16.0),
    ]
    figures = summarize(done, 3.0).to_dict()
    assert figures['time_to_success_s'] == {'mean': 10.0, 'median': 10.0}
    assert figures['interventions'] == {'slowed': round(4 / 6, 4), 'waits': round(4 / 6, 4)}
    assert figures['failures'] == {'green not in': 2, 'red not in': 1}
    assert figures['endings'] == {'stalled': 2, 'ran out of time': 1}
    assert (figures['score'], figures['seed'], figures['seconds']) == (0.6667, 7, 3.0)
    low, high = figures['score95']
    assert 0.3 < low < 0.6667 < high <= 1.0


def test_without_success_there_is_no_time_to_it():
    assert summarize([Episode(0, 0.0, False, 3, 0.6)], 1.0).to_dict()['time_to_success_s'] is None


def test_several_processes_give_the_same_episodes():
    factory = partial(HomingPolicy, 0.5)
    here = evaluate(factory, LineEnv, episodes=12, seed=1, workers=1, progress=False)
    there = evaluate(factory, LineEnv, episodes=12, seed=1, workers=2, progress=False)
    assert here.rollouts == there.rollouts
    assert 0 < here.success_rate < 1


@pytest.mark.parametrize('workers', [1, 2])
def test_pytorch_has_one_thread_whatever_the_number_of_workers(workers):
    torch = pytest.importorskip('torch')
    torch.set_num_threads(2)
    done = roll_out(ThreadCounter, ThreadEnv, range(2), workers, progress=False)
    assert [episode.interventions for episode in done] == [{'threads': 1}] * 2
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize('workers', [1, 2])
def test_each_episode_has_its_spectator(workers, tmp_path):
    watch = partial(Witness, tmp_path)
    done = list(roll_out(HomingPolicy, LineEnv, range(3), workers, False, watch))
    for episode in done:
        steps, seen = (tmp_path / str(episode.seed)).read_text().split()
        assert (int(steps), seen == 'True') == (episode.steps, episode.success)


@pytest.mark.parametrize('workers', [1, 2])
def test_an_interrupt_leaves_the_first_episodes_and_no_process(workers):
    done = []

    def interrupt_the_third():
        for episode in roll_out(HomingPolicy, SlowEnv, range(50), workers, progress=False):
            done.append(episode.seed)
            if len(done) == 3:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        interrupt_the_third()
    assert done == list(range(len(done)))
    assert 3 <= len(done) < 10
    assert not multiprocessing.active_children()


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
