import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planar_arm.camera_model import CameraModel, look_at
from planar_arm.workspace import DEFAULT_WORKSPACE
from teleop_mouse.pointer import LEASH_S, SETTLE_S, Lead, Pointer, board_point

SPEED, DT = 0.12, 0.05
START = np.array([0.30, 0.0])
# Straight above (0.4, 0) at 1 m; image right is +y, image down is +x of link_base.
ABOVE = CameraModel(640, 360, 400.0, 400.0, 320.0, 180.0, look_at((0.4, 0.0, 1.0), (0.4, 0.0, 0.0)))


def pressed(press_id=1):
    return Pointer(10, 10, True, press_id)


def released(press_id=1):
    return Pointer(10, 10, False, press_id)


def drag(lead, aim, setpoint, ticks, follow=True):
    """Hold the button for some ticks; the setpoint follows at once unless told otherwise."""
    moves = []
    for _ in range(ticks):
        move = lead.step(pressed(), aim, setpoint, DT)
        moves.append(move)
        if follow:
            setpoint = setpoint + move
    return np.array(moves), setpoint


def test_the_principal_point_sees_the_point_below_the_camera():
    np.testing.assert_allclose(board_point(ABOVE, (320, 180), 0.03), (0.4, 0.0), atol=1e-12)


def test_pixels_are_metres_at_the_height_of_the_tool_not_of_the_board():
    point = board_point(ABOVE, (320 + 100, 180 + 40), 0.2)
    # 0.8 m away at f = 400 px: 2 mm per pixel.
    np.testing.assert_allclose(np.abs(point - (0.4, 0.0)), (0.08, 0.2), atol=1e-12)
    assert point[0] == pytest.approx(0.4 + 0.08)


def test_a_pixel_above_the_horizon_is_no_point():
    level = CameraModel(640, 360, 400, 400, 320, 180, look_at((0, 0, 0.5), (1, 0, 0.5)))
    assert board_point(level, (320, 100), 0.03) is None
    assert board_point(level, (320, 300), 0.03) is not None


def test_pressing_does_not_move_the_tool_if_the_pointer_is_on_it():
    move = Lead(DEFAULT_WORKSPACE, SPEED).step(pressed(), START, START, DT)
    assert not move.any()


def test_the_tool_goes_straight_to_the_pointer_at_the_speed_cap_and_rests_there():
    aim = START + np.array([0.06, 0.08])
    moves, end = drag(Lead(DEFAULT_WORKSPACE, SPEED), aim, START, 30)
    lengths = np.linalg.norm(moves, axis=1)
    np.testing.assert_allclose(lengths[:16], SPEED * DT)  # 0.1 m at 6 mm a tick: 16 and a rest
    np.testing.assert_allclose(lengths[16], 0.1 - 16 * SPEED * DT)
    np.testing.assert_allclose(lengths[17:], 0.0, atol=1e-15)
    np.testing.assert_allclose(end, aim)
    np.testing.assert_allclose(moves[:16] / lengths[:16, None], np.tile((0.6, 0.8), (16, 1)))


def test_nothing_is_sent_before_a_press_and_one_zero_after_the_release():
    lead = Lead(DEFAULT_WORKSPACE, SPEED)
    assert lead.step(released(0), START, START, DT) is None
    drag(lead, START + 0.05, START, 3)
    assert not lead.step(released(), START + 0.05, START, DT).any()
    assert lead.target is None
    assert lead.step(released(), START + 0.05, START, DT) is None


def test_a_pointer_outside_the_workspace_leads_to_its_edge():
    _, end = drag(Lead(DEFAULT_WORKSPACE, SPEED), np.array([0.30, 5.0]), START, 100)
    np.testing.assert_allclose(end, (0.30, 0.28))


def test_a_pointer_that_shows_no_board_holds_the_tool():
    moves, _ = drag(Lead(DEFAULT_WORKSPACE, SPEED), None, START, 5)
    assert not moves.any()


def test_without_a_setpoint_the_clutch_opens_until_the_next_press():
    lead = Lead(DEFAULT_WORKSPACE, SPEED)
    aim = START + 0.05
    drag(lead, aim, START, 3)
    assert not lead.step(pressed(), aim, None, DT).any()
    assert lead.step(pressed(), aim, START, DT) is None
    assert lead.step(pressed(press_id=2), aim, START, DT) is not None


def test_a_press_without_a_setpoint_does_not_start_when_it_arrives():
    lead = Lead(DEFAULT_WORKSPACE, SPEED)
    assert lead.step(pressed(), START, None, DT) is None
    assert lead.step(pressed(), START + 0.05, START, DT) is None


def test_a_driver_that_does_not_follow_gets_no_more_than_the_leash():
    lead = Lead(DEFAULT_WORKSPACE, SPEED)
    moves, _ = drag(lead, START + np.array([0.25, 0.0]), START, 12, follow=False)
    assert np.linalg.norm(moves.sum(axis=0)) <= SPEED * LEASH_S + 1e-12


def test_a_lost_command_is_made_up_for_after_a_rest():
    lead = Lead(DEFAULT_WORKSPACE, SPEED)
    aim = START + np.array([0.02, 0.0])
    moves, _ = drag(lead, aim, START, 4)
    assert moves.sum(axis=0) == pytest.approx((0.02, 0.0))
    lost = START + np.array([0.015, 0.0])  # one of them never arrived
    moves, end = drag(lead, aim, lost, round(SETTLE_S / DT) + 3)
    np.testing.assert_allclose(end, aim)


points = st.tuples(st.floats(0.2, 0.6), st.floats(-0.28, 0.28)).map(np.array)
aims = st.one_of(st.none(), st.tuples(st.floats(-2, 2), st.floats(-2, 2)).map(np.array))
setpoints = st.one_of(st.none(), points)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3), aims, setpoints), max_size=60))
def test_no_move_is_ever_faster_than_the_cap_or_leaves_the_workspace(ticks):
    lead = Lead(DEFAULT_WORKSPACE, SPEED)
    for held, press_id, aim, setpoint in ticks:
        move = lead.step(Pointer(0, 0, held, press_id), aim, setpoint, DT)
        if move is not None:
            assert np.linalg.norm(move) <= SPEED * DT + 1e-12
        if not held or setpoint is None:
            assert move is None or not move.any()
        if lead.target is not None:
            assert DEFAULT_WORKSPACE.contains(lead.target, margin=-1e-9)
