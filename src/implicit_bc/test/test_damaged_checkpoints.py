"""A file cut short or with a bit flipped costs a run the steps since the checkpoint before."""

import dataclasses
import logging
import re

import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.checksums import SUMS, write_checksums
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.tensors import load_tensors, save_tensors
from implicit_bc.training.checkpoint import checkpoints
from implicit_bc.training.config import TrainConfig
from implicit_bc.training.data import ArrayData
from implicit_bc.training.trainer import fit
from implicit_bc.training.update import TrainingDiverged

CONFIG = TrainConfig(
    contract='none',
    steps=6,
    batch_size=8,
    method=DerivativeFree(negatives=4),
    network=NetworkConfig(value=ValueConfig(width=8, depth=2)),
    average_decay=0.9,
    holdout=0.0,
    log_every=1,
    checkpoint_every=2,
    device='cpu',
)
STATES = np.random.default_rng(0).uniform(-1, 1, (40, 3)).astype(np.float32)
DATA = ArrayData(STATES, (0.03 * STATES[:, :2]).astype(np.float32), np.zeros(40, int))


def run(folder, resume=False, data=DATA, **changes):
    return fit(dataclasses.replace(CONFIG, **changes), data, folder, resume, progress=False)


def cut_short(file):
    file.write_bytes(file.read_bytes()[:-20])


def flip_a_bit(file):
    content = bytearray(file.read_bytes())
    content[-9] ^= 4
    file.write_bytes(content)


def remove(file):
    file.unlink()


WRITTEN = ['model.safetensors', 'average.safetensors', 'trainer.safetensors', 'state.json']
DAMAGES = [
    *((name, damage) for name in WRITTEN for damage in (cut_short, flip_a_bit, remove)),
    *((SUMS, damage) for damage in (cut_short, flip_a_bit)),
]


@pytest.mark.parametrize(('name', 'damage'), DAMAGES)
def test_a_run_goes_on_from_the_one_before_and_ends_the_same(name, damage, tmp_path, caplog):
    straight = run(tmp_path / 'a', steps=8).model.state_dict()
    run(tmp_path / 'b')
    damage(checkpoints(tmp_path / 'b')[-1] / name)
    with caplog.at_level(logging.WARNING, 'implicit_bc'):
        resumed = run(tmp_path / 'b', resume=True, steps=8).model.state_dict()
    (record,) = caplog.records
    folder = tmp_path / 'b' / 'checkpoints' / '00000006'
    assert re.fullmatch(rf'{folder}/\S+: .*: going on from step 4', record.getMessage())
    if name != SUMS:
        assert record.getMessage().startswith(f'{folder / name}: ')
    assert all(torch.equal(straight[key], resumed[key]) for key in straight)


def test_what_is_damaged_goes_with_the_next_checkpoint_not_what_the_run_went_on_from(tmp_path):
    run(tmp_path)
    cut_short(checkpoints(tmp_path)[-1] / 'trainer.safetensors')
    run(tmp_path, resume=True, steps=5)
    assert [path.name for path in checkpoints(tmp_path)] == ['00000004', '00000005']


def test_a_run_that_diverges_after_that_names_the_checkpoint_that_is_sound(tmp_path):
    run(tmp_path)
    cut_short(checkpoints(tmp_path)[-1] / 'model.safetensors')

    class Broken(ArrayData):
        """What overflows in the network."""

        def batch(self, rows):
            observations, actions = super().batch(rows)
            return observations * np.float32(1e38), actions

    broken = Broken(DATA.observations, DATA.actions, DATA.episode)
    with pytest.raises(TrainingDiverged, match=r'last good checkpoint is .*00000004'):
        run(tmp_path, resume=True, data=broken, steps=8)


def test_where_all_are_damaged_it_says_so(tmp_path, one_line):
    run(tmp_path)
    for path in checkpoints(tmp_path):
        flip_a_bit(path / 'model.safetensors')
    with pytest.raises(IbcError, match=r'00000006/model.safetensors: damaged: .*nor') as error:
        run(tmp_path, resume=True)
    one_line(error.value)


def test_weights_that_are_not_finite_are_no_checkpoint_to_go_on_from(tmp_path, caplog):
    run(tmp_path)
    newest = checkpoints(tmp_path)[-1]
    weights = load_tensors(newest, 'model')
    save_tensors(newest, 'model', {key: tensor * torch.inf for key, tensor in weights.items()})
    write_checksums(newest)
    with caplog.at_level(logging.WARNING, 'implicit_bc'):
        assert run(tmp_path, resume=True, steps=8).steps == 8
    assert 'not finite: going on from step 4' in caplog.text
