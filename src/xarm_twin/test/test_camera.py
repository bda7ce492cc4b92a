import numpy as np
import pytest

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError
from ibc_contract.images import to_observation
from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.workspace import DEFAULT_WORKSPACE
from xarm_twin.camera import TwinCamera, choose_renderer
from xarm_twin.tasks import get_task

TASK = get_task('push_red_then_green')
POSES = TASK.sample_layout(np.random.default_rng(0))


@pytest.fixture(scope='module')
def camera():
    camera = TwinCamera(TASK, 'tiny')
    yield camera
    camera.close()


def pixel(camera, picture, point):
    """Colour at the pixel that the camera model says `point` (3,) [m] is seen at."""
    u, v = np.round(camera.model.project([point])[0]).astype(int)
    return picture[v, u].astype(int)


def top(pose):
    return (*pose[:2], pose[2] + 0.02)


def test_the_picture_has_the_scene_s_size_and_repeats(camera):
    first = camera.render(xarm6.HOME_Q, POSES)
    camera.render(xarm6.HOME_Q + 0.1, POSES[::-1])
    assert first.shape == (360, 640, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(camera.render(xarm6.HOME_Q, POSES), first)


def test_things_are_seen_where_the_camera_model_projects_them(camera):
    picture = camera.render(xarm6.HOME_Q, POSES)
    red, green = (pixel(camera, picture, top(pose)) for pose in POSES[:2])
    assert red[0] > 150 > 60 > red[1:].max()
    assert green[1] > 100 > 60 > green[[0, 2]].max()
    for pose in POSES[2:]:
        rotation = np.array((np.cos(2 * np.arcsin(pose[5])), np.sin(2 * np.arcsin(pose[5]))))
        wall = (*(pose[:2] + 0.05 * rotation), 0.04)
        assert pixel(camera, picture, wall).max() < 40
    tool = pixel(camera, picture, (*xarm6.HOME_XY, 0.06))
    assert tool.min() > 100
    assert np.ptp(tool) < 40


def test_the_whole_workspace_is_in_the_picture_and_on_the_board(camera):
    x_min, y_min, x_max, y_max = DEFAULT_WORKSPACE.bounds
    corners = [(x, y, 0.02) for x in (x_min, x_max) for y in (y_min, y_max)]
    seen = camera.model.project(corners)
    assert (seen > 0).all()
    assert (seen < (640, 360)).all()
    picture = camera.render(xarm6.HOME_Q, POSES)
    for corner in corners:
        red, _, blue = pixel(camera, picture, corner)
        assert red > blue + 40


def test_another_size_shows_the_same_view(camera):
    small = TwinCamera(TASK, 'tiny', 320, 180)
    picture = small.render(xarm6.HOME_Q, POSES)
    small.close()
    assert picture.shape == (180, 320, 3)
    assert pixel(small, picture, top(POSES[0]))[0] > 150


def test_links_left_out_are_never_missed():
    whole, quick = TwinCamera(TASK, 'tiny'), TwinCamera(TASK, 'tiny')
    whole._unseen = []
    assert quick._unseen
    kinematics, rng = Xarm6Kinematics(), np.random.default_rng(1)
    for _ in range(4):
        q = kinematics.planar(rng.uniform((0.2, -0.28), (0.6, 0.28)), xarm6.HOME_Q)
        np.testing.assert_array_equal(whole.render(q, POSES), quick.render(q, POSES))
    away = np.zeros(6)
    np.testing.assert_array_equal(whole.render(away, POSES), quick.render(away, POSES))
    np.testing.assert_array_equal(whole.render(q, POSES), quick.render(q, POSES))
    for client in (whole, quick, kinematics):
        client.close()


def test_an_unknown_renderer_lists_the_known_ones():
    with pytest.raises(IbcError, match='known: auto, egl, tiny'):
        TwinCamera(TASK, 'vulkan')  # type: ignore[arg-type]


def test_egl_shows_what_tinyrenderer_shows(camera, capfd):
    try:
        choose_renderer('egl')
    except IbcError as error:
        pytest.skip(str(error))
    egl = TwinCamera(TASK, 'egl')
    picture = egl.render(xarm6.HOME_Q, POSES)
    np.testing.assert_array_equal(egl.render(xarm6.HOME_Q, POSES), picture)
    egl.close()
    egl.close()
    assert capfd.readouterr().out == ''
    contract = load_contract('planar_rgb')
    seen, expected = (
        to_observation(image, contract).astype(int)
        for image in (picture, camera.render(xarm6.HOME_Q, POSES))
    )
    assert np.abs(seen - expected).mean() < 2.0


def test_auto_is_one_that_works():
    assert choose_renderer('auto') in ('egl', 'tiny')
