import threading

import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.methods import MeanSquaredError
from implicit_bc.training.batches import batches
from implicit_bc.training.config import LearningRate, TrainConfig
from implicit_bc.training.data import ArrayData
from implicit_bc.training.gradients import micro_batches
from implicit_bc.training.trainer import fit
from implicit_bc.training.update import TrainingDiverged

STATES = np.arange(12, dtype=np.float32).reshape(6, 2)
ACTIONS = np.arange(6, dtype=np.float32).reshape(6, 1)
EPISODE = np.array([0, 0, 0, 0, 1, 1])


def test_the_first_sample_of_an_episode_stands_for_those_before_it():
    data = ArrayData(STATES, ACTIONS, EPISODE, history=3)
    assert data.index.tolist() == [
        [0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3], [4, 4, 4], [4, 4, 5],
    ]  # fmt: skip
    observations, actions = data.batch(np.array([2, 4]))
    np.testing.assert_array_equal(observations[0], STATES[:3])
    np.testing.assert_array_equal(observations[1], STATES[[4, 4, 4]])
    assert actions.tolist() == [[2], [4]]
    assert data.spaces.observation == (3, 2)


def test_whole_episodes_are_held_out():
    rows, held_out = ArrayData(STATES, ACTIONS, EPISODE).split(0.5, seed=0)
    assert sorted([*rows, *held_out]) == list(range(6))
    assert set(EPISODE[rows]) & set(EPISODE[held_out]) == set()


def test_the_hash_changes_with_any_number():
    data = ArrayData(STATES, ACTIONS, EPISODE)
    assert data.hash == ArrayData(STATES.copy(), ACTIONS, EPISODE).hash
    other = ACTIONS.copy()
    other[3] += 1e-6
    assert data.hash != ArrayData(STATES, other, EPISODE).hash
    assert data.hash != ArrayData(STATES, ACTIONS, EPISODE, history=2).hash


@pytest.mark.parametrize('name', ['observations', 'actions'])
def test_numbers_that_are_not_finite_are_refused_with_their_row(name, one_line):
    arrays = {'observations': STATES.copy(), 'actions': ACTIONS.copy()}
    arrays[name][4, 0] = np.nan
    with pytest.raises(
        IbcError, match=f'{name} hold numbers that are not finite in row 4'
    ) as error:
        ArrayData(**arrays, episode=EPISODE)
    one_line(error.value)


def test_lengths_must_agree(one_line):
    with pytest.raises(IbcError, match='6 observations, 5 actions') as error:
        ArrayData(STATES, ACTIONS[:5], EPISODE)
    one_line(error.value)


@pytest.mark.parametrize(
    ('episode', 'history', 'said'),
    [
        ([1, 1, 0, 0], 1, 'count up from 0'),
        ([0, 1, 0, 1], 1, 'count up from 0'),
        ([0, 0, 2, 2], 1, 'count up from 0'),
        ([3, 3, 4, 4], 1, 'count up from 0'),
        ([0, 0, 1, 1], 0, 'history is 0'),
    ],
)
def test_episodes_follow_each_other_and_observations_hold_something(
    episode, history, said, one_line
):
    with pytest.raises(IbcError, match=said) as error:
        ArrayData(STATES[:4], ACTIONS[:4], np.array(episode), history)
    one_line(error.value)


CONFIG = TrainConfig(
    'none',
    method=MeanSquaredError(),
    steps=50,
    batch_size=2,
    learning_rate=LearningRate(1e20),
    holdout=0.0,
    threads=1,
    device='cpu',
)


def loading():
    return [thread for thread in threading.enumerate() if thread.name.startswith('batches')]


def test_whoever_stops_ends_the_thread_that_loads_ahead():
    data, parts = ArrayData(STATES, ACTIONS, EPISODE), micro_batches(2, 2)
    stream = batches(data, np.arange(6), CONFIG, 0, torch.device('cpu'), parts)
    assert [len(tensor) for tensor in next(stream)] == [2, 2]
    assert loading()
    stream.close()
    assert not loading()


def test_a_run_that_ends_in_an_error_leaves_no_such_thread(tmp_path):
    with pytest.raises(TrainingDiverged) as error:
        fit(CONFIG, ArrayData(STATES, ACTIONS, EPISODE), tmp_path, progress=False)
    assert error.tb  # which would keep the generator alive
    assert not loading()
