"""The dot, and the study of who finds it, as small as it comes."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ibc_contract.errors import IbcError
from ibc_studies.comparison import write_csv
from ibc_studies.coordinates import DOT, MARGIN, SIZE, SPAN, draw_dots, hull, in_hull
from ibc_studies.coordinates_study import Comparison, CoordinateRow, image_counts, study_coordinates
from ibc_studies.figures import draw_coordinates
from ibc_studies.preset import load_preset
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.mlp import ValueConfig

SQUARE = [(0, 0), (2, 0), (2, 2), (0, 2)]


def test_coordinates_are_where_the_dot_is():
    dots = draw_dots(200, seed=3)
    assert dots.images.shape == (200, SIZE, SIZE, 3)
    assert dots.images.dtype == np.uint8
    for image, (u, v) in zip(dots.images, dots.coordinates, strict=True):
        rows, columns = np.nonzero((image != 255).any(axis=2))
        assert len(rows) == DOT**2, 'the whole dot is inside'
        assert (columns.mean(), rows.mean()) == pytest.approx(
            (u * SPAN + MARGIN + DOT // 2, v * SPAN + MARGIN + DOT // 2), abs=1e-4
        )
    inner = dots.images[:, MARGIN:-MARGIN, MARGIN:-MARGIN]
    assert (inner != 255).any(axis=3).sum() == 200 * DOT**2, 'no dot touches the border'
    assert dots.coordinates.min() >= 0.0
    assert dots.coordinates.max() <= 1.0


def test_more_images_begin_with_the_same_ones():
    few, many = draw_dots(10, seed=1), draw_dots(30, seed=1)
    np.testing.assert_array_equal(many.coordinates[:10], few.coordinates)
    assert (draw_dots(10, seed=2).coordinates != few.coordinates).any()


def test_hull_of_a_square():
    inside = [(1, 1), (0, 0), (2, 1), (0.5, 1.9)]
    outside = [(3, 1), (-0.1, 1), (1, 2.1), (2.1, 2.1)]
    corners = hull([*SQUARE, (1, 1), (1, 0)])
    assert sorted(map(tuple, corners)) == sorted(SQUARE)
    assert in_hull(inside, SQUARE).all()
    assert not in_hull(outside, SQUARE).any()


points = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=3, max_size=12)


@settings(max_examples=50, deadline=None)
@given(points, st.lists(st.integers(0, 1000), min_size=12, max_size=12))
def test_a_hull_holds_its_points_and_their_mixtures(corners, weights):
    assume(len(hull(corners)) > 2)
    chosen = np.array(weights[: len(corners)], float) + 1e-6
    assert in_hull(corners, corners).all()
    assert in_hull([chosen @ np.array(corners, float) / chosen.sum()], corners).all()
    assert not in_hull([np.max(corners, axis=0) + np.array((1, 0))], corners).any()


def test_study_compares_by_number_of_images_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr('ibc_studies.coordinates_study.TEST_IMAGES', 40)
    preset = load_preset('coordinates', 'quick')
    policies = {
        name: replace(
            config,
            steps=2,
            batch_size=4,
            threads=1,
            network=replace(
                config.network,
                image=ConvMaxPoolConfig(widths=(4,), pools=(True,), keypoints=2),
                value=ValueConfig(8, 2),
            ),
        )
        for name, config in preset.policies.items()
    }
    small = replace(preset, demonstrations=30, policies=policies)
    compared = study_coordinates(small, [0, 1], tmp_path)
    rows = compared.rows
    assert [(row.policy, row.images) for row in rows] == [
        ('derivative_free', 10), ('mean_squared_error', 10),
        ('derivative_free', 30), ('mean_squared_error', 30),
    ]  # fmt: skip
    assert all(len(row.per_seed) == 2 and row.worst**2 >= row.error for row in rows)
    assert [row.error for row in rows] == pytest.approx([np.mean(row.per_seed) for row in rows])
    json.dumps([asdict(row) for row in rows])
    again = study_coordinates(small, [0, 1], tmp_path)
    assert [row.error for row in again.rows] == [row.error for row in rows]
    write_csv([asdict(row) for row in rows], tmp_path / 'results.csv')
    assert len((tmp_path / 'results.csv').read_text().splitlines()) == 5
    draw_coordinates(rows, compared.shown, tmp_path / 'coordinates.png')
    assert (tmp_path / 'coordinates.png').stat().st_size > 20_000


def test_the_number_of_images_asked_for_is_the_last_one():
    assert image_counts(10) == [10]
    assert image_counts(50) == [10, 30, 50]
    assert image_counts(100) == [10, 30, 100]
    assert image_counts(1000) == [10, 30, 100, 300, 1000]


@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        ('demonstrations', 5, 'demonstrations: 5 images are too few, give 10 or more'),
        ('history', 2, 'history: 2, but study coordinates has observations of 1: leave it at 1'),
    ],
)
def test_what_the_study_cannot_do_is_refused_before_training(tmp_path, field, value, message):
    preset = replace(load_preset('coordinates', 'quick'), **{field: value})
    with pytest.raises(IbcError) as error:
        study_coordinates(preset, [0], tmp_path / 'runs')
    assert str(error.value) == message
    assert not (tmp_path / 'runs').exists()


def test_the_ratio_says_how_far_the_best_other_one_is_above():
    def row(policy, images, error):
        return CoordinateRow(policy, images, error, 0.0, 0.0, 0.0, (error,), 0.0)

    rows = [row('ours', 10, 0.5), row('a', 10, 8.0), row('b', 10, 6.0), row('ours', 30, 2.0)]
    rows.append(row('a', 30, 1.0))
    assert Comparison(rows, []).ratios() == {10: 12.0, 30: 0.5}
    assert Comparison(rows[:1], []).ratios() == {}
