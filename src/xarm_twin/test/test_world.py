import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.kinematics import Xarm6Kinematics
from xarm_twin.tasks import get_task
from xarm_twin.world import World

TOUCH = 0.02 + xarm6.TOOL_RADIUS


@pytest.fixture
def world():
    world = World('push_red', seed=0)
    yield world
    world.close()


@pytest.fixture(scope='module')
def kinematics():
    kinematics = Xarm6Kinematics()
    yield kinematics
    kinematics.close()


def place(world, block, fixture=(0.55, 0.22, 0.0)):
    """Put block and tray at x, y, yaw."""
    poses = world.object_poses()
    for row, (x, y, yaw) in zip(poses, (block, fixture), strict=True):
        row[:2] = x, y
        row[3:] = 0, 0, np.sin(yaw / 2), np.cos(yaw / 2)
    world.set_layout(poses)


def tool(world, kinematics):
    """Measured position of the tool's end (3,) [m]."""
    return kinematics.forward(world.joint_states()[0]).position


def lead(world, kinematics, start, end, speed=0.06, rest=0.3):
    """Move the tool straight along the plane [m], [m/s], then let `rest` [s] pass."""
    q = kinematics.planar(start, xarm6.HOME_Q)
    world.set_joint_positions(q)
    length = np.linalg.norm(np.subtract(end, start))
    points = np.linspace(start, end, max(2, round(length / speed / 0.01)))
    for point in points:
        q = kinematics.planar(point, q)
        world.set_joint_targets(q)
        world.step()
        world.step()
    for _ in range(round(rest / world.dt)):
        world.step()


def test_a_reset_lays_the_task_out_as_its_seed_says(world, kinematics):
    world.reset(7)
    expected = get_task('push_red').sample_layout(np.random.default_rng(7))
    np.testing.assert_allclose(world.object_poses(), expected, atol=1e-9)
    np.testing.assert_allclose(world.joint_states()[0], xarm6.HOME_Q)
    np.testing.assert_allclose(tool(world, kinematics), [*xarm6.HOME_XY, 0.03], atol=1e-4)
    assert world.time == 0.0


def test_the_arm_holds_without_sagging_and_blocks_lie_still(world):
    before = world.object_poses()
    for _ in range(400):
        world.step()
    assert world.time == pytest.approx(2.0)
    np.testing.assert_allclose(world.joint_states()[0], xarm6.HOME_Q, atol=1e-4)
    np.testing.assert_allclose(world.joint_states()[1], 0.0, atol=1e-3)
    np.testing.assert_allclose(world.object_poses()[:, :3], before[:, :3], atol=5e-4)


def test_the_same_seed_and_targets_give_the_same_motion(kinematics):
    def run(world):
        world.reset(3)
        block = world.object_poses()[0]
        lead(world, kinematics, (block[0] - 0.06, block[1]), (block[0], block[1] + 0.01))
        return world.object_poses()

    first, second = World('push_red'), World('push_red')
    expected = run(first)
    np.testing.assert_array_equal(run(first), expected)
    np.testing.assert_array_equal(run(second), expected)
    first.close()
    second.close()


@pytest.mark.parametrize('speed', [0.02, 0.06, 0.12])
def test_a_pushed_block_moves_with_the_tool_and_stops_with_it(world, kinematics, speed):
    place(world, (0.36, 0.0, 0.0))
    lead(world, kinematics, (0.30, 0.0), (0.42, 0.0), speed)
    block, end = world.object_poses()[0], tool(world, kinematics)
    np.testing.assert_allclose(end[:2], (0.42, 0.0), atol=5e-4)
    assert block[0] - end[0] == pytest.approx(TOUCH, abs=1e-3)
    assert abs(block[1]) < 2e-3
    assert block[2] == pytest.approx(0.04, abs=1e-3)


def test_pushing_off_centre_turns_the_block_away_from_the_tool(world, kinematics):
    place(world, (0.36, 0.0, 0.0))
    lead(world, kinematics, (0.31, 0.012), (0.36, 0.012))
    _, _, qz, qw = world.object_poses()[0, 3:]
    assert np.rad2deg(2 * np.arctan2(qz, qw)) < -10


def test_fixtures_stand_firm_against_the_tool(world, kinematics):
    place(world, (0.30, -0.2, 0.0), (0.50, 0.0, 0.0))
    wall = 0.50 + 0.045
    lead(world, kinematics, (0.50, 0.0), (0.57, 0.0))
    assert tool(world, kinematics)[0] < wall - xarm6.TOOL_RADIUS + 2e-3
    np.testing.assert_allclose(world.object_poses()[1, :2], (0.50, 0.0), atol=1e-12)


def test_what_falls_off_the_board_lies_on_the_table(world, kinematics):
    place(world, (0.36, 0.27, 0.0), (0.55, -0.2, 0.0))
    lead(world, kinematics, (0.36, 0.20), (0.36, 0.28), rest=1.0)
    place_of_block = world.object_poses()[0]
    assert place_of_block[1] > 0.3
    assert 0.015 < place_of_block[2] < 0.045


def test_closing_twice_is_harmless():
    world = World('push_red')
    world.close()
    world.close()


def test_no_joint_moves_faster_than_its_motor(world):
    world.reset(0)
    world.set_joint_targets(xarm6.HOME_Q + np.array((1.0, 0, 0, 0, 0, -1.0)))
    fastest = 0.0
    for _ in range(50):
        world.step()
        fastest = max(fastest, np.abs(world.joint_states()[1]).max())
    assert 0.9 * xarm6.MAX_JOINT_SPEED < fastest < 1.01 * xarm6.MAX_JOINT_SPEED
