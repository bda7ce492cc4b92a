import dataclasses
import json
import logging
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ibc_contract.errors import IbcError
from implicit_bc.bundle import load_bundle
from implicit_bc.checksums import write_checksums
from implicit_bc.methods import (
    Autoregressive,
    DerivativeFree,
    Langevin,
    MeanSquaredError,
    MixtureDensity,
    Ranking,
)
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.samplers import (
    AutoregressiveConfig,
    DerivativeFreeConfig,
    LangevinConfig,
    StepSize,
)
from implicit_bc.tensors import load_tensors, save_tensors
from implicit_bc.training.augmentation import random_shifts, shift_frames
from implicit_bc.training.batches import data_order
from implicit_bc.training.checkpoint import checkpoints
from implicit_bc.training.config import (
    LearningRate,
    TrainConfig,
    config_from_dict,
    load_config,
    preset_names,
)
from implicit_bc.training.run_log import read_metrics
from implicit_bc.training.trainer import TrainingInterrupted, fit, train

TINY = TrainConfig(
    contract='tiny',
    steps=60,
    batch_size=32,
    method=DerivativeFree(negatives=32, sampler=DerivativeFreeConfig(samples=256)),
    learning_rate=LearningRate(3e-3, final_fraction=0.05),
    network=NetworkConfig(
        image=ConvMaxPoolConfig((8, 16), (True, False), coord_conv=False, keypoints=8),
        value=ValueConfig(width=32, depth=3),
    ),
    holdout=0.2,
    log_every=10,
    validate_every=30,
    checkpoint_every=20,
    device='cpu',
)


def quietly(config, dataset, run_dir, **options):
    return train(config, dataset, run_dir, progress=False, **options)


def act_on(bundle_path, dataset, rows):
    policy = load_bundle(bundle_path).policy
    observations, _ = dataset.batch(rows)
    key = 'image' if observations.dtype == np.uint8 else 'state'
    rng = np.random.default_rng(0)
    return np.array([policy.act({key: observation}, rng) for observation in observations])


def test_states_are_learned_to_a_tenth_of_the_range(points, tmp_path):
    config = dataclasses.replace(TINY, steps=600, validate_every=600)
    bundle = quietly(config, points, tmp_path)
    rows = points.split(config.holdout, config.seed)[1]  # those that are validated on, all
    error = np.linalg.norm(act_on(bundle, points, rows) - points.actions[rows], axis=1)
    assert np.median(error) < 0.003  # the range is +-30 mm
    metrics = read_metrics(tmp_path)
    losses = [row['loss'] for row in metrics if 'loss' in row]
    assert losses[-1] < 0.5 * losses[0]
    assert metrics[-1]['validation/action_error_median_mm'] == pytest.approx(
        1e3 * np.median(error), rel=0.5
    )


CHAINS = LangevinConfig(samples=64, iterations=8, step_size=StepSize(0.3), max_step=0.3)


@pytest.mark.parametrize(
    'method',
    [
        DerivativeFree(negatives=32, sampler=DerivativeFreeConfig(samples=256)),
        Autoregressive(negatives=32, sampler=AutoregressiveConfig(samples=128, iterations=2)),
        Langevin(negatives=4, uniform_negatives=24, sampler=CHAINS),
        Ranking(negatives=32, sampler=DerivativeFreeConfig(samples=256)),
        MeanSquaredError(),
        MixtureDensity(components=4),
    ],
    ids=lambda m: m.kind,
)
def test_the_position_of_a_dot_is_learned_from_images(dots, tmp_path, method):
    """Soft-argmax finds a dot within 2.5 % of the range on images that were not trained on."""
    config = dataclasses.replace(
        TINY, steps=200, validate_every=200, checkpoint_every=200, method=method
    )
    bundle = quietly(config, dots, tmp_path)
    rows = dots.split(config.holdout, config.seed)[1][:100]
    error = np.linalg.norm(act_on(bundle, dots, rows) - dots.actions[rows], axis=1)
    assert np.median(error) < 0.025 * 0.06


