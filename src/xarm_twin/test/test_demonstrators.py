from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibc_contract.errors import IbcError
from planar_arm.xarm6 import HOME_XY
from xarm_twin.cell import TICK, SimulatedCell
from xarm_twin.demonstrators import PERIOD, make_demonstrator
from xarm_twin.demonstrators.contact import faces_for, motion_of_contact, translating_slope
from xarm_twin.demonstrators.routes import Footprint, Obstacles, route, travel
from xarm_twin.tasks import TASK_NAMES, get_task
from xarm_twin.tasks.insert import ENTRY_X
from xarm_twin.tasks.layout import Planar, planar, poses_of
from xarm_twin.tasks.objects import BLOCK_SIZE
from xarm_twin.tasks.trays import TRAY

WALL = Footprint(Planar(0.40, 0.0, 0.0), (0.02, 0.02))


@pytest.fixture(scope='module')
def cells():
    made = {name: SimulatedCell(name) for name in TASK_NAMES}
    yield made
    for cell in made.values():
        cell.close()


def play(cell, seed, demonstrator, layout=None):
    """Let the demonstrator work; return seconds, success, moves (K, 2) and setpoints (K, 2)."""
    state = cell.reset(seed)
    task = cell.world.task
    if layout is not None:
        cell.world.set_layout(poses_of(task.objects, layout))
        state = cell.tick()
    moves, setpoints = [], []
    for _ in range(round(task.horizon_s / PERIOD)):
        delta = demonstrator.act(state.setpoint_xy, state.objects)
        moves.append(delta)
        setpoints.append(state.setpoint_xy)
        cell.command(delta, PERIOD)
        for _ in range(round(PERIOD / TICK)):
            state = cell.tick()
        if task.is_success(state.objects):
            break
    return len(moves) * PERIOD, task.is_success(state.objects), np.array(moves), np.array(setpoints)


# Eight blocks to sort show in one layout what two layouts show elsewhere.
LAYOUTS = [(name, seed) for name in TASK_NAMES for seed in (0, 1)]
LAYOUTS.remove(('sort_blue_from_yellow', 1))


@pytest.mark.parametrize(('name', 'seed'), LAYOUTS)
def test_demonstrators_do_their_task_at_human_pace(cells, name, seed):
    cell = cells[name]
    demonstrator = make_demonstrator(name, np.random.default_rng(seed))
    seconds, succeeded, moves, _ = play(cell, seed, demonstrator)
    assert succeeded
    assert 4.0 < seconds < get_task(name).horizon_s
    fastest = 0.2 if name == 'sort_blue_from_yellow' else 0.12  # eight blocks in a minute
    assert np.linalg.norm(moves, axis=1).max() <= fastest * PERIOD
    assert cell.gate.interventions == {}


@pytest.mark.parametrize('name', TASK_NAMES)
def test_noise_and_detours_do_not_spoil_the_task(cells, name):
    demonstrator = make_demonstrator(name, np.random.default_rng(5), noise=0.2, multimodal=True)
    assert play(cells[name], 5, demonstrator)[1]


@pytest.mark.parametrize(
    ('across', 'turned_deg'),
    [
        *((-0.032, turned_deg) for turned_deg in (0.0, 45.0)),
        *((-0.023, turned_deg) for turned_deg in (20.0, 70.0)),
        *((0.023, turned_deg) for turned_deg in (0.0, 45.0)),
        *((0.032, turned_deg) for turned_deg in (20.0, 70.0)),
    ],
)
def test_a_block_that_caught_on_the_wall_of_the_tray_is_freed(cells, across, turned_deg):
    tray = Planar(0.54, 0.02, 0.1)
    before = TRAY.mouth - BLOCK_SIZE / 2 - 0.001
    x, y = tray.point((before - 0.009 * np.sin(2 * np.deg2rad(turned_deg)), across))
    block = Planar(float(x), float(y), tray.yaw + np.deg2rad(turned_deg))
    demonstrator = make_demonstrator('push_red', np.random.default_rng(0))
    assert play(cells['push_red'], 0, demonstrator, [block, tray])[1]


