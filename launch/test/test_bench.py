"""`ibc bench`: what it prints, and what it refuses."""

import json
from dataclasses import replace

import pytest

from ibc_bringup.main import main
from implicit_bc.benchmarks import training
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.spaces import Spaces


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def assert_figures(result):
    assert {'speedup', 'p50_ms', 'p99_ms', 'steps_per_s', 'device'} <= result.keys()
    assert result['steps_per_s'] == pytest.approx(1e3 / result['p50_ms'], rel=0.1)
    assert 0 < result['p50_ms'] <= result['p99_ms']
    assert isinstance(result['device'], str)


def test_inference_prints_one_json_object_or_a_table(capsys):
    assert run('bench', 'inference', '--samples', '16', '--rounds', '2', '--json') == 0
    result = json.loads(capsys.readouterr().out)
    assert_figures(result)
    assert (result['samples'], result['rounds']) == (16, 2)
    assert run('bench', 'inference', '--samples', '16', '--rounds', '2') == 0
    said = capsys.readouterr().out
    assert 'real_push, 16 candidates, 3 iterations, 2 decisions on ' in said
    assert 'times faster' in said


def test_training_prints_one_json_object_or_a_table(capsys, monkeypatch):
    """Both of the paper's settings, with few and small networks in place of its own."""
    states, pixels = training.paper_settings()
    network = NetworkConfig(
        image=ConvMaxPoolConfig((4, 8), (True, True), keypoints=4), value=ValueConfig(16, 2)
    )
    spaces = Spaces((2, 24, 32, 3), 2)
    small = (
        replace(states, batch=16, negatives=8),
        replace(pixels, batch=8, negatives=8, spaces=spaces, network=network),
    )
    monkeypatch.setattr(training, 'paper_settings', lambda: small)
    assert run('bench', 'train', '--rounds', '2', '--threads', '1', '--seed', '3', '--json') == 0
    result = json.loads(capsys.readouterr().out)
    assert_figures(result)
    for setting in ('states', 'pixels'):
        assert_figures(result[setting])
        of = result[setting]
        assert of['speedup'] == pytest.approx(of['steps_per_s'] / of['plain_steps_per_s'], rel=0.05)
    assert run('bench', 'train', '--rounds', '2', '--threads', '1') == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == ['states', 'pixels']


def test_a_device_that_is_not_there_is_one_line(capsys):
    assert run('bench', 'inference', '--samples', '16', '--rounds', '2', '--device', 'nowhere') == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: device 'nowhere': ")


def test_candidates_prints_a_row_for_each_number(capsys):
    words = ('bench', 'candidates', '--samples', '16', '32', '--rounds', '2')
    assert run(*words, '--json') == 0
    result = json.loads(capsys.readouterr().out)
    assert [row['samples'] for row in result['curve']] == [16, 32]
    assert run(*words) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[1:]] == ['candidates', '16', '32']
