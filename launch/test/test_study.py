"""`ibc study`, with the smallest trainings that there are."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

import ibc_studies.comparison
import ibc_studies.preset
from ibc_bringup.main import main
from ibc_bringup.study_results import times
from implicit_bc.dataset import load_dataset
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.training.trainer import TrainingInterrupted, train

pytestmark = pytest.mark.usefixtures('tiny')


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Presets cut down to a second, and an empty folder to run in."""
    load = ibc_studies.preset.load_preset

    def load_tiny(*given):
        preset = load(*given)
        policies = {
            policy: replace(
                config,
                steps=2,
                batch_size=8,
                threads=1,
                network=replace(config.network, value=ValueConfig(8, 2)),
            )
            for policy, config in preset.policies.items()
        }
        count = 10 if given[0] == 'coordinates' else 3
        return replace(preset, demonstrations=count, policies=policies)

    monkeypatch.setattr(ibc_studies.preset, 'load_preset', load_tiny)
    monkeypatch.chdir(tmp_path)


def run(*words):
    with pytest.raises(SystemExit) as ended:
        main(['study', *words])
    assert ended.value.code == 0


def study(capsys, *words):
    run(*words, '--json')
    result = json.loads(capsys.readouterr().out)
    folder = Path(result['folder'])
    assert json.loads((folder / 'results.json').read_text()) == result
    assert {'study', 'seeds', 'elapsed_s', 'cpu_s'} <= result.keys()
    return result, folder


def read(table):
    with table.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ('words', 'first'),
    [
        (('particle', '--dims', '1'), 'langevin'),
        (('particle', '--preset', 'autoregressive'), 'autoregressive'),
        (('pushing-states', '--task', 'multi', '--form', 'faithful'), 'derivative_free'),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else '',
)
def test_a_comparison_tells_success_and_baselines(capsys, words, first):
    result, folder = study(capsys, *words, '--episodes', '2')
    assert (result['policy'], result['episodes']) == (first, 2)
    low, high = result['wilson95']
    assert 0 <= low <= result['success_rate'] <= high <= 1
    assert {'mean_squared_error', 'nearest_neighbor'} <= result['baselines'].keys()
    assert 'section' in result['paper'] or 'Table 3' in result['paper']
    table = read(folder / 'results.csv')
    assert [row['policy'] for row in table] == [first, *result['baselines']]
    assert (folder / 'success.png').stat().st_size > 5000


def test_pushing_from_pixels_and_a_model_trained_on_its_demonstrations(capsys, tmp_path):
    result, folder = study(capsys, 'pushing-pixels', '--episodes', '1')
    assert (result['policy'], result['task'], result['form']) == (
        'derivative_free', 'single', 'fixed',
    )  # fmt: skip
    assert result['baselines']['mean_squared_error']['paper_rate'] == 0.87
    assert (folder / 'success.png').stat().st_size > 5000
    config = ibc_studies.preset.load_preset('pixels', 'quick').policies['mean_squared_error']
    train(config, load_dataset(folder / 'dataset'), tmp_path / 'elsewhere', progress=False)
    words = ('--model', str(tmp_path / 'elsewhere'), '--episodes', '1')
    measured, _ = study(capsys, 'pushing-pixels', *words)
    assert (measured['episodes'], measured['seed']) == (1, 0)
    assert '87.0 %' in measured['paper']
    for wrong, said in (
        (['--task', 'multi', *words], 'was trained for pushing_single'),
        (['--save'], 'add --model'),
    ):
        with pytest.raises(SystemExit) as ended:
            main(['study', 'pushing-pixels', *wrong])
        assert ended.value.code != 0
        assert said in capsys.readouterr().err


def test_success_over_dimensions(capsys):
    one, folder = study(capsys, 'particle', '--dims', '1', '--episodes', '2')
    assert (one['dims'], one['study']) == (1, 'particle-quick')
    assert [row['dims'] for row in read(folder / 'results.csv')] == ['1'] * 3
    trained = sorted((folder / '1d').rglob('state.json'))
    result, again = study(capsys, 'particle', '--dims', '2', '1', '--episodes', '2')
    assert (again, sorted((folder / '1d').rglob('state.json'))) == (folder, trained)  # went on
    assert list(result['dims']) == ['1', '2']
    assert result['dims']['2']['episodes'] == 2
    assert result['dims']['1']['success_rate'] == one['success_rate']
    assert [row['dims'] for row in read(folder / 'results.csv')] == ['1'] * 3 + ['2'] * 3
    assert (folder / 'success.png').stat().st_size > 5000


