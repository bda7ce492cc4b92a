import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibc_contract.errors import IbcError
from planar_arm.workspace import DEFAULT_WORKSPACE
from planar_arm.xarm6 import HOME_XY, TOOL_RADIUS
from xarm_twin.config import load_scene
from xarm_twin.tasks import TASK_NAMES, get_task
from xarm_twin.tasks.insert import CLEARANCE, slot
from xarm_twin.tasks.layout import (
    BOARD_TOP,
    Planar,
    box_corners,
    distance_to_segment,
    planar,
    poses_of,
)
from xarm_twin.tasks.objects import BLOCK_SIZE
from xarm_twin.tasks.trays import TRAY

SEEDS = st.integers(0, 2**31)


def pose_in(frame, x, y, yaw=0.0, z=0.04):
    """Pose (7,) of a block at x, y, yaw in the frame of a fixture's pose (7,)."""
    place = planar(frame)
    px, py = place.point((x, y))
    angle = place.yaw + yaw
    return np.array([px, py, z, 0, 0, np.sin(angle / 2), np.cos(angle / 2)])


def with_block(task, index, *place, **more):
    """Layout of seed 0 with one block put into its own fixture's frame."""
    poses = task.sample_layout(np.random.default_rng(0))
    fixture = poses[len(poses) // 2 + index]
    poses[index] = pose_in(fixture, *place, **more)
    return poses


def test_the_board_of_the_scene_is_where_the_tasks_expect_it():
    assert load_scene().board.thickness == BOARD_TOP
    assert DEFAULT_WORKSPACE.tool_height > BOARD_TOP


def test_an_unknown_task_lists_the_known_ones():
    with pytest.raises(IbcError, match='push_red, push_red_then_green, push_red_green_multimodal'):
        get_task('juggle')


@pytest.mark.parametrize('name', TASK_NAMES)
def test_layouts_repeat_for_a_seed_and_differ_between_seeds(name):
    task = get_task(name)
    first, again, other = (task.sample_layout(np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[:, :2] - other[:, :2]).max() > 1e-3


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.sampled_from(TASK_NAMES))
def test_every_layout_leaves_the_tool_room_to_work(seed, name):
    task = get_task(name)
    poses = task.sample_layout(np.random.default_rng(seed))
    assert poses.shape == (len(task.objects), 7)
    np.testing.assert_allclose(np.linalg.norm(poses[:, 3:], axis=1), 1.0)
    assert task.score(poses) == 0.0

    blocks = [p for spec, p in zip(task.objects, poses, strict=True) if spec.is_block]
    behind = BLOCK_SIZE / 2 + 2 * TOOL_RADIUS
    for block in blocks:
        assert DEFAULT_WORKSPACE.contains(block[:2], margin=behind)
        assert np.linalg.norm(block[:2] - HOME_XY) > BLOCK_SIZE * np.sqrt(0.5) + TOOL_RADIUS
        assert block[2] == pytest.approx(BOARD_TOP + BLOCK_SIZE / 2)
    for i, block in enumerate(blocks):
        for other in blocks[i + 1 :]:
            gap = np.linalg.norm(block[:2] - other[:2]) - BLOCK_SIZE * np.sqrt(2)
            assert gap > 2 * TOOL_RADIUS


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.sampled_from([('push_red_then_green', 0.05), ('sort_blue_from_yellow', 0.02)]))
def test_fixtures_stand_on_the_board_apart_from_each_other(seed, case):
    name, gap = case
    task = get_task(name)
    poses = task.sample_layout(np.random.default_rng(seed))
    board = load_scene().board
    corners = [
        np.concatenate([box_corners(box, pose) for box in spec.boxes])
        for spec, pose in zip(task.objects[-2:], poses[-2:], strict=True)
    ]
    for points in corners:
        assert (np.abs(points - board.centre) < np.array(board.size) / 2).all()
    assert corners[0][:, 1].min() - corners[1][:, 1].max() > gap


def test_the_fixtures_are_as_wide_as_they_should_be():
    def inner_width(spec):
        left, right, _ = spec.boxes
        return (left.centre[1] - left.half_extents[1]) - (right.centre[1] + right.half_extents[1])

    assert inner_width(TRAY.spec('t')) == pytest.approx(0.09)
    assert inner_width(slot('s')) == pytest.approx(BLOCK_SIZE + 0.001)
    assert CLEARANCE == 0.001


@pytest.mark.parametrize(
    ('x', 'y', 'inside'),
    [(0, 0, 1), (-0.025, 0.025, 1), (-0.03, 0, 0), (0, 0.03, 0), (0.03, 0, 0)],
)
def test_a_block_counts_when_it_is_inside_its_tray(x, y, inside):
    task = get_task('push_red_then_green')
    assert task.score(with_block(task, 0, x, y, 0.7)) == 0.5 * inside
    assert task.score(with_block(task, 1, x, y, -0.2)) == 0.5 * inside


