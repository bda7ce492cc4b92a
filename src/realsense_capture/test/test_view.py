"""A moved camera is told from a rearranged scene, in pictures of the twin."""

import dataclasses

import cv2
import numpy as np
import pytest

from ibc_contract.errors import IbcError
from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from realsense_capture.calibration.view import MOVED_PX, load_reference, view_shift
from xarm_twin.camera import TwinCamera
from xarm_twin.config import load_scene
from xarm_twin.tasks import get_task

SCENE = load_scene()


@pytest.fixture(scope='module')
def arm_at():
    kinematics = Xarm6Kinematics()
    yield lambda xy: kinematics.planar(xy, xarm6.HOME_Q)
    kinematics.close()


def moved_camera(aside, turned):
    """The twin's camera set aside, and turned by so much of the table [m]."""
    return dataclasses.replace(
        SCENE.camera,
        position=tuple(np.add(SCENE.camera.position, (0.0, aside, 0.0))),
        look_at=tuple(np.add(SCENE.camera.look_at, (0.0, aside + turned, 0.0))),
    )


def picture(q, seed, camera=SCENE.camera):
    """The scene (360, 640, 3) with noise, laid out for a seed."""
    twin = TwinCamera('push_red', 'tiny', scene=dataclasses.replace(SCENE, camera=camera))
    rng = np.random.default_rng(seed)
    seen = twin.render(q, np.array(get_task('push_red').sample_layout(rng), float))
    twin.close()
    return np.clip(seen + rng.normal(0, 3, seen.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope='module')
def reference(arm_at):
    return picture(arm_at((0.24, 0.0)), 0)


def test_another_layout_in_another_light_is_the_same_view(reference, arm_at):
    now = picture(arm_at((0.4, 0.1)), 3)
    assert view_shift(reference, now) < 0.5
    assert view_shift(reference, (now * 0.7).astype(np.uint8)) < 0.5


@pytest.mark.parametrize(('aside', 'turned'), [(0.01, 0.0), (0.0, 0.02)])
def test_a_camera_that_was_moved_by_a_centimetre_is_noticed(reference, arm_at, aside, turned):
    camera = moved_camera(aside, turned)
    shift = view_shift(reference, picture(arm_at((0.4, 0.1)), 5, camera))
    x, y = np.meshgrid(np.linspace(0.2, 0.6, 20), np.linspace(-0.3, 0.3, 30))
    board = np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 0.02)])
    shifts = camera.model().project(board) - SCENE.camera.model().project(board)
    lengths = np.linalg.norm(shifts, axis=1)
    assert max(lengths.min(), MOVED_PX) < shift < lengths.max()


def test_what_cannot_be_compared_is_no_statement(reference):
    assert view_shift(reference, np.zeros_like(reference)) is None
    noise = np.random.default_rng(0).integers(0, 255, reference.shape, np.uint8)
    assert view_shift(reference, noise) is None


def test_another_size_of_the_same_view_is_compared(reference):
    small = cv2.resize(reference, (320, 180), interpolation=cv2.INTER_AREA)
    assert view_shift(cv2.resize(reference, (1280, 720)), reference) < 0.5
    assert view_shift(reference, small) < 0.5


def test_a_stored_picture_is_read(tmp_path, reference):
    path = tmp_path / 'camera.jpg'
    cv2.imwrite(str(path), reference[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert view_shift(load_reference(path), reference) < 0.5
    path.write_text('no picture')
    with pytest.raises(IbcError, match=r'camera\.jpg is no picture'):
        load_reference(path)