def test_every_seed_of_the_functions_is_a_row(capsys):
    result, folder = study(capsys, 'functions', '--seeds', '3', '5')
    assert {row['seed'] for row in result['rows']} == {3, 5}
    steps = [row['beside'] for row in result['rows'] if row['function'] == 'step']
    assert all(0 <= share <= 1 for share in steps)
    assert {
        row['beside'] for row in read(folder / 'results.csv') if row['function'] == 'noise'
    } == {''}
    assert (folder / 'functions.png').stat().st_size > 20_000


def test_a_ratio_of_errors_is_said_with_its_digits_and_its_side():
    assert times(30, 12.34) == '30 images: 12.3 times below'
    assert times(10, 1.04) == '10 images: 1.04 times below'
    assert times(10, 0.25) == '10 images: 4 times above'


def test_coordinates_tell_how_many_times_better(capsys):
    result, folder = study(capsys, 'coordinates')
    assert result['seeds'] == [0, 1, 2]
    assert all(len(row['per_seed']) == 3 for row in result['rows'])
    assert list(result['error_ratio']) == ['10']
    assert (folder / 'coordinates.png').stat().st_size > 20_000


MINE = """
demonstrations: 3
history: 2
policies:
  langevin: paper/particle_released
  mean_squared_error: {method: {kind: mean_squared_error}}
"""


def test_a_preset_of_one_s_own_and_single_fields(capsys, tmp_path):
    (tmp_path / 'mine.yaml').write_text(MINE)
    words = ('particle', '--dims', '1', '--episodes', '2', '--preset', 'mine.yaml')
    few = ('--set', 'policies.langevin.method.sampler.iterations=2')
    result, folder = study(capsys, *words, *few)
    assert folder == Path('runs/study-particle-mine')
    assert (result['preset'], result['set']) == ('mine.yaml', [few[1]])
    (state,) = folder.glob('1d/langevin/seed_0/checkpoints/*/state.json')
    config = json.loads(state.read_text())['config']
    assert config['method']['sampler']['iterations'] == 2
    assert config['method']['gradient_penalty']['reduction'] == 'mean'  # as released
    with pytest.raises(SystemExit) as ended:
        main(['study', *words])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert 'method.sampler.iterations 2 -> 100): start a new run in another folder' in said


def test_seeds_that_are_given_twice_are_refused(capsys):
    with pytest.raises(SystemExit) as ended:
        main(['study', 'particle', '--seeds', '3', '1', '3'])
    assert ended.value.code == 1
    assert 'error: --seeds names 3 twice' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('ends', 'said'),
    [
        (TrainingInterrupted('stopped after 2 steps'), 'stopped after 2 steps'),
        (KeyboardInterrupt(), 'stopped'),
    ],
    ids=['training', 'elsewhere'],
)
def test_an_interrupted_study_tells_the_command_that_goes_on(capsys, monkeypatch, ends, said):
    def interrupt(*_, **__):
        raise ends

    words = ['particle', '--dims', '1', '--episodes', '2', '--set', 'policies.langevin.seed=0']
    with monkeypatch.context() as patched:
        patched.setattr(ibc_studies.comparison, 'fit', interrupt)
        with pytest.raises(SystemExit) as ended:
            main(['study', *words])
    assert ended.value.code == 130
    assert capsys.readouterr().err.endswith(f'{said}; go on with: ibc study {" ".join(words)}\n')
    run(*words)


def test_help_names_the_presets(capsys):
    with pytest.raises(SystemExit):
        main(['study', 'pushing-pixels', '--help'])
    said = ' '.join(capsys.readouterr().out.split())
    assert 'one of gpu, paper, quick, released' in said


def test_a_table_for_people_has_the_paper_s_rates(capsys):
    run('pushing-states', '--episodes', '2')
    said = capsys.readouterr().out
    (line,) = (line for line in said.splitlines() if line.startswith('mean_squared_error'))
    assert '98.3%' in line
    assert 'success.png' in said
