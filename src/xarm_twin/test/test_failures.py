import numpy as np
import pytest

from xarm_twin.tasks import TASK_NAMES, get_task
from xarm_twin.tasks.failures import BlockMoves, failure
from xarm_twin.tasks.insert import ENTRY_X
from xarm_twin.tasks.layout import planar

IN_TRAY = (0.0, 0.0)


def pose_in(frame, x, y, yaw=0.0):
    """Pose (7,) of a block at x, y, yaw in the frame of a fixture's pose (7,)."""
    place = planar(frame)
    angle = place.yaw + yaw
    return np.array([*place.point((x, y)), 0.04, 0, 0, np.sin(angle / 2), np.cos(angle / 2)])


def layout(task, **places):
    """Poses of seed 0; red=(fixture, x, y, ...) puts a block into the frame of a fixture."""
    poses = task.sample_layout(np.random.default_rng(0))
    count = sum(spec.is_block for spec in task.objects)
    for name, (fixture, *place) in places.items():
        index = [spec.name for spec in task.objects].index(name)
        poses[index] = pose_in(poses[count + fixture], *place)
    return poses


@pytest.mark.parametrize('name', TASK_NAMES)
def test_what_is_not_done_has_a_name_and_what_is_done_has_none(name):
    task = get_task(name)
    assert failure(task, layout(task))


@pytest.mark.parametrize(
    ('places', 'expected'),
    [
        ({}, 'red not in its tray'),
        ({'red': (0, *IN_TRAY)}, 'green not in its tray'),
        ({'green': (1, *IN_TRAY)}, 'wrong order: red not in its tray'),
        ({'red': (1, *IN_TRAY)}, 'red in the wrong tray'),
        ({'red': (0, *IN_TRAY), 'green': (0, 0.02, 0.02)}, 'green in the wrong tray'),
        ({'red': (0, *IN_TRAY), 'green': (1, 0.04, -0.1)}, 'green out of reach'),
        ({'red': (0, *IN_TRAY), 'green': (1, *IN_TRAY)}, ''),
    ],
)
def test_pushing_in_order(places, expected):
    task = get_task('push_red_then_green')
    assert failure(task, layout(task, **places)) == expected


@pytest.mark.parametrize(
    ('places', 'expected'),
    [
        ({}, 'no block in a tray'),
        ({'red': (1, *IN_TRAY)}, 'green not in its tray'),
        ({'green': (0, *IN_TRAY)}, 'red not in its tray'),
        ({'red': (1, 0.02, -0.022), 'green': (1, 0.02, 0.022)}, 'in a tray with another'),
        ({'red': (1, *IN_TRAY), 'green': (0, *IN_TRAY)}, ''),
    ],
)
def test_pushing_in_any_order(places, expected):
    task = get_task('push_red_green_multimodal')
    found = failure(task, layout(task, **places))
    assert found.endswith(expected) if expected else found == ''


@pytest.mark.parametrize(
    ('place', 'expected'),
    [
        ((-0.2, 0.05), 'not brought to the slot'),
        ((ENTRY_X - 0.005, 0.02), 'at the mouth, not in it'),
        ((ENTRY_X - 0.004, 0.0, np.deg2rad(30)), 'wedged in the mouth'),
        ((ENTRY_X + 0.004, 0.0, 0.0), 'wedged in the mouth'),
        ((ENTRY_X + 0.015, 0.0, 0.0), 'partial insert'),
        ((0.08, 0.09), 'blue out of reach'),
        ((0.0, 0.0), ''),
    ],
)
def test_insertion(place, expected):
    task = get_task('insert_blue')
    assert failure(task, layout(task, blue=(0, *place))) == expected


@pytest.mark.parametrize(
    ('places', 'expected'),
    [
        ({}, '8 of 8 blocks in no tray'),
        ({'blue_0': (0, *IN_TRAY), 'yellow_3': (1, *IN_TRAY)}, '6 of 8 blocks in no tray'),
        ({'blue_0': (0, *IN_TRAY), 'yellow_3': (0, 0.0, 0.05)}, 'a block in the wrong tray'),
        ({'blue_0': (0, *IN_TRAY), 'blue_1': (0, 0.01, 0.13)}, 'a block out of reach'),
    ],
)
def test_sorting(places, expected):
    task = get_task('sort_blue_from_yellow')
    assert failure(task, layout(task, **places)) == expected


def moved(*seconds_and_x):
    """Moves of one episode in which the only block is at x at a time."""
    task = get_task('push_red')
    moves = BlockMoves(task)
    poses = layout(task)
    for seconds, x in seconds_and_x:
        poses[0, 0] = x
        moves.add(seconds, poses)
    return moves.ending


def test_an_episode_stalls_when_no_block_has_moved_for_ten_seconds():
    still = [(second, 0.45) for second in range(15, 31)]
    assert moved((0, 0.4), *still) == 'stalled'
    assert moved((0, 0.4), *still, (31, 0.46)) == 'ran out of time'
    assert moved((0, 0.4), (22, 0.42), (30, 0.42)) == 'ran out of time', 'moved 8 s before the end'
    assert moved((0, 0.4), (10, 0.4), (30, 0.402)) == 'stalled', 'less than counts as a move'
