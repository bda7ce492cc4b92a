import dataclasses
import math

import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.errors import PlanarArmError
from planar_arm.kinematics import Xarm6Kinematics
from planar_arm.safety import SafetyGate, load_safety_limits
from planar_arm.servo import TOOL_PLANE_TOLERANCE, PlanarServo
from planar_arm.setpoint_motion import Interpolation
from planar_arm.workspace import DEFAULT_WORKSPACE

LIMITS = load_safety_limits()
DT = 0.01
HOME = np.array(xarm6.HOME_XY)


@pytest.fixture(scope='module')
def kinematics():
    solver = Xarm6Kinematics()
    yield solver
    solver.close()


def make_servo(kinematics):
    servo = PlanarServo(kinematics, SafetyGate(LIMITS, DEFAULT_WORKSPACE), DEFAULT_WORKSPACE)
    servo.start(xarm6.HOME_Q)
    return servo


@pytest.fixture
def servo(kinematics):
    return make_servo(kinematics)


def run(servo, t, ticks):
    steps = []
    for _ in range(ticks):
        t += DT
        steps.append(servo.step(t, DT, servo.setpoint))
    return t, steps


def test_holds_still_without_commands(servo):
    _, steps = run(servo, 0.0, 50)
    assert all(math.dist(step.setpoint_xy, HOME) < 1e-6 for step in steps)
    np.testing.assert_allclose(steps[-1].q_command, xarm6.HOME_Q, atol=1e-6)


TENTH = dataclasses.replace(LIMITS, max_tcp_speed=0.025, max_joint_speed=0.15)


@pytest.mark.parametrize('limits', [LIMITS, TENTH], ids=['usual', 'tenth'])
@pytest.mark.parametrize('interpolation', Interpolation)
def test_started_beside_its_plane_it_stays_until_it_is_moved_and_settles_on_the_way(
    kinematics, limits, interpolation
):
    gate = SafetyGate(limits, DEFAULT_WORKSPACE)
    servo = PlanarServo(kinematics, gate, DEFAULT_WORKSPACE, interpolation)
    sagged = xarm6.HOME_Q + np.array((0.001, 0.002, 0.001, 0.002, 0.0, 0.003))
    servo.start(sagged)
    sag = float(kinematics.forward(sagged).position[2]) - DEFAULT_WORKSPACE.tool_height
    assert 2e-4 < abs(sag) < TOOL_PLANE_TOLERANCE
    t, steps = run(servo, 0.0, 50)
    assert all((step.q_command == sagged).all() for step in steps)
    servo.command((0.0, 0.0), t, 0.2, 0.0)  # no move
    t, steps = run(servo, t, 50)
    assert all((step.q_command == sagged).all() for step in steps)
    servo.command((0.01, 0.0), t, 0.2, 0.0)
    t, steps = run(servo, t, 200)
    joints = np.array([sagged, *(step.q_command for step in steps)])
    assert np.abs(np.diff(joints, axis=0)).max() <= limits.max_joint_speed * DT
    for q in joints:
        height = kinematics.forward(q).position[2] - DEFAULT_WORKSPACE.tool_height
        assert min(sag, 0.0) - 1e-4 <= height <= max(sag, 0.0) + 1e-4
    settled = kinematics.forward(joints[-1])
    np.testing.assert_allclose(settled.position[:2], servo.goal, atol=1e-6)
    assert settled.position[2] == pytest.approx(DEFAULT_WORKSPACE.tool_height, abs=1e-6)
    np.testing.assert_allclose(np.abs(settled.quaternion), (1, 0, 0, 0), atol=1e-6)


def test_a_command_is_a_straight_line_of_equal_steps(servo):
    servo.step(0.0, DT, servo.setpoint)
    servo.command((0.02, 0.01), 0.0, 0.2, 0.0)
    _, steps = run(servo, 0.0, 25)
    path = np.array([step.setpoint_xy for step in steps])
    moves = np.diff(np.vstack([HOME, path]), axis=0)
    np.testing.assert_allclose(moves[:20], [(0.001, 0.0005)] * 20, atol=1e-6)
    np.testing.assert_allclose(moves[20:], 0.0, atol=1e-12)
    np.testing.assert_allclose(path[-1], HOME + np.array((0.02, 0.01)), atol=1e-6)


