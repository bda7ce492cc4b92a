"""Against OpenCV, whose model is the plumb_bob of ROS."""

import cv2
import numpy as np
import pytest

from ibc_contract.errors import IbcError
from realsense_capture.distortion import ros_distortion

HALF_VIEW = (0.7, 0.4)
COEFFICIENTS = (0.12, -0.25, 0.0012, -0.0008, 0.06)


def grid():
    x, y = np.meshgrid(np.linspace(-0.7, 0.7, 12), np.linspace(-0.4, 0.4, 9))
    return np.stack([x.ravel(), y.ravel()], axis=1)


def distort(rays, d):
    points = np.column_stack([rays, np.ones(len(rays))])
    image, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), np.array(d))
    return image.reshape(-1, 2)


def test_brown_conrady_is_plumb_bob():
    assert ros_distortion('brown_conrady', COEFFICIENTS, HALF_VIEW) == ('plumb_bob', COEFFICIENTS)


@pytest.mark.parametrize('model', ['inverse_brown_conrady', 'none', 'ftheta'])
def test_no_distortion_is_none_whatever_it_is_called(model):
    assert ros_distortion(model, (0.0,) * 5, HALF_VIEW) == ('plumb_bob', (0.0,) * 5)


def test_the_inverse_model_is_matched_to_half_a_pixel():
    """It maps the image to the ray: distorting that ray has to give the image back."""
    name, d = ros_distortion('inverse_brown_conrady', COEFFICIENTS, HALF_VIEW)
    image = grid()
    rays = distort(image, COEFFICIENTS)
    assert name == 'plumb_bob'
    assert np.abs(distort(rays, d) - image).max() * 600 < 0.5  # focal length about 600 px
    assert np.abs(rays - image).max() * 600 > 3  # there is something to match


def test_the_modified_model_is_matched_to_a_tenth_of_a_pixel():
    k1, k2, p1, p2, k3 = COEFFICIENTS
    rays = grid()
    r2 = (rays**2).sum(axis=1)
    x, y = (rays * (1 + k1 * r2 + k2 * r2**2 + k3 * r2**3)[:, None]).T
    image = np.stack(
        [x + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y + 2 * p2 * x * y + p1 * (r2 + 2 * y * y)],
        axis=1,
    )
    _, d = ros_distortion('modified_brown_conrady', COEFFICIENTS, HALF_VIEW)
    assert np.abs(distort(rays, d) - image).max() * 600 < 0.1


def test_a_fisheye_is_equidistant_and_what_ros_cannot_say_is_refused():
    name, d = ros_distortion('kannala_brandt4', (0.1, 0.2, 0.3, 0.4, 0.0), HALF_VIEW)
    assert (name, d) == ('equidistant', (0.1, 0.2, 0.3, 0.4))
    with pytest.raises(IbcError, match='ftheta'):
        ros_distortion('ftheta', COEFFICIENTS, HALF_VIEW)
