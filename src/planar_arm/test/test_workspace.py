import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planar_arm.errors import BadGeometry
from planar_arm.workspace import DEFAULT_WORKSPACE, Workspace

coordinates = st.floats(-2.0, 2.0)
points = st.tuples(coordinates, coordinates)
TRIANGLE = Workspace(((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)), 0.03)


@given(points, st.sampled_from([DEFAULT_WORKSPACE, TRIANGLE]))
def test_projection_is_inside_and_nothing_inside_is_nearer(point, workspace):
    projected = workspace.project(point)
    assert workspace.contains(projected, margin=-1e-9)
    distance = math.dist(projected, point)
    corners = np.asarray(workspace.polygon)
    rng = np.random.default_rng(0)
    for weights in rng.dirichlet(np.ones(len(corners)), 50):
        assert math.dist(weights @ corners, point) >= distance - 1e-9


@given(points)
def test_projection_leaves_points_inside_alone(point):
    if TRIANGLE.contains(point):
        assert tuple(TRIANGLE.project(point)) == point


def test_margin_shrinks_and_negative_margin_grows():
    assert DEFAULT_WORKSPACE.contains((0.201, 0.0))
    assert not DEFAULT_WORKSPACE.contains((0.201, 0.0), margin=0.002)
    assert DEFAULT_WORKSPACE.contains((0.199, 0.0), margin=-0.002)


def test_direction_of_the_corners_does_not_matter():
    other = Workspace(tuple(reversed(DEFAULT_WORKSPACE.polygon)), 0.03)
    assert other.depth((0.3, 0.1)) == DEFAULT_WORKSPACE.depth((0.3, 0.1)) == pytest.approx(0.1)
    assert other.bounds == (0.20, -0.28, 0.60, 0.28)


@pytest.mark.parametrize(
    ('polygon', 'message'),
    [
        (((0, 0), (1, 1)), 'at least 3 corners'),
        (((0, 0), (1, 0), (math.nan, 1)), 'not finite'),
        (((0, 0), (1, 0), (0.1, 0.1), (0, 1)), 'not convex'),
        (((0, 0), (1, 0), (2, 0)), 'not convex'),
        (((0, 1), (0.6, -0.8), (-0.95, 0.3), (0.95, 0.3), (-0.6, -0.8)), 'crosses itself'),
    ],
)
def test_bad_polygons_are_refused_with_the_reason(polygon, message):
    with pytest.raises(BadGeometry, match=message):
        Workspace(polygon, 0.03)


def test_a_point_that_is_not_finite_has_no_projection():
    with pytest.raises(BadGeometry, match='not finite'):
        DEFAULT_WORKSPACE.project((math.nan, 0.0))