def test_commands_add_up_even_when_they_overlap(servo):
    t = 0.0
    for _ in range(10):
        servo.command((0.004, -0.002), t, 0.2, 0.0)
        t, _ = run(servo, t, 5)
    run(servo, t, 30)
    np.testing.assert_allclose(servo.setpoint, HOME + np.array((0.04, -0.02)), atol=1e-6)


def test_commands_every_period_flow_without_a_pause(servo):
    t, moves = 0.0, []
    servo.step(0.0, DT, servo.setpoint)
    for _ in range(5):
        servo.command((0.02, 0.0), t, 0.2, 0.0)
        for _ in range(20):
            before = servo.setpoint
            t, _ = run(servo, t, 1)
            moves.append(math.dist(before, servo.setpoint))
    np.testing.assert_allclose(moves, 0.001, atol=1e-6)


def test_the_joints_follow_the_setpoint(servo, kinematics):
    servo.command((0.05, 0.03), 0.0, 0.2, 0.0)
    _, steps = run(servo, 0.0, 40)
    for step in steps[::5]:
        position = kinematics.forward(step.q_command).position
        np.testing.assert_allclose(position[:2], step.setpoint_xy, atol=1e-5)
        assert position[2] == pytest.approx(DEFAULT_WORKSPACE.tool_height, abs=1e-5)


def test_fast_commands_take_longer_instead_of_going_faster(servo):
    admission = servo.command((0.06, 0.0), 0.0, 0.02, 0.0)
    assert admission.accepted
    t, _ = run(servo, 0.0, 10)
    assert servo.setpoint[0] - HOME[0] <= LIMITS.max_tcp_speed * 0.1 * 1.001
    run(servo, t, 20)
    assert servo.setpoint[0] == pytest.approx(HOME[0] + 0.06, abs=1e-6)


def test_the_goal_cannot_run_away(servo):
    for _ in range(50):
        servo.command((0.06, 0.0), 0.0, 0.2, 0.0)
    assert math.dist(servo.goal, servo.setpoint) <= LIMITS.max_lead * (1 + 1e-9)


def test_pushing_against_the_edge_is_forgotten_not_saved_up(servo):
    t = 0.0
    for _ in range(10):
        servo.command((-0.04, 0.0), t, 0.2, 0.0)
        t, _ = run(servo, t, 20)
    assert servo.setpoint[0] == pytest.approx(0.20)
    admission = servo.command((0.01, 0.0), t, 0.2, 0.0)
    np.testing.assert_allclose(admission.delta, (0.01, 0.0), atol=1e-9)
    run(servo, t, 20)
    assert servo.setpoint[0] == pytest.approx(0.21)


def test_a_refused_command_moves_nothing(servo):
    assert not servo.command((np.nan, 0.0), 0.0, 0.2, 0.0).accepted
    assert not servo.command((0.01, 0.0), 0.0, 0.2, 10.0).accepted
    run(servo, 0.0, 5)
    assert math.dist(servo.setpoint, HOME) < 1e-6


@pytest.mark.parametrize('with_command', [False, True])
def test_after_a_stall_the_motion_resumes_without_catching_up(servo, with_command):
    servo.step(0.0, DT, servo.setpoint)
    servo.command((0.04, 0.0), 0.0, 0.2, 0.0)
    t, _ = run(servo, 0.0, 10)
    before = servo.setpoint
    t += 1.0
    if with_command:
        servo.command((0.0, 0.0), t, 0.1, 0.0)
    step = servo.step(t, DT, servo.setpoint)
    assert math.dist(before, step.setpoint_xy) <= 0.002 + 1e-9
    run(servo, t, 20)
    np.testing.assert_allclose(servo.setpoint, HOME + np.array((0.04, 0.0)), atol=1e-6)


