"""Studies from demonstrations to their table, as small as they come."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from ibc_contract.errors import IbcError
from ibc_studies.comparison import as_json, compare, write_csv
from ibc_studies.figures import draw_functions, draw_success, draw_success_by_dims
from ibc_studies.functions import (
    CIRCLE,
    HYSTERESIS,
    MULTI_VALUED,
    NOISE,
    PIECES,
    RANGES,
    SINGLE_VALUED,
    STEP,
    distance_beside,
    distance_to_graph,
    training_points,
)
from ibc_studies.functions_study import study_functions
from ibc_studies.particle import ParticleConfig, particle_demonstrations
from ibc_studies.particle_study import PAPER, study_particle
from ibc_studies.preset import load_preset
from ibc_studies.preset_files import study_presets
from ibc_studies.pushing import PushingConfig
from ibc_studies.pushing_study import PAPER_RATES, study_pushing
from implicit_bc.methods import Ranking
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.paired import sign_test
from implicit_bc.training.config import load_config

PRESETS = [
    (study, name)
    for study in ('functions', 'coordinates', 'particle', 'pushing', 'pixels')
    for name in study_presets(study)
]


def small(study, steps=4, demonstrations=3):
    preset = load_preset(study, 'quick')
    policies = {
        name: replace(
            config,
            steps=steps,
            batch_size=16,
            threads=1,
            network=replace(config.network, value=ValueConfig(8, 2)),
        )
        for name, config in preset.policies.items()
    }
    return replace(preset, demonstrations=demonstrations, policies=policies)


@pytest.mark.parametrize(('study', 'name'), PRESETS)
def test_presets_load(study, name):
    preset = load_preset(study, name)
    assert len(preset.policies) >= 2
    assert all(config.method.kind == policy for policy, config in preset.policies.items())


def test_unknown_presets_are_named():
    with pytest.raises(
        IbcError,
        match="unknown preset 'huge'; known: autoregressive, long, paper, quick, released, or "
        'the path',
    ):
        load_preset('particle', 'huge')


def test_single_fields_of_a_preset_are_replaced_in_one_policy_alone():
    given = load_preset('particle', 'quick')
    changed = load_preset(
        'particle',
        'quick',
        {
            'demonstrations': 5,
            'policies.langevin.network.value.width': 8,
            'policies.langevin.method.kind': 'ranking',
        },
    )
    assert (changed.demonstrations, changed.history) == (5, given.history)
    policies = changed.policies
    assert policies['langevin'].network.value.width == 8
    assert policies['langevin'].method == Ranking()
    assert policies['mean_squared_error'] == given.policies['mean_squared_error']
    released = {'policies.langevin': 'paper/particle_released', 'policies.langevin.steps': 7}
    policies = load_preset('particle', 'quick', released).policies
    assert list(policies) == list(given.policies)
    assert policies['langevin'] == load_config('paper/particle_released', {'steps': 7})


@pytest.mark.parametrize(
    ('key', 'value', 'said'),
    [
        ('policies.mdn.steps', 1, "no policy 'mdn' to change, only langevin, mean_squared_error"),
        ('policies.langevin.steps', 0, "quick, langevin: training field 'steps'"),
        ('policies.langevin', 7, 'quick, langevin: training fields or a training preset'),
        ('policies', 7, 'which of the policies'),
        ('demos', 7, "quick: study field 'demos'"),
        ('history', 'long', "quick: study field 'history'"),
    ],
)
def test_a_field_that_is_wrong_is_named(key, value, said):
    with pytest.raises(IbcError, match=said) as error:
        load_preset('particle', 'quick', {key: value})
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('demonstrations: 3\nhistory: 1\n', 'it has no `policies`'),
        ('demonstrations: 3\nhistory: 1\npolicies: {}\n', "study field 'policies'"),
        ('demonstrations: 3\npolicies: {mine: cpu_small}\n', "study field 'history'"),
        ('steps: 3\n', 'it has no `policies`'),
        ('[1, 2]\n', 'is not a preset of a study'),
        ('a: {', 'cannot be read'),
    ],
)
def test_a_file_that_is_no_preset_is_told_so(text, said, tmp_path):
    file = tmp_path / 'mine.yaml'
    file.write_text(text)
    with pytest.raises(IbcError, match=said) as error:
        load_preset('particle', file)
    assert str(error.value).startswith(str(file))
    assert '\n' not in str(error.value)


def test_particle_study_counts_every_policy_and_goes_on_where_it_stopped(tmp_path):
    rows = study_particle(1, small('particle'), [0, 1], 5, tmp_path)
    assert [row.policy for row in rows] == ['langevin', 'mean_squared_error', 'nearest_neighbor']
    assert [row.episodes for row in rows] == [10, 10, 10]
    assert [len(row.per_seed) for row in rows] == [2, 2, 1]
    first, *others = rows
    assert (first.won_alone, first.lost_alone, first.p_value) == (0, 0, 1.0)
    for row in others:
        ahead = (row.success_rate - first.success_rate) * first.episodes
        assert row.won_alone - row.lost_alone == pytest.approx(ahead)
        assert row.p_value == sign_test(row.won_alone, row.lost_alone)
    again = study_particle(1, small('particle'), [0, 1], 5, tmp_path)
    assert [row.success_rate for row in again] == [row.success_rate for row in rows]
    result = as_json(rows, dims=1, paper=PAPER)
    assert result['paper'] == PAPER
    assert {'success_rate', 'wilson95', 'episodes', 'baselines', 'dims'} <= result.keys()
    assert set(result['baselines']) == {'mean_squared_error', 'nearest_neighbor'}
    json.dumps(result)
    write_csv([asdict(row) for row in rows], tmp_path / 'results.csv')
    assert len((tmp_path / 'results.csv').read_text().splitlines()) == 4
    draw_success(rows, PAPER, tmp_path / 'success.png')
    assert (tmp_path / 'success.png').stat().st_size > 5000


def test_every_training_run_is_judged_on_layouts_of_its_own(tmp_path):
    preset = small('particle')
    data = particle_demonstrations(ParticleConfig(1), 3).to_train_on(preset.history, (0.0, 1.0))
    judged = []

    def judge(decide, layouts):
        judged.append(list(layouts))
        return np.array([number % 4 == 0 for number in layouts])

    first, *_ = compare(preset, data, judge, [7, 8], 6, tmp_path, {'langevin': 0.95})
    assert judged[:2] == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert first.per_seed == (2 / 6, 1 / 6)
    assert (first.success_rate, first.paper_rate) == (3 / 12, 0.95)


def test_success_over_dimensions_is_drawn(tmp_path):
    rows = {n: study_particle(n, small('particle'), [0], 2, tmp_path / str(n)) for n in (1, 2)}
    draw_success_by_dims(rows, PAPER, tmp_path / 'success.png')
    assert (tmp_path / 'success.png').stat().st_size > 5000


def test_pushing_study(tmp_path):
    rows = study_pushing(PushingConfig(), small('pushing', demonstrations=2), [0], 2, tmp_path)
    assert {row.policy: row.paper_rate for row in rows} == PAPER_RATES['single']
    assert all(row.episodes == 2 for row in rows)


def test_functions_have_no_history(tmp_path):
    preset = replace(small('functions'), history=3)
    with pytest.raises(IbcError, match=r'^history: 3, but study functions has observations of 1'):
        study_functions(preset, [0], tmp_path)


def test_functions_study(tmp_path):
    answers = study_functions(small('functions', steps=2, demonstrations=30), [0], tmp_path)
    assert len(answers) == 3 * len((*SINGLE_VALUED, *MULTI_VALUED))
    rows = [answer.row for answer in answers]
    assert {row.function for row in rows if row.beside is None} == {NOISE.name}
    draw_functions(answers, tmp_path / 'functions.png')
    assert (tmp_path / 'functions.png').stat().st_size > 20_000


@pytest.mark.parametrize('function', [*SINGLE_VALUED, *MULTI_VALUED], ids=lambda f: f.name)
def test_samples_lie_on_their_graph(function):
    x, y = training_points(function, 200, seed=0)
    assert ((x >= 0) & (x <= 1)).all()
    np.testing.assert_allclose(distance_to_graph(function, x, y), 0.0, atol=0.03)


def test_distances_from_a_graph():
    x = np.array([0.4, 0.49, 0.505])
    given = distance_to_graph(STEP, x, np.array([0.2, 0.5, 0.2]))
    assert given == pytest.approx([0.0, 0.3, 0.005], abs=2e-3)  # between the sides of the jump: far
    band = distance_to_graph(RANGES, np.array([0.5, 0.5]), np.array([0.25, 0.45]))
    assert band == pytest.approx([0.0, 0.1], abs=5e-3)


@pytest.mark.parametrize(
    ('function', 'left', 'right'),
    [
        (STEP, 0.2, 0.8),
        (PIECES, 0.2 - 0.4, 0.55 + 0.8 * 0.75),
        (CIRCLE, 0.5, 0.5),
        (HYSTERESIS, 0.15 - 0.1, 0.6 + 0.35),
    ],
    ids=lambda value: getattr(value, 'name', ''),
)
def test_a_function_goes_on_straight_beside_the_data(function, left, right):
    x, y = np.array([-0.4, 1.4]), np.array([left, right])
    assert distance_beside(function, x, y) == pytest.approx([0.0, 0.0], abs=1e-9)
    assert distance_beside(function, x, y + 0.3) == pytest.approx([0.3, 0.3])


def test_both_bands_go_on_beside_the_data():
    # At 1.5 the bands, which end at 0.2 .. 0.4 and 0.5 .. 0.8, have met.
    x, y = np.array([1.5, 1.5, 1.5, -0.5]), np.array([0.25, 0.5, 0.95, 0.5])
    assert distance_beside(RANGES, x, y) == pytest.approx([0.0, 0.0, 0.2, 0.15])


def test_hysteresis_has_two_answers_in_the_middle_only():
    assert [len(HYSTERESIS.valid(x)) for x in (0.2, 0.5, 0.8)] == [1, 2, 1]