def test_of_two_demonstrated_actions_one_is_chosen_not_their_mean(points, tmp_path):
    side = np.where(np.arange(len(points)) % 2, 0.02, -0.02)
    two_modes = np.stack((side, np.zeros_like(side)), axis=1).astype(np.float32)
    dataset = dataclasses.replace(points, actions=two_modes)
    bundle = quietly(dataclasses.replace(TINY, steps=200), dataset, tmp_path)
    chosen = act_on(bundle, dataset, np.arange(50))
    assert np.abs(np.abs(chosen[:, 0]) - 0.02).max() < 0.004


def test_a_resumed_run_equals_a_straight_one_bit_for_bit(dots, tmp_path):
    # The paper's decay does not depend on the length of the run.
    config = dataclasses.replace(
        TINY, steps=40, random_shift_px=2, learning_rate=LearningRate(3e-3)
    )
    straight = quietly(config, dots, tmp_path / 'a')
    quietly(dataclasses.replace(config, steps=20), dots, tmp_path / 'b')
    resumed = quietly(config, dots, tmp_path / 'b', resume=True)
    first = load_file(straight / 'policy.safetensors')
    second = load_file(resumed / 'policy.safetensors')
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert [row['loss'] for row in read_metrics(tmp_path / 'a') if 'loss' in row] == [
        row['loss'] for row in read_metrics(tmp_path / 'b') if 'loss' in row
    ]


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize('micro_batch', [7, 10])
@pytest.mark.parametrize(
    'method', [DerivativeFree(negatives=256), MixtureDensity()], ids=lambda m: m.kind
)
def test_with_two_threads_too_and_in_any_sizes(points, tmp_path, two_threads, method, micro_batch):
    """These sizes fill no vector: how they are rounded hangs on how they are shared out."""
    config = dataclasses.replace(
        TINY,
        method=method,
        steps=3,
        batch_size=100,
        network=NetworkConfig(value=ValueConfig(width=256, depth=2)),
        learning_rate=LearningRate(1e-3),
        micro_batch=micro_batch,
        holdout=0.0,
    )
    straight = fit(config, points, tmp_path / 'a', progress=False).model.state_dict()
    fit(dataclasses.replace(config, steps=1), points, tmp_path / 'b', progress=False)
    resumed = fit(config, points, tmp_path / 'b', resume=True, progress=False).model.state_dict()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_the_average_is_kept_and_resumed_bit_for_bit(points, tmp_path):
    config = dataclasses.replace(
        TINY, steps=40, average_decay=0.9, learning_rate=LearningRate(3e-3)
    )
    straight = quietly(config, points, tmp_path / 'a')
    quietly(dataclasses.replace(config, steps=20), points, tmp_path / 'b')
    resumed = quietly(config, points, tmp_path / 'b', resume=True)
    bundle = load_file(straight / 'policy.safetensors')
    again = load_file(resumed / 'policy.safetensors')
    newest = load_file(checkpoints(tmp_path / 'a')[-1] / 'model.safetensors')
    assert all(torch.equal(bundle[key], again[key]) for key in bundle)
    assert not any(torch.equal(bundle[key], newest[key]) for key in bundle)


def test_ctrl_c_saves_a_checkpoint_and_resuming_ends_the_same(points, tmp_path, one_line):
    config = dataclasses.replace(
        TINY, steps=10**6, checkpoint_every=10**6, holdout=0.0, log_every=1
    )

    def interrupt():
        while not read_metrics(tmp_path):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(TrainingInterrupted, match='checkpoint saved in') as error:
        quietly(config, points, tmp_path)
    one_line(error.value)
    done = int(checkpoints(tmp_path)[-1].name)
    assert 0 < done < 10**6
    more = dataclasses.replace(config, steps=done + 5)
    assert quietly(more, points, tmp_path, resume=True).is_dir()
    assert int(checkpoints(tmp_path)[-1].name) == done + 5