@pytest.mark.parametrize('turned_deg', [-44.0, 20.0])
def test_a_block_that_wedged_in_the_mouth_of_the_slot_is_turned_back(cells, turned_deg):
    slot = Planar(0.50, 0.0, 0.2)
    x, y = slot.point((ENTRY_X + 0.010, 0.0))
    block = Planar(float(x), float(y), slot.yaw + np.deg2rad(turned_deg))
    demonstrator = make_demonstrator('insert_blue', np.random.default_rng(0))
    assert play(cells['insert_blue'], 0, demonstrator, [block, slot])[1]


def test_an_insertion_does_not_need_eyes_better_than_the_cameras(cells):
    """1 mm and 2 degrees of error at every look, against 4 mm per pixel."""
    rng = np.random.default_rng(0)
    demonstrator = make_demonstrator('insert_blue', np.random.default_rng(0))

    class Blurred:
        def act(self, setpoint_xy, objects):
            return demonstrator.act(setpoint_xy, blurred(objects, rng))

    assert play(cells['insert_blue'], 0, Blurred())[1]


def blurred(objects, rng):
    block = planar(objects[0])
    x, y = block.xy + rng.normal(0.0, 0.001, 2)
    seen = Planar(float(x), float(y), block.yaw + np.deg2rad(rng.normal(0.0, 2.0)))
    specs = get_task('insert_blue').objects
    return np.stack((poses_of(specs[:1], [seen])[0], objects[1]))


def test_red_goes_first(cells):
    cell = cells['push_red_then_green']
    demonstrator = make_demonstrator('push_red_then_green', np.random.default_rng(0))
    state = cell.reset(4)
    green = state.objects[1].copy()
    task = cell.world.task
    while task.score(state.objects) == 0.0:
        cell.command(demonstrator.act(state.setpoint_xy, state.objects), PERIOD)
        for _ in range(round(PERIOD / TICK)):
            state = cell.tick()
    np.testing.assert_allclose(state.objects[1][:2], green[:2], atol=1e-3)


def two_blocks_before_two_trays():
    """Red on the left, green on the right, and a tray straight before each."""
    task = get_task('push_red_green_multimodal')
    places = [(0.36, 0.12), (0.36, -0.12), (0.545, 0.12), (0.545, -0.12)]
    return poses_of(task.objects, [Planar(x, y, 0.0) for x, y in places])


def first_choice(poses, seed):
    """Which block a demonstrator begins with, and whether it wants it in the other's tray."""
    demonstrator = make_demonstrator('push_red_green_multimodal', np.random.default_rng(seed))
    block = int(demonstrator.act((0.30, 0.0), poses)[1] < 0)
    # With the tool behind that block it pushes ahead, or else goes around to a side face first.
    forward, aside = demonstrator.act(poses[block, :2] - (0.038, 0.0), poses)
    return block, bool(abs(aside) > forward)


def test_every_order_and_every_assignment_is_chosen_as_often():
    poses = two_blocks_before_two_trays()
    chosen = Counter(first_choice(poses, seed) for seed in range(200))
    assert len(chosen) == 4
    assert min(chosen.values()) > 30


@pytest.mark.parametrize('crosses', [False, True])
def test_a_block_that_lies_in_a_tray_stays_there_whatever_was_planned(crosses):
    poses = two_blocks_before_two_trays()
    poses[0, :2] = poses[3 if crosses else 2, :2]
    assert {first_choice(poses, seed) for seed in range(20)} == {(1, crosses)}


@pytest.mark.parametrize('seed', range(4))
def test_a_block_that_is_in_the_way_of_the_other_goes_first(cells, seed):
    cell = cells['push_red_green_multimodal']
    poses = two_blocks_before_two_trays()
    poses[0, :2], poses[1, :2] = (0.403, 0.0), (0.345, 0.0)
    demonstrator = make_demonstrator('push_red_green_multimodal', np.random.default_rng(seed))
    cell.reset(0)
    cell.world.set_layout(poses)
    state = cell.tick()
    while (moved := np.linalg.norm(state.objects - poses, axis=1)[:2]).max() < 0.01:
        cell.command(demonstrator.act(state.setpoint_xy, state.objects), PERIOD)
        for _ in range(round(PERIOD / TICK)):
            state = cell.tick()
    assert moved.argmax() == 0


