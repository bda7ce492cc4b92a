"""The box for the arm's own controller."""

import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.errors import PlanarArmError
from planar_arm.fence import fence_around
from planar_arm.homing import home_path
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.workspace import DEFAULT_WORKSPACE

BOARD_TOP = 0.02


@pytest.fixture(scope='module')
def kinematics():
    solver = Xarm6Kinematics()
    yield solver
    solver.close()


def test_at_home_it_is_the_workspace_and_a_little_more(kinematics):
    fence = fence_around(kinematics, DEFAULT_WORKSPACE, xarm6.HOME_Q)
    for x, y in DEFAULT_WORKSPACE.polygon:
        assert fence.contains((x, y, DEFAULT_WORKSPACE.tool_height))
        assert not fence.contains((1.2 * x, 1.2 * y, DEFAULT_WORKSPACE.tool_height))
    assert fence.low[2] > BOARD_TOP
    assert not fence.contains((0.4, 0.0, BOARD_TOP))


def lowered(kinematics, below):
    """Joints (6,) that hold the tool so far [m] below its plane, over home."""
    height = DEFAULT_WORKSPACE.tool_height - below
    return kinematics.inverse((*xarm6.HOME_XY, height), xarm6.HOME_Q)


@pytest.mark.parametrize('below', [0.007, 0.05])
def test_a_way_home_that_begins_on_the_board_is_refused(kinematics, below):
    start = lowered(kinematics, below)
    message = f'the tool is {below * 1e3:.0f} mm below its plane, .*: lift the arm'
    with pytest.raises(PlanarArmError, match=message):
        fence_around(kinematics, DEFAULT_WORKSPACE, start)


def test_the_floor_stays_where_it_is_for_a_tool_that_is_a_little_low(kinematics):
    low = lowered(kinematics, 0.005)
    fence = fence_around(kinematics, DEFAULT_WORKSPACE, low)
    assert fence.low[2] == fence_around(kinematics, DEFAULT_WORKSPACE, xarm6.HOME_Q).low[2]
    assert fence.contains(kinematics.forward(low).position)


@pytest.mark.parametrize('start', [(0, -0.8, -0.5, 0, 1.3, 0), (1.5, -0.4, -0.1, 0, 0.5, 0)])
def test_the_way_home_is_inside(kinematics, start):
    fence = fence_around(kinematics, DEFAULT_WORKSPACE, start)
    for q in (np.array(start), *home_path(kinematics, DEFAULT_WORKSPACE, start, 0.5, 0.25, 0.05)):
        assert fence.contains(kinematics.forward(q).position)
