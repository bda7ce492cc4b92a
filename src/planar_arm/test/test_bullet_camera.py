"""Pictures of PyBullet bodies: each point where the camera model says, and windows of them."""

import numpy as np
import pytest

from planar_arm.bullet import pybullet
from planar_arm.bullet_camera import BulletCamera
from planar_arm.camera_model import CameraModel, look_at

HALF = 0.05
CENTRE = (0.4, 0.1, 0.05)
MODEL = CameraModel(96, 64, 80.0, 75.0, 41.3, 35.9, look_at((1.0, 0.2, 0.8), (0.3, 0.0, 0.0)))
"""Its principal point is not in the middle, and its pixels are not square."""


@pytest.fixture
def client():
    made = pybullet.connect(pybullet.DIRECT)
    shape = pybullet.createVisualShape(
        pybullet.GEOM_BOX,
        halfExtents=[HALF] * 3,
        rgbaColor=(1.0, 0.0, 0.0, 1.0),
        physicsClientId=made,
    )
    pybullet.createMultiBody(0.0, -1, shape, CENTRE, physicsClientId=made)
    yield made
    pybullet.disconnect(physicsClientId=made)


def corners():
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return np.array(CENTRE) + HALF * signs


def test_a_body_is_where_the_model_projects_it(client):
    picture, is_body = BulletCamera(client, MODEL).draw()
    rows, columns = np.nonzero(is_body)
    pixels = MODEL.project(corners())
    found = [columns.min(), rows.min(), columns.max(), rows.max()]
    # A corner's tip may lie between the centres of pixels.
    np.testing.assert_allclose(found, [*pixels.min(axis=0), *pixels.max(axis=0)], atol=1.5)
    red = picture[rows, columns]
    assert (red[:, 0] > 50).all()
    assert (red[:, 1:3] < red[:, :1]).all()


def test_a_window_is_that_part_of_the_picture(client):
    camera = BulletCamera(client, MODEL)
    pixels = MODEL.project(corners())
    left, top = np.floor(pixels.min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(pixels.max(axis=0)).astype(int) + 3
    whole, _ = camera.draw()
    part, is_body = camera.draw((left, top, right - left, bottom - top))
    seen = is_body.astype(bool)
    assert seen.any()
    np.testing.assert_array_equal(part[seen], whole[top:bottom, left:right][seen])


def test_what_is_seen_is_named(client):
    camera = BulletCamera(client, MODEL)
    assert camera.bodies().tolist() == [[0, -1]]
    away = CameraModel(32, 32, 30.0, 30.0, 15.5, 15.5, look_at((1.0, 0.0, 0.5), (2.0, 0.0, 0.5)))
    assert BulletCamera(client, away).bodies().tolist() == []
