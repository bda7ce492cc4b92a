import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planar_arm.camera_model import CameraModel, load_camera_pose, look_at
from planar_arm.errors import BadGeometry
from planar_arm.lens import Lens

POSE = look_at((0.80, 0.0, 0.56), (0.405, 0.0, 0.02))
CAMERA = CameraModel(640, 360, 462.0, 462.0, 319.5, 179.5, POSE)


def test_what_it_looks_at_is_in_the_middle():
    np.testing.assert_allclose(CAMERA.project((0.405, 0.0, 0.02)), [[319.5, 179.5]], atol=1e-9)


def test_a_known_answer_straight_down():
    camera = CameraModel(640, 360, 400.0, 400.0, 320.0, 180.0, look_at((0.4, 0, 1), (0.4, 0, 0)))
    # From above: farther from the robot is lower in the image, to its left is to the right.
    np.testing.assert_allclose(camera.project((0.5, 0.0, 0.0)), [[320.0, 220.0]], atol=1e-9)
    np.testing.assert_allclose(camera.project((0.4, 0.1, 0.0)), [[360.0, 180.0]], atol=1e-9)


def test_from_in_front_of_the_robot_left_is_right_and_near_is_low():
    left, right = CAMERA.project([(0.4, 0.1, 0.02), (0.4, -0.1, 0.02)])
    assert left[0] > right[0]
    near, far = CAMERA.project([(0.6, 0.0, 0.02), (0.2, 0.0, 0.02)])
    assert near[1] > far[1]


@given(st.floats(0.2, 0.6), st.floats(-0.28, 0.28), st.floats(0.0, 0.1))
def test_a_pixels_ray_meets_the_point_it_shows(x, y, z):
    (pixel,) = CAMERA.project((x, y, z))
    np.testing.assert_allclose(CAMERA.ray_to_plane(pixel, z), (x, y, z), atol=1e-9)


def test_pixels_above_the_horizon_see_no_board():
    level = CameraModel(640, 360, 462, 462, 319.5, 179.5, look_at((1, 0, 0.5), (0, 0, 0.5)))
    with pytest.raises(BadGeometry, match='does not see'):
        level.ray_to_plane((320, 100), 0.0)
    with pytest.raises(BadGeometry, match='does not see'):
        level.ray_to_plane((319.5, 179.5), 0.0)


def test_points_behind_the_camera_have_no_pixel():
    assert np.isnan(CAMERA.project((2.0, 0.0, 2.0))).all()


def test_from_info_reads_the_intrinsic_matrix():
    same = CameraModel.from_info(640, 360, CAMERA.K, POSE)
    point = (0.3, 0.1, 0.02)
    assert (same.project(point) == CAMERA.project(point)).all()


def test_scaling_keeps_the_view():
    half = CAMERA.scaled(320, 180)
    (whole_px,), (half_px,) = CAMERA.project((0.5, 0.1, 0.0)), half.project((0.5, 0.1, 0.0))
    np.testing.assert_allclose((whole_px + 0.5) / 2, half_px + 0.5, atol=1e-9)


def test_poses_that_are_no_pose_are_refused():
    with pytest.raises(BadGeometry, match='rotation'):
        CameraModel(640, 360, 1, 1, 0, 0, np.diag([2.0, 1, 1, 1]))
    with pytest.raises(BadGeometry, match='cannot look at'):
        look_at((0, 0, 1), (0, 0, 1))


