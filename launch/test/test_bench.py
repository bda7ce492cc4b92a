"""`ibc bench`: what it prints, and what it refuses."""

import json

import pytest

from ibc_bringup.main import main


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def test_inference_prints_one_json_object_or_a_table(capsys):
    assert run('bench', 'inference', '--samples', '16', '--rounds', '2', '--json') == 0
    result = json.loads(capsys.readouterr().out)
    assert {'speedup', 'p50_ms', 'p99_ms', 'device'} <= result.keys()
    assert (result['samples'], result['rounds']) == (16, 2)
    assert run('bench', 'inference', '--samples', '16', '--rounds', '2') == 0
    said = capsys.readouterr().out
    assert 'real_push, 16 candidates, 3 iterations, 2 decisions on ' in said
    assert 'times faster' in said


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