def test_the_setpoint_waits_for_a_tool_that_is_held_and_slides_around_it(kinematics):
    gate = SafetyGate(LIMITS, DEFAULT_WORKSPACE)
    servo = PlanarServo(kinematics, gate, DEFAULT_WORKSPACE)
    servo.start(xarm6.HOME_Q)
    t = 0.0
    for _ in range(10):
        servo.command((0.04, 0.0), t, 0.2, 0.0)
        for _ in range(20):
            t += DT
            servo.step(t, DT, HOME)
    limit = LIMITS.max_following_error
    np.testing.assert_allclose(servo.setpoint, (HOME[0] + limit, HOME[1]), atol=1e-6)
    assert gate.interventions['setpoint_waits_for_tool'] > 100
    servo.command((-0.06, 0.0), t, 0.2, 0.0)  # back is a way out at once
    servo.command((-0.06, 0.03), t, 0.2, 0.0)
    for _ in range(40):
        t += DT
        servo.step(t, DT, HOME)
    assert math.dist(servo.setpoint, servo.goal) < 1e-9
    assert math.dist(servo.setpoint, HOME) < limit


def test_a_tool_that_is_set_free_is_followed_at_the_allowed_speed(servo):
    servo.command((0.06, 0.0), 0.0, 0.2, 0.0)
    t = 0.0
    for _ in range(40):
        t += DT
        servo.step(t, DT, HOME)
    t, steps = run(servo, t, 30)
    moves = np.diff([step.setpoint_xy[0] for step in steps])
    assert 0 < moves.max() <= LIMITS.max_tcp_speed * DT * (1 + 1e-6)
    np.testing.assert_allclose(servo.setpoint, (HOME[0] + 0.06, HOME[1]), atol=1e-6)


def test_the_setpoint_comes_back_to_a_tool_that_was_pushed_away(servo):
    t, away = 0.0, np.array((HOME[0], HOME[1] + 0.08))
    for _ in range(50):
        t += DT
        servo.step(t, DT, away)
    back = away - np.array((0.0, LIMITS.max_following_error))
    np.testing.assert_allclose(servo.setpoint, back, atol=1e-6)


def test_hold_forgets_the_goal(servo):
    servo.command((0.04, 0.0), 0.0, 0.2, 0.0)
    t, _ = run(servo, 0.0, 5)
    here = servo.setpoint
    servo.hold(t)
    run(servo, t, 20)
    assert (servo.setpoint == here).all()
    assert not servo.moving


def test_goto_arrives_at_the_given_speed(servo):
    servo.step(0.0, DT, servo.setpoint)
    servo.goto((0.44, 0.0), 0.0, 0.1)
    t, _ = run(servo, 0.0, 100)
    assert servo.setpoint[0] == pytest.approx(0.34, abs=2e-3)
    assert servo.moving
    run(servo, t, 110)
    assert not servo.moving
    np.testing.assert_allclose(servo.setpoint, (0.44, 0.0), atol=1e-9)


@pytest.mark.parametrize('interpolation', Interpolation)
@pytest.mark.parametrize('away', [0.0, 5e-7, 0.02])
def test_goto_ends_however_near_the_point_was(kinematics, interpolation, away):
    gate = SafetyGate(LIMITS, DEFAULT_WORKSPACE)
    servo = PlanarServo(kinematics, gate, DEFAULT_WORKSPACE, interpolation)
    servo.start(xarm6.HOME_Q)
    servo.goto(servo.setpoint + np.array((away, 0.0)), 0.0, 0.1)
    run(servo, 0.0, 60)
    assert not servo.moving


@pytest.mark.parametrize(
    ('q', 'message'),
    [
        (np.zeros(6), 'from its plane'),
        (xarm6.HOME_Q + np.array((0, 0, 0, 0, 0.2, 0)), 'pointing'),
        (xarm6.HOME_Q + np.array((1.5, 0, 0, 0, 0, 1.5)), 'outside the workspace'),
    ],
)
def test_start_elsewhere_is_refused_with_the_remedy(kinematics, q, message):
    servo = PlanarServo(kinematics, SafetyGate(LIMITS, DEFAULT_WORKSPACE), DEFAULT_WORKSPACE)
    with pytest.raises(PlanarArmError, match=f'{message}.*home'):
        servo.start(q)


def test_stepping_before_start_is_refused(kinematics):
    servo = PlanarServo(kinematics, SafetyGate(LIMITS, DEFAULT_WORKSPACE), DEFAULT_WORKSPACE)
    with pytest.raises(PlanarArmError, match='not started'):
        servo.step(0.0, DT, servo.setpoint)