def test_a_run_that_is_older_than_a_field_is_resumed_with_its_default(points, tmp_path):
    quietly(dataclasses.replace(TINY, steps=10), points, tmp_path)
    folder = checkpoints(tmp_path)[-1]
    state = json.loads((folder / 'state.json').read_text())
    del state['config']['normalization']['observation']
    (folder / 'state.json').write_text(json.dumps(state))
    write_checksums(folder)
    quietly(dataclasses.replace(TINY, steps=12), points, tmp_path, resume=True)
    assert int(checkpoints(tmp_path)[-1].name) == 12


def test_checkpoints_hold_no_pickle_and_old_ones_go(points, tmp_path):
    quietly(TINY, points, tmp_path)
    kept = checkpoints(tmp_path)
    assert [path.name for path in kept] == ['00000040', '00000060']
    assert {file.suffix for file in kept[-1].iterdir()} == {'.safetensors', '.json', '.txt'}
    facts = json.loads((kept[-1] / 'state.json').read_text())
    assert facts['step'] == 60
    assert facts['config']['batch_size'] == 32


def test_events_for_tensorboard(points, tmp_path):
    quietly(dataclasses.replace(TINY, steps=10), points, tmp_path)
    assert list((tmp_path / 'tensorboard').glob('events.out.tfevents.*'))


def test_what_is_held_out_is_judged_once_at_the_end(points, tmp_path):
    for steps, expected in ((4, [3, 4]), (6, [3, 6])):
        config = dataclasses.replace(TINY, steps=steps, validate_every=3)
        quietly(config, points, tmp_path / str(steps))
        metrics = read_metrics(tmp_path / str(steps))
        assert [r['step'] for r in metrics if 'validation/loss' in r] == expected


def test_a_run_directory_is_not_overwritten(points, tmp_path, one_line):
    config = dataclasses.replace(TINY, steps=5)
    quietly(config, points, tmp_path)
    with pytest.raises(IbcError, match='already holds a run of 5 steps') as error:
        quietly(config, points, tmp_path)
    one_line(error.value)


@pytest.mark.parametrize('what', ['configuration', 'dataset', 'version'])
def test_what_does_not_fit_is_not_resumed(points, tmp_path, one_line, what):
    config = dataclasses.replace(TINY, steps=5)
    quietly(config, points, tmp_path)
    match what:
        case 'configuration':
            config = dataclasses.replace(config, method=DerivativeFree(negatives=16))
            expected = 'method.negatives 32 -> 16'
        case 'dataset':
            meta = dataclasses.replace(points.meta, hash='other')
            points = dataclasses.replace(points, meta=meta)
            expected = 'dataset feed, this is other'
        case _:
            folder = checkpoints(tmp_path)[-1]
            tensors = load_tensors(folder, 'trainer')
            save_tensors(folder, 'trainer', tensors | {'random': torch.zeros(4)})
            write_checksums(folder)
            expected = "'random' is of no use here, another version has written it"
    with pytest.raises(IbcError, match=expected) as error:
        quietly(config, points, tmp_path, resume=True)
    one_line(error.value)


def test_a_loss_that_is_not_finite_stops_the_run(points, tmp_path, one_line):
    states = points.observations.copy()
    config = dataclasses.replace(TINY, steps=200, checkpoint_every=10, log_every=10, holdout=0.0)
    quietly(dataclasses.replace(config, steps=20), points, tmp_path)
    states[500:] = np.nan
    broken = dataclasses.replace(points, observations=states)
    with pytest.raises(IbcError, match='not finite') as error:
        quietly(config, broken, tmp_path, resume=True)
    one_line(error.value)
    assert checkpoints(tmp_path)[-1].name == '00000020'


