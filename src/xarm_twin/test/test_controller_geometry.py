"""Geometry of the emulated controller: poses, inverse kinematics, profiles, distances."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planar_arm import xarm6
from xarm_twin.controller.flange import flange_transform_mm, inverse_mm
from xarm_twin.controller.poses import (
    from_axis_angle_mm,
    from_pose_mm,
    rotation_of,
    rotation_vector,
    to_axis_angle_mm,
    to_pose_mm,
)
from xarm_twin.controller.profile import Trapezoid
from xarm_twin.controller.self_collision import distance_mm

TRANSLATIONS = st.tuples(*[st.floats(-500, 500)] * 3)


@given(TRANSLATIONS, st.tuples(*[st.floats(-1.7, 1.7)] * 3))
def test_a_rotation_vector_is_a_rotation_and_back(place, vector):
    rotation = rotation_of(np.array(vector))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation_of(rotation_vector(rotation)), rotation, atol=1e-7)
    transform = from_axis_angle_mm((*place, *vector))
    for build, take in ((from_pose_mm, to_pose_mm), (from_axis_angle_mm, to_axis_angle_mm)):
        np.testing.assert_allclose(build(take(transform)), transform, atol=1e-7)


def test_half_a_turn_has_an_axis():
    for axis in np.eye(3):
        vector = rotation_vector(rotation_of(math.pi * axis))
        assert abs(vector @ axis) == pytest.approx(math.pi, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_inverse_finds_the_joints_next_to_where_it_starts(seed):
    chance = np.random.default_rng(seed)
    q = xarm6.HOME_Q + chance.uniform(-0.4, 0.4, 6)
    tool = from_pose_mm((0.0, 0.0, 152.4, 0.0, 0.0, 0.0))
    found = inverse_mm(flange_transform_mm(q) @ tool, q + chance.normal(0, 0.02, 6), tool)
    assert found is not None
    np.testing.assert_allclose(
        flange_transform_mm(found) @ tool, flange_transform_mm(q) @ tool, atol=1e-4
    )
    # Near a stretched wrist a pose that is exact to 0.1 um leaves the joints this uncertain.
    np.testing.assert_allclose(found, q, atol=1e-3)


def test_what_is_out_of_reach_has_no_joints():
    assert (
        inverse_mm(from_pose_mm((2000.0, 0, 300, math.pi, 0, 0)), xarm6.HOME_Q, np.eye(4)) is None
    )


@given(st.integers(0, 10_000))
def test_distance_of_segments_is_the_least_of_all_pairs(seed):
    points = np.random.default_rng(seed).uniform(-1, 1, (4, 3))
    one, other = ((tuple(points[i]), tuple(points[i + 1])) for i in (0, 2))
    shares = np.linspace(0, 1, 25)
    first = points[0] + shares[:, None] * (points[1] - points[0])
    second = points[2] + shares[:, None] * (points[3] - points[2])
    sampled = np.linalg.norm(first[:, None] - second[None], axis=2).min()
    assert sampled - 0.08 < distance_mm(one, other) <= sampled + 1e-9


@given(st.floats(1e-3, 1e3), st.floats(0.1, 1e3), st.floats(0.1, 1e4))
def test_a_profile_starts_and_ends_at_rest_within_its_limits(length, speed, acceleration):
    profile = Trapezoid(length, speed, acceleration)
    t = np.linspace(0.0, profile.duration, 200)
    along = np.array([profile.at(float(x)) for x in t])
    assert along[0] == 0.0
    assert along[-1] == pytest.approx(length)
    velocity = np.diff(along) / np.diff(t)
    assert (velocity >= -1e-9).all()
    assert velocity.max() <= speed * (1 + 1e-6)
    assert np.abs(np.diff(velocity) / np.diff(t[:-1])).max() <= acceleration * (1 + 1e-4)