def test_pose_from_a_file(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text('position: [0.80, 0.0, 0.56]\nlook_at: [0.405, 0.0, 0.02]\n')
    np.testing.assert_allclose(load_camera_pose(path), POSE)


@given(
    st.tuples(*[st.floats(-1, 1)] * 3),
    st.tuples(*[st.floats(-1, 1)] * 3),
    st.floats(-3.14, 3.14),
)
def test_a_camera_may_be_rolled_about_its_axis(position, axis, roll):
    forward = np.array(axis)
    if np.linalg.norm(forward) < 1e-3 or np.linalg.norm(forward[:2]) < 1e-3:
        return
    level = look_at(position, position + forward)
    up = -np.cos(roll) * level[:3, 1] + np.sin(roll) * level[:3, 0]
    rolled = look_at(position, position + forward, up)
    np.testing.assert_allclose(-rolled[:3, 1], up, atol=1e-9)
    np.testing.assert_allclose(rolled[:, 2:], level[:, 2:], atol=1e-9)
    CameraModel(640, 360, 1, 1, 0, 0, rolled)  # a rotation


def test_up_may_not_be_the_way_it_looks():
    with pytest.raises(BadGeometry, match='along its up'):
        look_at((0, 0, 1), (0, 0, 0), (0, 0, 1))


def test_a_file_may_say_where_up_is(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text('position: [0.4, 0, 1]\nlook_at: [0.4, 0, 0]\nup: [0, 1, 0]\n')
    camera = CameraModel(640, 360, 400.0, 400.0, 320.0, 180.0, load_camera_pose(path))
    np.testing.assert_allclose(camera.project((0.4, 0.1, 0.0)), [[320.0, 140.0]], atol=1e-9)


@pytest.mark.parametrize(
    'text',
    [
        'position: [1, 2, 3]\n',
        'position: up\nlook_at: down\n',
        'position: [1, 2, true]\nlook_at: [0, 0, 0]\n',
        'position: [1, 2, .inf]\nlook_at: [0, 0, 0]\n',
        'position: [1, 2, 3]\nlook_at: [0, 0, 0]\nlook_at: [0, 1, 0]\n',
        '[',
        'up',
    ],
)
def test_a_bad_file_is_named_with_what_it_needs(tmp_path, text):
    path = tmp_path / 'camera.yaml'
    path.write_text(text)
    with pytest.raises(BadGeometry, match=r'camera\.yaml.*look_at') as caught:
        load_camera_pose(path)
    assert '\n' not in str(caught.value)


LENSES = [
    Lens('plumb_bob', (0.1, -0.2, 0.001, 0.002, 0.05)),
    Lens('plumb_bob', (-0.15, 0.05)),
    Lens('equidistant', (0.02, -0.01, 0.002, 0.0)),
]


@given(st.sampled_from(LENSES), st.floats(0.0, 639.0), st.floats(30.0, 359.0))
def test_a_pixel_shows_what_is_seen_there_through_any_lens(lens, u, v):
    camera = CameraModel.from_info(640, 360, CAMERA.K, POSE, lens)
    point = camera.ray_to_plane((u, v), 0.02)
    np.testing.assert_allclose(camera.project(point), [[u, v]], atol=1e-5)
    half = camera.scaled(320, 180).ray_to_plane((0.5 * u - 0.25, 0.5 * v - 0.25), 0.02)
    np.testing.assert_allclose(half, point, atol=1e-8)


def test_a_lens_bends_towards_the_edge():
    barrel = Lens('plumb_bob', (-0.2,))
    np.testing.assert_allclose(barrel.distort(np.array([[0.5, 0.0]])), [[0.475, 0.0]])
    np.testing.assert_allclose(barrel.undistort(np.array([[0.475, 0.0]])), [[0.5, 0.0]])
    fisheye = Lens('equidistant')
    np.testing.assert_allclose(fisheye.distort(np.array([[0.0, 1.0]])), [[0.0, np.pi / 4]])
    assert np.isnan(barrel.undistort(np.array([[5.0, 5.0]]))).all()  # seen by no ray
    with pytest.raises(BadGeometry, match='does not see'):
        CameraModel.from_info(640, 360, CAMERA.K, POSE, barrel).ray_to_plane((4000, 4000), 0.0)


@pytest.mark.parametrize(
    ('model', 'coefficients'),
    [('plumb_bob', (0.1,) * 8), ('rational_polynomial', (0.1,) * 8), ('plumb_bob', (np.nan,))],
)
def test_a_lens_that_is_not_known_is_refused(model, coefficients):
    with pytest.raises(BadGeometry, match='lens'):
        Lens(model, coefficients)