def test_the_time_limit_ends_a_run_early(points, tmp_path):
    config = dataclasses.replace(TINY, steps=10**6, time_limit_s=1.0, checkpoint_every=10**6)
    assert quietly(config, points, tmp_path).is_dir()
    assert 0 < int(checkpoints(tmp_path)[-1].name) < 10**6


def test_every_epoch_sees_every_row_once_in_a_new_order():
    rows = np.arange(100, 112)
    order = data_order(rows, 4, seed=1, step=0)
    epochs = [np.concatenate([next(order) for _ in range(3)]) for _ in range(2)]
    assert all(sorted(epoch) == rows.tolist() for epoch in epochs)
    assert epochs[0].tolist() != epochs[1].tolist()
    later = data_order(rows, 4, seed=1, step=4)
    assert np.concatenate([next(later), next(later)]).tolist() == epochs[1][4:].tolist()


def test_shifted_frames_move_together_and_repeat_the_edge():
    frames = np.zeros((300, 2, 9, 12, 3), np.uint8)
    frames[:, :, 4, 6] = 200
    frames[:, :, :, 0] = 50
    shifted = shift_frames(frames, random_shifts(300, 2, np.random.default_rng(0)))
    assert (shifted[:, 0] == shifted[:, 1]).all()
    places = {tuple(np.argwhere(frame[0, :, :, 0] == 200)[0] - (4, 6)) for frame in shifted}
    assert places == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}
    moved_right = [frame[0] for frame in shifted if frame[0, :, 2, 0].min() == 50]
    assert all((frame[:, :3, 0] == 50).all() for frame in moved_right)


def test_learning_rate_of_the_paper_and_scaled_to_the_budget():
    paper = LearningRate()
    assert paper.at(0, 0.0) == 1e-3
    assert paper.at(10_000, 0.1) == pytest.approx(3.66e-4, rel=1e-3)
    assert paper.at(150, 0.1) == pytest.approx(1e-3 * 0.99**1.5)  # continuous, no staircase
    assert LearningRate(final_fraction=0.01).at(500, 0.5) == pytest.approx(1e-4)


def test_presets_load_and_name_the_paper(caplog):
    caplog.set_level(logging.WARNING)
    assert {'real_push', 'real_insert', 'cpu_small', 'cpu_base', 'gpu_base', 'state_small'} == set(
        preset_names()
    )
    push, insert = load_config('real_push'), load_config('real_insert')
    assert (push.batch_size, push.network.value.width, push.method.sampler.samples) == (
        128,
        1024,
        1024,
    )
    assert (insert.batch_size, insert.network.value.width) == (256, 2048)
    for name in preset_names():
        config = load_config(name)
        assert config_from_dict(json.loads(json.dumps(config.to_dict())), 'again') == config


def test_overrides_and_files(tmp_path):
    config = load_config('cpu_small', {'learning_rate.initial': 5e-4, 'seed': 7})
    assert (config.learning_rate.initial, config.seed) == (5e-4, 7)
    file = tmp_path / 'mine.yaml'
    file.write_text('steps: 12\n')
    assert load_config(file).steps == 12


@pytest.mark.parametrize(
    ('source', 'overrides', 'expected'),
    [
        ('cpu_smal', {}, 'known: cpu_base, cpu_small, gpu_base'),
        ('cpu_small', {'method.negatives': 0}, "negatives'"),
        ('cpu_small', {'network.value.widht': 3}, "field 'network.value.widht'"),
    ],
)
def test_wrong_configurations_are_named(source, overrides, expected, one_line):
    with pytest.raises(IbcError) as error:
        load_config(source, overrides)
    assert expected in one_line(error.value)


def test_no_gpu(points, tmp_path):
    if torch.cuda.is_available():
        pytest.skip('there is one')
    with pytest.raises(IbcError, match='sees no GPU'):
        quietly(dataclasses.replace(TINY, device='cuda'), points, tmp_path)
