"""Whatever is commanded, whenever the ticks come: what goes to the arm keeps the limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planar_arm import xarm6
from planar_arm.errors import PlanarArmError
from planar_arm.kinematics import POSITION_TOLERANCE, Xarm6Kinematics
from planar_arm.safety import SAME_POINT, SafetyGate, SafetyLimits, load_safety_limits
from planar_arm.servo import PlanarServo
from planar_arm.setpoint_motion import Interpolation
from planar_arm.workspace import DEFAULT_WORKSPACE

DT = 0.01
LIMITS = load_safety_limits()
LARGEST = SafetyLimits(
    max_tcp_speed=xarm6.MAX_TCP_SPEED,
    max_tcp_acceleration=50.0,
    max_tcp_jerk=10_000.0,
    max_joint_speed=xarm6.MAX_JOINT_SPEED,
    max_delta=0.2,
    max_lead=0.5,
    max_following_error=0.1,
    max_joint_error=0.5,
    max_height_error=0.009,
    max_command_age=5.0,
)
CORNERS = [np.array(corner) for corner in DEFAULT_WORKSPACE.polygon]

anything = st.floats(allow_nan=True, allow_infinity=True)
ordinary = st.floats(-0.06, 0.06)
points = st.one_of(st.tuples(ordinary, ordinary), st.tuples(anything, anything))
finite = st.floats(-1e3, 1e3)
moves = st.tuples(
    st.just('command'),
    points,
    st.one_of(st.floats(0.0, 0.3), st.floats(0.0, 1e6)),  # duration
    st.one_of(st.just(0.0), anything),  # age
)
events = st.one_of(
    moves,
    st.tuples(st.just('goto'), st.tuples(finite, finite), st.floats(1e-3, 1e3)),
    st.tuples(st.just('hold')),
)
# How the clock of the ticks goes on before an event: on time, late, far too late, back.
gaps = st.sampled_from([0.0, 0.0, 0.004, 0.03, 0.5, 3600.0, -0.02, -5.0])
# Where the tool is measured during the ticks: it follows, or it is held, thrown or not measured.
measured = st.one_of(finite, st.sampled_from([math.nan, math.inf]))
tools = st.one_of(st.none(), st.none(), st.tuples(measured, measured))
histories = st.lists(st.tuples(gaps, events, st.integers(1, 25), tools), min_size=1, max_size=10)


@pytest.fixture(scope='module')
def kinematics():
    solver = Xarm6Kinematics()
    yield solver
    solver.close()


def make_servo(kinematics, interpolation=Interpolation.LINEAR, q=xarm6.HOME_Q):
    gate = SafetyGate(LIMITS, DEFAULT_WORKSPACE)
    servo = PlanarServo(kinematics, gate, DEFAULT_WORKSPACE, interpolation)
    servo.start(q)
    return servo


@pytest.fixture(scope='module')
def starts(kinematics):
    """Joint positions at home and close to each corner of the workspace."""
    found = [xarm6.HOME_Q]
    for corner in CORNERS:
        q = xarm6.HOME_Q
        for share in np.linspace(0.0, 0.999, 20):
            q = kinematics.planar(xarm6.HOME_XY + share * (corner - xarm6.HOME_XY), q)
        found.append(q)
    return found


class WatchedSteps:
    """Looks at everything that a servo commands."""

    def __init__(self, kinematics, limits, interpolation, q):
        self._kinematics, self._limits = kinematics, limits
        self._gate = SafetyGate(limits, DEFAULT_WORKSPACE)
        self.servo = PlanarServo(kinematics, self._gate, DEFAULT_WORKSPACE, interpolation)
        self.servo.start(q)
        self._is_smooth = interpolation is Interpolation.JERK_LIMITED
        self._q, self._points = q, [self.servo.setpoint] * 3
        self._for_joints = [0, 0]

    def step(self, t, tool):
        limits, before = self._limits, self._points[-1]
        step = self.servo.step(t, DT, before if tool is None else tool)
        assert np.isfinite(step.q_command).all()
        assert (step.q_command >= xarm6.JOINT_LOWER).all()
        assert (step.q_command <= xarm6.JOINT_UPPER).all()
        assert np.abs(step.q_command - self._q).max() <= limits.max_joint_speed * DT * 1.001
        assert math.dist(before, step.setpoint_xy) <= limits.max_tcp_speed * DT * 1.001
        assert DEFAULT_WORKSPACE.contains(step.setpoint_xy, margin=-1e-9)
        pose = self._kinematics.forward(step.q_command)
        assert DEFAULT_WORKSPACE.contains(pose.position[:2], margin=-POSITION_TOLERANCE)
        assert abs(pose.position[2] - DEFAULT_WORKSPACE.tool_height) <= POSITION_TOLERANCE
        self._q = step.q_command
        self._points = [*self._points[1:], step.setpoint_xy]
        self._for_joints.append(self._gate.interventions['setpoint_slowed_for_joints'])
        # Where the arm is almost stretched, it is its joints that brake.
        if self._is_smooth and self._for_joints[-1] == self._for_joints[-3]:
            acceleration = np.linalg.norm(np.diff(self._points, n=2, axis=0)) / DT**2
            assert acceleration <= limits.max_tcp_acceleration * 1.001 + 2 * SAME_POINT / DT**2


@pytest.mark.parametrize('limits', [LIMITS, LARGEST], ids=['shipped', 'largest allowed'])
@pytest.mark.parametrize('interpolation', Interpolation)
@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, len(CORNERS)), history=histories)
def test_no_history_leaves_the_limits(kinematics, starts, interpolation, limits, place, history):
    watched, t = WatchedSteps(kinematics, limits, interpolation, starts[place]), 0.0
    for gap, event, ticks, tool in history:
        t += gap
        happen(watched.servo, event, t)
        for _ in range(ticks):
            t += DT
            watched.step(t, tool)


def happen(servo, event, t):
    name, *arguments = event
    if name == 'command':
        delta, duration, age = arguments
        servo.command(delta, t, duration, age)
    elif name == 'goto':
        servo.goto(arguments[0], t, arguments[1])
    else:
        servo.hold(t)


@pytest.mark.parametrize('interpolation', Interpolation)
@settings(max_examples=40, deadline=None)
@given(burst=st.lists(moves, max_size=20))
def test_a_burst_moves_the_goal_by_what_was_admitted_and_never_far(
    kinematics, interpolation, burst
):
    servo = make_servo(kinematics, interpolation)
    servo.start(xarm6.HOME_Q)
    servo.step(0.0, DT, xarm6.HOME_XY)
    for _, delta, duration, age in burst:
        goal = servo.goal
        admission = servo.command(delta, 0.0, duration, age)
        np.testing.assert_allclose(servo.goal, goal + admission.delta, atol=1e-12)
        assert DEFAULT_WORKSPACE.contains(servo.goal, margin=-1e-9)
        assert math.dist(servo.goal, servo.setpoint) <= LIMITS.max_lead * (1 + 1e-9)
        if not (np.isfinite(delta).all() and age <= LIMITS.max_command_age):
            assert not admission.accepted
            assert not admission.delta.any()


@pytest.mark.parametrize('interpolation', Interpolation)
@settings(max_examples=40, deadline=None)
@given(held=st.sampled_from([xarm6.HOME_XY, (0.4, 0.1)]), history=histories)
def test_no_history_takes_the_setpoint_far_from_a_tool_that_is_held(
    kinematics, interpolation, held, history
):
    servo = make_servo(kinematics, interpolation, kinematics.planar(held, xarm6.HOME_Q))
    t = 0.0
    for gap, event, ticks, _ in history:
        t += gap
        happen(servo, event, t)
        for _ in range(ticks):
            t += DT
            step = servo.step(t, DT, held)
            assert math.dist(step.setpoint_xy, held) <= LIMITS.max_following_error + 2 * SAME_POINT


@given(q=st.lists(anything, min_size=6, max_size=6))
@settings(max_examples=40, deadline=None)
def test_it_starts_from_a_sound_pose_or_not_at_all(kinematics, q):
    servo = PlanarServo(kinematics, SafetyGate(LIMITS, DEFAULT_WORKSPACE), DEFAULT_WORKSPACE)
    with pytest.raises(PlanarArmError):
        servo.start(q)
    with pytest.raises(PlanarArmError, match='not started'):
        servo.step(0.0, DT, xarm6.HOME_XY)
    servo.start(xarm6.HOME_Q)  # nothing of it is left in the model of the arm
    step = servo.step(0.0, DT, xarm6.HOME_XY)
    np.testing.assert_allclose(step.q_command, xarm6.HOME_Q, atol=1e-6)
