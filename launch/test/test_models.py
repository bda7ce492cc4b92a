"""Trained bundles as `ibc models`, `ibc demo` and `ibc doctor` see them."""

import json
import logging
import subprocess
import sys

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from ibc_bringup.bundles import check_bundle, list_cards, read_card
from ibc_bringup.checks import model_bundles
from ibc_bringup.demo import best_card
from ibc_bringup.main import main
from ibc_bringup.ports import free_twin_ports
from ibc_bringup.stacks import find_stack
from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError

RGB = load_contract('planar_rgb')
DESCRIPTION = {
    'format': 2,
    'method': {'kind': 'derivative_free'},
    'tasks': ['push_red'],
    'contract_hash': RGB.hash,
    'contract': RGB.to_dict(),
    'network': {},
    'scaling': {},
    'provenance': {},
    'results': {'push_red': {'success_rate': 0.9, 'wilson95': [0.7, 0.97]}},
}


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Make a model in a folder where they are looked up by name: `models(name, **changes)`."""
    monkeypatch.setattr('implicit_bc.bundle_files.model_roots', lambda: [tmp_path])

    def make(name, **changes):
        folder = tmp_path / name
        folder.mkdir()
        (folder / 'policy.yaml').write_text(yaml.safe_dump({**DESCRIPTION, **changes}))
        return folder

    return make


def listed(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(['models', 'list', *words])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_models_are_listed_with_what_was_measured(models, capsys):
    models('good')
    models('new', results={})
    table = listed(capsys).splitlines()
    assert table[2].split()[:5] == ['good', 'push_red', '0.90', '[0.70,', '0.97]']
    assert 'not measured' in table[3]
    entries = json.loads(listed(capsys, '--json'))
    assert [entry['name'] for entry in entries] == ['good', 'new']
    assert entries[0]['tasks'] == ['push_red']
    assert entries[0]['contract'] == 'planar_rgb'


@pytest.mark.parametrize(
    'changes',
    [
        {'format': 99},
        {'tasks': None},
        {'tasks': [3]},
        {'contract': 'planar_rgb'},
        {'contract': {}},
        {'results': ['push_red']},
        {'results': {'push_red': 0.9}},
        {'results': {'push_red': {'success_rate': 0.9}}},
    ],
    ids=str,
)
def test_a_broken_model_does_not_hide_the_others(models, capsys, caplog, changes):
    models('good')
    broken = models('broken', **changes)
    assert [entry['name'] for entry in json.loads(listed(capsys, '--json'))] == ['good']
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(broken / 'policy.yaml') in record.getMessage()
    assert best_card('push_red').name == 'good'
    with pytest.raises(IbcError, match='broken'):
        read_card('broken')
    finding = model_bundles()
    assert finding.status == 'warn'
    assert str(broken / 'policy.yaml') in finding.detail
    assert finding.remedy


def test_a_file_that_is_not_yaml_is_left_out_too(models, caplog):
    (models('broken') / 'policy.yaml').write_text('tasks: [')
    assert list_cards() == []
    assert 'broken' in caplog.text


def test_a_model_without_a_task_is_listed_and_cannot_be_run_without_one(models, capsys):
    models('bare', tasks=[])
    assert 'bare' in listed(capsys)
    with pytest.raises(IbcError, match='names no task'):
        _ = read_card('bare').task


def test_a_model_for_an_unknown_task_runs_only_where_another_is_named(models):
    folder = models('juggler', tasks=['juggle'])
    stack = find_stack('run_policy')
    with pytest.raises(IbcError, match='for juggle, a task that is not known here') as caught:
        stack.values({'model': 'juggler'})
    assert str(folder) in str(caught.value)
    assert 'one of push_red, ' in str(caught.value)
    assert stack.values({'model': 'juggler', 'task': 'push_red'})['task'] == 'push_red'


def test_a_model_of_an_unknown_contract_is_refused_by_name(models):
    folder = models('alien', contract={**RGB.to_dict(), 'name': 'alien_rgb'})
    stack = find_stack('run_policy')
    with pytest.raises(IbcError, match="unknown contract 'alien_rgb'; known: planar_rgb") as caught:
        stack.check(stack.values({'model': 'alien', **free_twin_ports()}))
    assert str(folder) in str(caught.value)
    assert 'train it again' in str(caught.value)


def test_a_model_without_weights_cannot_be_used(models):
    folder = models('light')
    with pytest.raises(IbcError, match=r'policy\.safetensors: is missing'):
        check_bundle(folder)
    save_file({'weight': np.zeros(3)}, folder / 'policy.safetensors')
    assert check_bundle(folder) == RGB


def test_doctor_names_the_models(models):
    models('good')
    assert model_bundles().status == 'ok'
    assert model_bundles().detail == 'good'


STACK = """
from ibc_bringup.stacks import find_stack
stack = find_stack('run_policy')
values = stack.values({'model': 'good'})
assert values['task'] == 'push_red'
stack.check(values)
"""
LIST = """
import contextlib, ibc_bringup.main
with contextlib.suppress(SystemExit):
    ibc_bringup.main.main(['models', 'list'])
"""


@pytest.mark.parametrize('code', [STACK, LIST], ids=['stack', 'list'])
def test_only_what_runs_a_model_pays_for_torch(models, tmp_path, code):
    save_file({'weight': np.zeros(3)}, models('good') / 'policy.safetensors')
    code += "import sys; print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, '-c', code],
        env={'IBC_MODELS': str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split()[-1] == 'False'