def sorted_but(**left_out):
    """All blocks in their trays but those named b0 to b7, which lie at (x, y)."""
    task = get_task('sort_blue_from_yellow')
    spots = [(0.578, 0.05), (0.578, 0.0), (0.578, -0.05), (0.537, 0.0)]
    places = [Planar(x, side * 0.13 + y, 0.0) for side in (1, -1) for x, y in spots]
    for name, (x, y) in left_out.items():
        places[int(name[1:])] = Planar(x, y, 0.0)
    return poses_of(task.objects, [*places, Planar(0.55, 0.13, 0.0), Planar(0.55, -0.13, 0.0)])


def sorter():
    return make_demonstrator('sort_blue_from_yellow', np.random.default_rng(0))


def is_towards(move, tool, goal):
    return np.dot(move, np.subtract(goal, tool)) > 0.7 * np.linalg.norm(move) * np.linalg.norm(
        np.subtract(goal, tool)
    )


BEHIND_LEFT, BEHIND_RIGHT = (0.31, 0.13), (0.31, -0.13)


def test_sorting_takes_the_nearest_block_and_sees_it_through():
    poses = sorted_but(b0=(0.35, 0.13), b4=(0.35, -0.13))
    nearer_to_right = np.array((0.30, -0.06))
    assert is_towards(sorter().act(nearer_to_right, poses), nearer_to_right, BEHIND_RIGHT)
    one_in_hand = sorter()
    one_in_hand.act((0.30, 0.06), poses)
    assert is_towards(one_in_hand.act(nearer_to_right, poses), nearer_to_right, BEHIND_LEFT)


def test_sorting_lets_a_block_be_that_does_not_get_on():
    poses = sorted_but(b0=(0.35, 0.13), b4=(0.35, -0.13))
    here = np.array((0.30, 0.06))
    demonstrator = sorter()
    moves = [demonstrator.act(here, poses) for _ in range(30)]
    assert is_towards(moves[14], here, BEHIND_LEFT)  # after 3 s
    assert is_towards(moves[29], here, BEHIND_RIGHT)  # after 6 s


def test_sorting_takes_first_what_is_in_the_way_of_another():
    poses = sorted_but(b0=(0.30, 0.13), b4=(0.37, 0.13))
    here = np.array((0.30, 0.20))
    assert is_towards(sorter().act(here, poses), here, (0.37, 0.17))


def test_nothing_is_left_to_do_when_all_is_sorted():
    np.testing.assert_array_equal(sorter().act(HOME_XY, sorted_but()), (0.0, 0.0))


@pytest.mark.parametrize('side', [1, -1])
@pytest.mark.parametrize('turned_deg', [0.0, 30.0, 60.0])
def test_a_block_that_caught_on_the_outer_tip_of_a_tray_is_freed(cells, side, turned_deg):
    poses = sorted_but(b0=(0.479, 0.210), b4=(0.479, -0.210))
    caught, put_away = (0, 4) if side == 1 else (4, 0)
    poses[put_away] = sorted_but()[put_away]
    turn = np.deg2rad(turned_deg) / 2
    poses[caught, 3:] = 0.0, 0.0, np.sin(turn), np.cos(turn)
    layout = [planar(pose) for pose in poses]
    assert play(cells['sort_blue_from_yellow'], 0, sorter(), layout)[1]


def test_without_noise_a_move_depends_on_what_is_seen_alone():
    task = get_task('push_red')
    poses = task.sample_layout(np.random.default_rng(0))
    demonstrator = make_demonstrator('push_red', np.random.default_rng(0))
    first = demonstrator.act(HOME_XY, poses)
    demonstrator.act((0.5, 0.1), task.sample_layout(np.random.default_rng(1)))
    np.testing.assert_array_equal(demonstrator.act(HOME_XY, poses), first)


