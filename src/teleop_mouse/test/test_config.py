import numpy as np
import pydantic
import pytest

from ibc_contract.errors import IbcError
from planar_arm.camera_model import look_at
from planar_arm.table import TableCalibration, save_table
from planar_arm.workspace import DEFAULT_WORKSPACE
from teleop_mouse.config import TeleopConfig, camera_pose, table
from xarm_twin.config import load_scene


def test_the_camera_is_where_the_twin_has_it_unless_a_file_says_otherwise(tmp_path):
    np.testing.assert_array_equal(
        camera_pose(TeleopConfig()), load_scene().camera.model().T_base_camera
    )
    path = tmp_path / 'pose.yaml'
    path.write_text('position: [0.9, 0.1, 0.6]\nlook_at: [0.4, 0.0, 0.02]\n')
    np.testing.assert_allclose(
        camera_pose(TeleopConfig(camera_pose_file=str(path))),
        look_at((0.9, 0.1, 0.6), (0.4, 0.0, 0.02)),
    )


@pytest.mark.parametrize('scale', [0.1, -1.0, 5.0])
def test_a_window_that_nobody_could_read_is_refused(scale):
    with pytest.raises(pydantic.ValidationError, match='scale'):
        TeleopConfig(scale=scale)


def test_a_bad_camera_pose_is_refused_by_name(tmp_path):
    with pytest.raises(IbcError, match=r'none\.yaml'):
        camera_pose(TeleopConfig(camera_pose_file=str(tmp_path / 'none.yaml')))


def test_the_tool_is_led_over_the_sites_table(tmp_path):
    assert table(TeleopConfig()).workspace is DEFAULT_WORKSPACE
    triangle = [(0.2, -0.1), (0.5, 0.0), (0.2, 0.2)]
    path = save_table(tmp_path, TableCalibration(0.05, triangle, tool_length=0.15))
    found = table(TeleopConfig(table_file=str(path))).workspace
    assert (found.tool_height, list(found.polygon)) == (0.05, triangle)
    with pytest.raises(IbcError, match=r'none\.yaml.*ibc calibrate table SITE'):
        table(TeleopConfig(table_file=str(tmp_path / 'none.yaml')))
