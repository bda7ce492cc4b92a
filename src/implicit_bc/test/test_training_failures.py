"""What cannot be trained on, and runs that go wrong: each ends in one line that says where."""

import dataclasses
import logging

import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.batched import BatchedPolicy
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
from implicit_bc.samplers import DerivativeFreeConfig, LangevinConfig
from implicit_bc.scaling import Scaling
from implicit_bc.training.checkpoint import TrainState, checkpoints
from implicit_bc.training.config import LearningRate, TrainConfig
from implicit_bc.training.data import ArrayData
from implicit_bc.training.gradients import Gradients, micro_batches
from implicit_bc.training.run_log import read_metrics
from implicit_bc.training.trainer import fit
from implicit_bc.training.update import TrainingDiverged, update
from implicit_bc.training.validation import validate

CONFIG = TrainConfig(
    contract='none',
    steps=6,
    batch_size=8,
    method=DerivativeFree(negatives=4),
    network=NetworkConfig(value=ValueConfig(width=8, depth=2)),
    holdout=0.0,
    checkpoint_every=1,
    device='cpu',
)
RNG = np.random.default_rng(0)
STATES = RNG.uniform(-1, 1, (40, 3)).astype(np.float32)
ACTIONS = (0.03 * STATES[:, :2]).astype(np.float32)
EPISODE = np.zeros(40, int)
DATA = ArrayData(STATES, ACTIONS, EPISODE)


def run(tmp_path, data=DATA, **changes):
    return fit(dataclasses.replace(CONFIG, **changes), data, tmp_path, progress=False)


@dataclasses.dataclass(frozen=True)
class WrongBatches(ArrayData):
    """Gives one number too few of each observation."""

    def batch(self, rows):
        observations, actions = super().batch(rows)
        return observations[..., :2], actions


@dataclasses.dataclass(frozen=True)
class BrokenBatches(ArrayData):
    """Gives what is not in its arrays."""

    def batch(self, rows):
        observations, actions = super().batch(rows)
        return observations * np.float32(np.nan), actions


@dataclasses.dataclass(frozen=True)
class BreaksAfter(ArrayData):
    """Gives what overflows in the network after so many batches."""

    sound: list[int] = dataclasses.field(default_factory=list)

    def batch(self, rows):
        observations, actions = super().batch(rows)
        self.sound[0] -= 1
        return observations * np.float32(1.0 if self.sound[0] >= 0 else 1e38), actions


IMAGES = np.zeros((40, 24, 32, 3), np.uint8)


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (dataclasses.replace(DATA, actions=ACTIONS[:, 0]), r'actions have shape \(40,\)'),
        (dataclasses.replace(DATA, actions=ACTIONS.astype(float)), 'actions are float64'),
        (dataclasses.replace(DATA, actions=np.ones((40, 2), int)), 'actions are int64'),
        (dataclasses.replace(DATA, observations=STATES[:, 0]), r'observations have shape \(40,\)'),
        (dataclasses.replace(DATA, observations=IMAGES[..., 0]), r'RGB images \(K, h, w, 3\)'),
        (dataclasses.replace(DATA, observations=IMAGES[:, :8, :8]), 'use larger images'),
        (BrokenBatches(STATES, ACTIONS, EPISODE), 'observations of a batch hold .* row 0'),
        (
            dataclasses.replace(DATA, action_limits=(-0.01, 0.01)),
            r'outside the limits -0.01 .. 0.01',
        ),
        (dataclasses.replace(DATA, actions=ACTIONS[:, :0]), r'actions have shape \(40, 0\)'),
        (dataclasses.replace(DATA, observations=STATES > 0), 'are bool: images must be uint8'),
        (WrongBatches(STATES, ACTIONS, EPISODE), r'observations \(8, 1, 2\) .* takes \(8, 1, 3\)'),
    ],
    ids=[
        'one number for an action',
        'double actions',
        'whole actions',
        'one number for a state',
        'grey images',
        'images smaller than the poolings',
        'a batch that is not finite',
        'actions outside their limits',
        'no actions',
        'neither images nor states',
        'batches',
    ],
)
def test_data_that_does_not_fit_is_named(data, expected, tmp_path, one_line):
    with pytest.raises(IbcError, match=expected) as error:
        run(tmp_path, data)
    one_line(error.value)
    assert not checkpoints(tmp_path)