def test_noise_is_as_large_as_asked_for_and_repeats_with_its_rng():
    poses = get_task('push_red').sample_layout(np.random.default_rng(0))

    def moves(noise):
        demonstrator = make_demonstrator('push_red', np.random.default_rng(1), noise)
        return np.array([demonstrator.act(HOME_XY, poses) for _ in range(400)])

    steady = moves(0.0)[0]
    unsteady = moves(0.3)
    assert (unsteady - steady).std() == pytest.approx(0.3 * np.linalg.norm(steady), rel=0.25)
    np.testing.assert_array_equal(moves(0.3), unsteady)


def test_detours_take_both_sides():
    task = get_task('push_red')
    poses = task.sample_layout(np.random.default_rng(0))
    # The block's far side must be reached from the near side: both ways round are about as long.
    poses[0] = 0.42, 0.0, 0.04, 0, 0, 0, 1
    poses[1, :2] = 0.25, 0.0
    poses[1, 3:] = 0, 0, 1, 0
    sides = set()
    for seed in range(20):
        demonstrator = make_demonstrator('push_red', np.random.default_rng(seed), multimodal=True)
        sides.add(np.sign(demonstrator.act((0.35, 0.0), poses)[1]))
    assert sides == {-1.0, 1.0}


@pytest.mark.parametrize('noise', [-0.1, 1.5])
def test_noise_out_of_range_is_refused(noise):
    with pytest.raises(IbcError, match='allowed are 0 to 1'):
        make_demonstrator('push_red', np.random.default_rng(0), noise)


def test_the_way_is_straight_when_nothing_is_in_between():
    free = Obstacles([WALL], grow=0.02)
    way = route(np.array((0.25, 0.1)), np.array((0.55, 0.1)), free)
    np.testing.assert_allclose(way, [(0.55, 0.1)])


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.21, 0.34),
    st.floats(-0.1, 0.1),
    st.floats(0.46, 0.59),
    st.floats(-0.1, 0.1),
    st.floats(-np.pi, np.pi),
    st.sampled_from([-0.25, 0.0, 0.25]),
)
def test_the_way_goes_around_an_obstacle(x0, y0, x1, y1, yaw, bias):
    obstacles = Obstacles([Footprint(Planar(0.40, 0.0, yaw), (0.02, 0.02))], grow=0.0177)
    start, goal = np.array((x0, y0)), np.array((x1, y1))
    way = route(start, goal, obstacles, bias)
    np.testing.assert_allclose(way[-1], goal)
    points = np.vstack([start, way])
    assert not obstacles.cut(points[:-1], points[1:]).any()
    length = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    assert length < np.linalg.norm(goal - start) + 0.12


def test_the_way_out_of_an_obstacle_is_the_nearest():
    obstacles = Obstacles([WALL], grow=0.02)
    way = route(np.array((0.365, 0.005)), np.array((0.25, 0.005)), obstacles)
    assert way[0][0] == pytest.approx(0.36, abs=1e-3)
    assert way[0][1] == pytest.approx(0.005)


def test_travel_stops_where_the_distance_ends():
    way = np.array([(0.1, 0.0), (0.1, 0.2)])
    np.testing.assert_allclose(travel(np.zeros(2), way, 0.15), (0.1, 0.05))
    np.testing.assert_allclose(travel(np.zeros(2), way, 9.0), (0.1, 0.2))


def test_a_block_is_pushed_on_the_face_behind_it():
    face = faces_for(Planar(0.4, 0.0, 0.1), np.array((1.0, 0.0)), np.array((0.3, 0.0)))[0]
    assert face.frame.yaw == pytest.approx(0.1)
    np.testing.assert_allclose(face.touching(0.0)[0], 0.4 - 0.0327 * np.cos(0.1), atol=1e-4)
    gap, offset = face.gap_and_offset(face.touching(0.005, 0.01))
    assert (gap, offset) == (pytest.approx(0.01), pytest.approx(0.005))


def test_a_force_through_the_centre_moves_a_block_along_itself():
    slope = translating_slope(0.005)
    motion = motion_of_contact(0.005, slope)
    assert motion[1] / motion[0] == pytest.approx(slope)