def test_both_blocks_inside_is_success_in_any_order():
    task = get_task('push_red_then_green')
    poses = with_block(task, 0, 0, 0)
    assert not task.is_success(poses)
    poses[1] = pose_in(poses[3], 0.01, -0.01)
    assert task.score(poses) == 1.0
    assert task.is_success(poses)


def test_the_other_tray_does_not_count():
    task = get_task('push_red_then_green')
    poses = task.sample_layout(np.random.default_rng(0))
    poses[0], poses[1] = pose_in(poses[3], 0, 0), pose_in(poses[2], 0, 0)
    assert task.score(poses) == 0.0


@pytest.mark.parametrize(
    ('red', 'green', 'score'),
    [(None, None, 0), (0, None, 0.5), (1, None, 0.5), (None, 0, 0.5), (0, 1, 1), (1, 0, 1)],
)
def test_any_tray_will_do_when_each_block_has_its_own(red, green, score):
    task = get_task('push_red_green_multimodal')
    poses = task.sample_layout(np.random.default_rng(0))
    for block, tray in ((0, red), (1, green)):
        if tray is not None:
            poses[block] = pose_in(poses[2 + tray], 0.01, -0.01, 0.3)
    assert task.score(poses) == score
    assert task.is_success(poses) == (score == 1)


def test_two_blocks_in_one_tray_are_half_of_the_task():
    task = get_task('push_red_green_multimodal')
    poses = task.sample_layout(np.random.default_rng(0))
    poses[0], poses[1] = pose_in(poses[2], 0, 0.022), pose_in(poses[2], 0, -0.022)
    assert task.score(poses) == 0.5


@pytest.mark.parametrize(('x', 'y', 'inside'), [(0.03, 0.07, 1), (-0.03, -0.07, 1), (-0.04, 0, 0)])
def test_every_block_in_the_tray_of_its_colour_is_an_eighth(x, y, inside):
    task = get_task('sort_blue_from_yellow')
    poses = task.sample_layout(np.random.default_rng(0))
    blue, yellow = poses[8].copy(), poses[9].copy()
    poses[0], poses[7] = pose_in(blue, x, y), pose_in(yellow, x, y, 0.1)
    assert task.score(poses) == inside * 2 / 8
    poses[0], poses[7] = pose_in(yellow, x, y), pose_in(blue, x, y, 0.1)
    assert task.score(poses) == 0.0


def test_all_eight_blocks_sorted_is_success_and_four_fit_into_a_tray():
    task = get_task('sort_blue_from_yellow')
    poses = task.sample_layout(np.random.default_rng(0))
    for tray in (0, 1):
        for i, place in enumerate([(0.028, -0.055), (0.028, 0.0), (0.028, 0.055), (-0.014, 0.0)]):
            poses[4 * tray + i] = pose_in(poses[8 + tray], *place)
    assert task.score(poses) == 1.0
    assert task.is_success(poses)


def test_a_block_on_top_of_a_wall_does_not_count():
    task = get_task('push_red')
    assert task.score(with_block(task, 0, 0.02, 0.0, z=0.06)) == 0.0


@pytest.mark.parametrize(
    ('x', 'y', 'yaw', 'score'),
    [
        (0.0, 0.0, 0.0, 1.0),
        (-0.002, 0.0004, 0.01, 1.0),
        (-0.002, 0.0, np.pi / 2, 1.0),
        (-0.005, 0.0, 0.0, 0.5),
        (-0.033, 0.0003, np.pi, 0.5),
        (-0.036, 0.0, 0.0, 0.0),
        (0.0, 0.004, 0.0, 0.0),
        (-0.02, 0.0, 0.2, 0.0),
    ],
)
def test_an_insert_is_full_partial_or_none(x, y, yaw, score):
    task = get_task('insert_blue')
    poses = with_block(task, 0, x, y, yaw)
    assert task.score(poses) == score
    assert task.is_success(poses) == (score == 1.0)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-np.pi, np.pi))
def test_planar_poses_survive_the_way_through_quaternions(x, y, yaw):
    task = get_task('push_red')
    poses = poses_of(task.objects, [Planar(x, y, yaw)] * 2)
    back = planar(poses[0])
    np.testing.assert_allclose(back.xy, (x, y))
    assert np.cos(back.yaw - yaw) == pytest.approx(1.0)
    np.testing.assert_allclose(back.point(back.local((0.3, -0.2))), (0.3, -0.2), atol=1e-12)


def test_distance_to_a_segment():
    start, end = np.zeros(2), np.array((1.0, 0.0))
    assert distance_to_segment(np.array((0.5, 0.2)), start, end) == pytest.approx(0.2)
    assert distance_to_segment(np.array((2.0, 0.0)), start, end) == pytest.approx(1.0)
    assert distance_to_segment(np.array((0.0, 0.3)), start, start) == pytest.approx(0.3)
