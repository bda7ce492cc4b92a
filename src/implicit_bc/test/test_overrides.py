"""Another method than a preset's, by `--set method.kind=...`."""

import dataclasses

import pytest

from ibc_contract.errors import IbcError
from implicit_bc.methods import (
    Autoregressive,
    DerivativeFree,
    Langevin,
    MeanSquaredError,
    MixtureDensity,
    Ranking,
)
from implicit_bc.preset_files import paper_preset_names, preset_names
from implicit_bc.training.config import load_config

METHODS = [
    DerivativeFree(),
    Autoregressive(),
    Langevin(),
    MeanSquaredError(),
    MixtureDensity(),
    Ranking(),
]


@pytest.mark.parametrize('preset', [*preset_names(), *paper_preset_names()])
def test_another_method_begins_with_its_own_defaults(preset):
    given = load_config(preset)
    for method in METHODS:
        changed = load_config(preset, {'method.kind': method.kind})
        same = method.kind == given.method.kind
        assert changed == (given if same else dataclasses.replace(given, method=method))


def test_its_constants_may_be_given_in_any_order():
    both = {'method.sampler.iterations': 3, 'method.kind': 'langevin'}
    assert load_config('cpu_small', both).method.sampler.iterations == 3


def test_a_file_that_names_a_method_wrongly_is_still_told_so(tmp_path, one_line):
    file = tmp_path / 'mine.yaml'
    file.write_text('method: langevin\n')
    with pytest.raises(IbcError) as error:
        load_config(file, {'method.kind': 'ranking'})
    one_line(error.value)