def test_an_action_on_its_limit_is_inside(tmp_path):
    limits = (float(ACTIONS.min()), float(ACTIONS.max()) - 1e-9)
    assert run(tmp_path, dataclasses.replace(DATA, action_limits=limits)).steps == 6


def test_what_never_changes_is_logged_and_trained_on(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    still = np.stack((ACTIONS[:, 0], np.full(40, 0.02, np.float32)), axis=1)
    states = STATES.copy()
    states[:, 1] = 7.0
    model = run(tmp_path, ArrayData(states, still, EPISODE)).model
    assert 'constant in the data, left unscaled: observation dimensions 1 (7)' in caplog.text
    assert 'constant in the data, left unscaled: action dimensions 1 (0.02)' in caplog.text
    chosen = model.action.inverse(
        model.decide(torch.randn(20, 1, 3), torch.Generator().manual_seed(0)).best
    )
    assert (chosen[:, 1] - 0.02).abs().max() <= 1.01e-4


METHODS = [
    DerivativeFree(negatives=4),
    Autoregressive(negatives=4),
    Langevin(negatives=4, sampler=LangevinConfig(iterations=2)),
    MeanSquaredError(),
    MixtureDensity(components=2),
    Ranking(negatives=4, components=2),
]


@pytest.mark.parametrize('method', METHODS, ids=lambda method: method.kind)
def test_a_diverging_run_says_at_which_step_and_keeps_what_a_step_was_taken_from(
    method, tmp_path, one_line
):
    wild = {'method': method, 'learning_rate': LearningRate(1e20)}
    with pytest.raises(TrainingDiverged, match=r'step \d: .* is not finite') as error:
        run(tmp_path, **wild)
    step = int(one_line(error.value).split(':')[0].removeprefix('step '))
    good = [f'{number:08d}' for number in range(1, step)][-CONFIG.keep_checkpoints + 1 :]
    assert [path.name for path in checkpoints(tmp_path)] == good
    aside = tmp_path / 'checkpoints' / f'{step:08d}.diverged'
    assert (aside / 'model.safetensors').is_file()
    assert f'from {aside}, set aside, no step is finite' in str(error.value)
    said = f'last good checkpoint is {checkpoints(tmp_path)[-1]}' if good else 'is no good'
    assert said in str(error.value)
    # It goes on from a good one, and comes to the same end.
    config = dataclasses.replace(CONFIG, steps=step, **wild)
    weights = fit(config, DATA, tmp_path, resume=True, progress=False).model.state_dict()
    assert all(tensor.isfinite().all() for tensor in weights.values())
    with pytest.raises(TrainingDiverged, match=f'step {step}: .*set aside'):
        fit(dataclasses.replace(config, steps=6), DATA, tmp_path, resume=True, progress=False)


def test_a_checkpoint_that_steps_were_taken_from_is_not_set_aside(tmp_path):
    with pytest.raises(TrainingDiverged, match=r'last good checkpoint is .*00000004$'):
        run(tmp_path, BreaksAfter(STATES, ACTIONS, EPISODE, sound=[5]), checkpoint_every=2)
    assert [path.name for path in checkpoints(tmp_path)] == ['00000002', '00000004']


def test_without_a_checkpoint_it_says_so(tmp_path):
    with pytest.raises(TrainingDiverged, match=r'there is no good checkpoint$'):
        run(tmp_path, learning_rate=LearningRate(1e20), checkpoint_every=1000)


@pytest.fixture
def state():
    torch.manual_seed(0)
    scaling = Scaling.of_data(STATES, ACTIONS, CONFIG.normalization, (-1.0, 1.0))
    method = Langevin(negatives=4, sampler=LangevinConfig(iterations=2))
    model = method.model(DATA.spaces, CONFIG.network, scaling)
    return TrainState(model, torch.optim.Adam(model.parameters()))


def weights_of(state):
    return [p.detach().clone() for p in state.model.parameters()]


def step(state):
    observation, action = DATA.batch(np.arange(8))
    gradients = Gradients(state.model, 8, micro_batches(8, 8), seed=0)
    return update(state, gradients, torch.from_numpy(observation), torch.from_numpy(action))


def test_the_gradient_that_is_not_finite_is_named_and_changes_nothing(state):
    before = weights_of(state)
    state.model.network.value.head.weight.register_hook(lambda gradient: gradient * torch.nan)
    with pytest.raises(
        TrainingDiverged, match=r'step 0: the gradient of network\.value\.head\.weight'
    ):
        step(state)
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(state), strict=True))


