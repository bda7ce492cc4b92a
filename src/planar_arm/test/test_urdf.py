import numpy as np
import pybullet
import pytest

from planar_arm import xarm6
from planar_arm.urdf import TCP_LINK, xarm6_with_tool_urdf


@pytest.fixture
def body():
    client = pybullet.connect(pybullet.DIRECT)
    arm = pybullet.loadURDF(
        xarm6_with_tool_urdf(),
        useFixedBase=True,
        flags=pybullet.URDF_USE_IMPLICIT_CYLINDER,
        physicsClientId=client,
    )
    yield arm, client
    pybullet.disconnect(client)


def test_joints_and_tool_are_where_the_twin_expects_them(body):
    arm, client = body
    infos = [pybullet.getJointInfo(arm, index, physicsClientId=client) for index in range(8)]
    assert tuple(info[1].decode() for info in infos[1:7]) == xarm6.JOINT_NAMES
    assert infos[7][12].decode() == TCP_LINK


def test_the_tool_is_a_cylinder_that_ends_at_the_tcp(body):
    arm, client = body
    for index, value in enumerate(xarm6.HOME_Q, start=1):
        pybullet.resetJointState(arm, index, value, physicsClientId=client)
    (shape,) = pybullet.getCollisionShapeData(arm, 7, physicsClientId=client)
    assert shape[2] == pybullet.GEOM_CYLINDER
    assert shape[3][:2] == pytest.approx((xarm6.TOOL_LENGTH, xarm6.TOOL_RADIUS))
    pybullet.performCollisionDetection(physicsClientId=client)
    low, high = pybullet.getAABB(arm, 7, physicsClientId=client)
    assert low[2] == pytest.approx(0.03, abs=2e-3)
    assert high[2] == pytest.approx(0.03 + xarm6.TOOL_LENGTH, abs=2e-3)
    assert pybullet.getDynamicsInfo(arm, 7, physicsClientId=client)[0] == xarm6.TOOL_MASS


def test_every_visual_mesh_was_found(body):
    arm, client = body
    shapes = pybullet.getVisualShapeData(arm, physicsClientId=client)
    assert [shape[1] for shape in shapes] == list(range(8))
    meshes = [shape for shape in shapes if shape[2] == pybullet.GEOM_MESH]
    assert len(meshes) == 7
    assert all(np.linalg.norm(shape[3]) > 0 for shape in meshes)