def test_the_part_of_the_loss_that_is_not_finite_is_named(state, monkeypatch):
    really = state.model.losses
    broken = {'gradient_penalty': torch.tensor(torch.inf)}
    monkeypatch.setattr(state.model, 'losses', lambda *batch: {**really(*batch), **broken})
    with pytest.raises(TrainingDiverged, match="step 0: the loss 'gradient_penalty' is not finite"):
        step(state)


def test_every_part_of_the_loss_is_logged(tmp_path):
    method = Langevin(negatives=4, sampler=LangevinConfig(iterations=2))
    run(tmp_path, method=method, log_every=3)
    row = read_metrics(tmp_path)[0]
    assert row['loss'] == pytest.approx(row['info_nce'] + row['gradient_penalty'], rel=1e-5)


def test_out_of_memory_elsewhere_says_where(tmp_path, one_line):
    huge = DerivativeFree(negatives=4, sampler=DerivativeFreeConfig(10**13))
    two = dataclasses.replace(DATA, episode=np.arange(40) // 20)
    with pytest.raises(IbcError, match='out of memory validating: lower') as error:
        run(tmp_path / 'a', two, method=huge, holdout=0.5)
    one_line(error.value)
    wide = NetworkConfig(value=ValueConfig(width=2**48, depth=2))
    with pytest.raises(IbcError, match='out of memory building the model: make') as error:
        run(tmp_path / 'b', network=wide)
    one_line(error.value)


def test_validation_takes_no_more_at_once_than_training(tmp_path, monkeypatch):
    model = run(tmp_path).model
    decide, sizes = model.decide, []

    def watched(observation, *rest):
        sizes.append(len(observation))
        return decide(observation, *rest)

    monkeypatch.setattr(model, 'decide', watched)
    found = validate(model, DATA, np.arange(40), seed=0)
    assert sum(sizes) == 40
    assert max(sizes) <= 16
    # Means over all steps, though the last piece is smaller.
    whole = 1e3 * np.linalg.norm(BatchedPolicy(model).act(STATES[:, None]) - ACTIONS, axis=1)
    assert found['validation/action_error_mm'] == pytest.approx(whole.mean(), rel=0.3)


def test_a_loss_that_is_logged_after_a_resume_is_that_of_all_steps(tmp_path):
    run(tmp_path / 'a', log_every=4)
    run(tmp_path / 'b', log_every=4, steps=3)
    fit(dataclasses.replace(CONFIG, log_every=4), DATA, tmp_path / 'b', True, progress=False)
    straight, resumed = (
        [row['loss'] for row in read_metrics(tmp_path / name) if 'loss' in row] for name in 'ab'
    )
    assert straight == resumed


def test_out_of_memory_says_what_to_lower(tmp_path, one_line):
    with pytest.raises(IbcError, match='out of memory in a step with batch_size 8: lower') as error:
        run(tmp_path, method=DerivativeFree(negatives=10**13))
    one_line(error.value)
