"""The driver without ROS: real SDK, emulated controller, its own thread and clock."""

import math
import time
from importlib import resources

import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.safety import load_safety_limits
from planar_arm.workspace import DEFAULT_WORKSPACE
from waiting import wait_for
from xarm_planar_driver.arbitration import LET_GO, Command, Source
from xarm_planar_driver.driver import PlanarDriver
from xarm_planar_driver.driver_status import Level
from xarm_planar_driver.errors import ArmError
from xarm_planar_driver.phases import Phase, Request
from xarm_twin.controller import EmulatedController, LagPlant


@pytest.fixture
def active(emulator, connect):
    under_test = connect(emulator)
    assert under_test.ask(Request.ENABLE).success
    assert wait_for(lambda: under_test.newest.setpoint_xy is not None)
    return under_test


def test_measures_before_it_may_move(emulator, connect):
    under_test = connect(emulator)
    np.testing.assert_allclose(under_test.newest.q, xarm6.HOME_Q, atol=1e-5)
    assert under_test.newest.setpoint_xy is None
    assert under_test.driver.phase is Phase.IDLE
    assert under_test.driver.status().judge()[0] is Level.WARN


def test_from_anywhere_it_goes_home_slowly(connect):
    with EmulatedController(LagPlant(np.array([0.4, -0.6, -0.5, 0.1, 1.0, 0.2]))) as emulator:
        under_test = connect(emulator)
        outcome = under_test.ask(Request.ENABLE)
        assert outcome.success
        assert outcome.message == 'at home'
        assert under_test.settles_at(0.0, 0.0)
        path = np.array([report.q for report in under_test.reports])
        stamps = np.array([report.measured_ns for report in under_test.reports]) * 1e-9
        assert path.shape[0] > 50
        # Home speed 1 rad/s; generous, as ticks and readings jitter.
        spans = np.maximum(np.diff(stamps[::20]), 0.1)
        assert (np.abs(np.diff(path[::20], axis=0)).max(axis=1) / spans).max() < 2.0
        heights = [report.tcp.position[2] for report in under_test.reports]
        assert min(heights) > DEFAULT_WORKSPACE.tool_height - 0.004


def test_on_the_plane_it_goes_home_in_the_plane(active):
    def is_led_away():
        active.move(0.002, 0.002)
        return math.dist(active.newest.setpoint_xy, xarm6.HOME_XY) > 0.1

    assert wait_for(is_led_away)
    assert active.ask(Request.DISABLE).success
    count = len(active.reports)
    assert active.ask(Request.ENABLE).success
    assert active.settles_at(0.0, 0.0)
    for report in active.reports[count:]:
        assert report.tcp.position[2] == pytest.approx(DEFAULT_WORKSPACE.tool_height, abs=2e-3)


def test_the_setpoint_moves_by_the_sum_and_the_arm_follows(active):
    for _ in range(10):
        active.move(0.004, -0.002)
        time.sleep(0.05)
    assert active.settles_at(0.04, -0.02), active.newest
    assert not active.interventions


def test_consecutive_setpoints_keep_the_speed(active):
    for _ in range(6):
        active.move(0.05, 0.0)
        time.sleep(0.2)
    assert wait_for(lambda: active.newest.setpoint_xy[0] > 0.4)
    points = np.array([r.setpoint_xy for r in active.reports if r.setpoint_xy is not None])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    assert steps.max() <= load_safety_limits().max_tcp_speed * 0.01 * 1.001


def test_jerk_limited_interpolation_keeps_the_acceleration(emulator, connect):
    under_test = connect(emulator, interpolation='jerk_limited')
    assert under_test.ask(Request.ENABLE).success
    for _ in range(5):
        under_test.move(0.015, 0.01)
        time.sleep(0.2)
    assert under_test.settles_at(0.075, 0.05), under_test.newest
    points = np.array([r.setpoint_xy for r in under_test.reports if r.setpoint_xy is not None])
    acceleration = np.linalg.norm(np.diff(points, n=2, axis=0), axis=1) / 0.01**2
    assert 0.5 < acceleration.max() <= load_safety_limits().max_tcp_acceleration * 1.001


def test_a_lost_command_ends_in_a_hold(active):
    active.move(0.02, 0.0)
    assert active.settles_at(0.02, 0.0)
    time.sleep(0.5)
    assert active.settles_at(0.02, 0.0)


def test_the_policy_is_ignored_while_a_person_steers(emulator, connect):
    active = connect(emulator, teleop_hold=10.0)
    assert active.ask(Request.ENABLE).success
    active.move(0.01, 0.0, Source.TELEOP)
    assert active.settles_at(0.01, 0.0)
    active.move(0.0, 0.05, Source.POLICY)
    assert wait_for(lambda: active.driver.status().ignored == {'policy_while_teleop': 1})
    assert active.settles_at(0.01, 0.0)


def test_the_policy_may_act_when_the_person_lets_go(emulator, connect):
    under_test = connect(emulator, teleop_hold=0.1)
    assert under_test.ask(Request.ENABLE).success
    under_test.move(0.01, 0.0, Source.TELEOP)
    assert under_test.settles_at(0.01, 0.0)
    time.sleep(0.2)
    under_test.move(0.0, 0.01, Source.POLICY)
    assert under_test.settles_at(0.01, 0.01)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_and_counted(active, bad):
    active.move(bad, 0.0)
    assert wait_for(lambda: active.interventions == {'command_not_finite': 1})
    active.move(0.01, 0.0)
    assert active.settles_at(0.01, 0.0)


def test_stale_commands_are_refused_and_counted(active):
    old = time.time_ns() - 2_000_000_000
    active.driver.submit(Command(Source.TELEOP, np.array((0.01, 0.0)), old))
    assert wait_for(lambda: active.interventions == {'command_stale': 1})
    assert active.settles_at(0.0, 0.0)


def test_the_workspace_is_not_left(active):
    for _ in range(5):
        active.move(-0.04, 0.0)
        time.sleep(0.03)
    assert active.settles_at(-0.04, 0.0)
    assert active.interventions['goal_outside_workspace'] > 0


def test_stop_latches_until_reset_which_resumes_where_the_arm_is(active, emulator):
    active.move(0.03, 0.0)
    assert active.settles_at(0.03, 0.0)
    assert active.ask(Request.STOP).success
    assert active.driver.phase is Phase.STOPPED
    assert active.driver.status().judge()[0] is Level.ERROR
    assert emulator.state.snapshot().state == 4
    for request in (Request.ENABLE, Request.HOME):
        outcome = active.ask(request)
        assert not outcome.success
        assert 'arm/stop was called' in outcome.message
    active.move(0.03, 0.0)
    assert wait_for(lambda: active.driver.status().ignored == {'teleop_while_stopped': 1})
    assert active.ask(Request.RESET).success
    assert active.settles_at(0.03, 0.0, within=1e-3)
    time.sleep(LET_GO)
    active.move(0.01, 0.0)
    assert active.settles_at(0.04, 0.0, within=1e-3)


def test_home_answers_when_the_tool_is_there(active):
    active.move(0.04, 0.04)
    assert active.settles_at(0.04, 0.04)
    assert active.ask(Request.HOME).message == 'at home'
    assert math.dist(active.newest.tcp.position[:2], xarm6.HOME_XY) < 1e-2  # it lags
    assert active.settles_at(0.0, 0.0)


def test_stop_ends_a_way_home_and_says_so(active):
    active.move(0.04, 0.04)
    assert active.settles_at(0.04, 0.04)
    going = active.driver.request(Request.HOME)
    assert active.ask(Request.STOP).success
    outcome = going.result(30.0)
    assert not outcome.success
    assert 'stopped' in outcome.message


def test_a_controller_error_stops_and_latches(active, emulator):
    emulator.state.fault(31)
    assert wait_for(lambda: active.driver.phase is Phase.STOPPED)
    level, message = active.driver.status().judge()
    assert level is Level.ERROR
    assert 'C31' in message
    assert active.ask(Request.RESET).success
    assert active.driver.phase is Phase.ACTIVE


def test_another_client_that_changes_the_mode_stops_the_driver(active, emulator):
    time.sleep(0.6)
    emulator.state.set_mode(0)
    emulator.state.set_state(0)
    assert wait_for(lambda: active.driver.phase is Phase.STOPPED)


def test_a_frozen_link_is_gone_after_a_while(emulator, cable, connect, monkeypatch):
    monkeypatch.setattr('xarm_planar_driver.servo_loop.LONGEST_SILENCE', 0.5)
    under_test = connect(emulator, control_port=cable.port)
    assert under_test.ask(Request.ENABLE).success
    cable.frozen.set()
    assert wait_for(lambda: under_test.driver.phase is Phase.STOPPED)
    said = under_test.driver.status().reason
    assert 'did not answer' in said
    assert said.endswith('check power and cable; trying to connect again')
    assert '\n' not in said
    assert under_test.ask(Request.RESET).message.startswith('the driver is not connected')


def test_a_short_freeze_is_survived(emulator, cable, connect):
    under_test = connect(emulator, control_port=cable.port)
    assert under_test.ask(Request.ENABLE).success
    cable.frozen.set()
    time.sleep(0.15)
    cable.frozen.clear()
    under_test.move(0.02, 0.0)
    assert under_test.settles_at(0.02, 0.0)
    assert not under_test.ended


def test_a_dropped_connection_is_opened_again_and_waits_for_a_person(active, emulator):
    emulator.drop_connections()
    assert wait_for(lambda: active.driver.status().reason.endswith('was lost'))
    assert emulator.state.snapshot().state == 4
    assert active.driver.phase is Phase.STOPPED
    assert active.ask(Request.RESET).success
    time.sleep(LET_GO)
    active.move(0.02, 0.0)
    assert active.settles_at(0.02, 0.0, within=1e-3)
    assert not active.ended


def test_while_the_arm_is_gone_nothing_is_promised_and_closing_works(active, emulator):
    emulator.stop()
    assert wait_for(lambda: active.driver.phase is Phase.STOPPED)
    for request in (Request.STOP, Request.RESET, Request.HOME):
        assert 'use the emergency stop' in active.ask(request).message
    begin = time.monotonic()
    active.driver.close()
    assert time.monotonic() - begin < 10.0
    assert not active.ended


def test_a_bug_in_a_tick_stops_the_arm_and_is_told(active, emulator, monkeypatch):
    def tick(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(active.driver._motion, 'tick', tick)
    assert wait_for(lambda: bool(active.ended))
    assert isinstance(active.ended[0], ZeroDivisionError)
    assert wait_for(lambda: emulator.state.snapshot().state == 4)


def test_enabling_does_not_wait_for_the_way_home(connect):
    with EmulatedController(LagPlant(np.array([0.4, -0.6, -0.5, 0.1, 1.0, 0.2]))) as emulator:
        under_test = connect(emulator)
        at_home = under_test.driver.enable(10.0)
        assert under_test.driver.phase is Phase.HOMING
        assert at_home.result(30.0).message == 'at home'


def test_an_arm_that_refuses_to_be_enabled_says_why(emulator, connect):
    under_test = connect(emulator)
    emulator.state.press_emergency_stop()
    with pytest.raises(ArmError, match=r'is not ready: .*C1 '):
        under_test.driver.enable(10.0)
    assert under_test.driver.phase is Phase.STOPPED


def test_an_arm_that_does_not_get_enabled_in_time(emulator, connect):
    with pytest.raises(ArmError, match='not enabled within 0 s'):
        connect(emulator).driver.enable(0.0)


def test_closing_leaves_the_arm_stopped(active, emulator):
    active.driver.close()
    assert emulator.state.snapshot().state == 4
    assert not active.ask(Request.HOME).success


def test_without_limits_it_does_not_drive(emulator, tmp_path, config_for):
    path = tmp_path / 'limits.yaml'
    path.write_text('max_tcp_speed: 0.1\n')
    with pytest.raises(ArmError, match='will not drive without limits'):
        PlanarDriver(config_for(emulator, safety_limits=str(path)), print, print)


def test_which_limits_are_in_force_is_told(emulator, connect, tmp_path, caplog):
    shipped = resources.files('planar_arm').joinpath('safety_limits.yaml').read_text()
    path = tmp_path / 'limits.yaml'
    path.write_text(shipped.replace('max_tcp_speed: 0.25', 'max_tcp_speed: 0.05'))
    caplog.set_level('INFO')
    values = connect(emulator, safety_limits=str(path)).driver.status().values()
    assert (values['safety_limits'], values['max_tcp_speed']) == (str(path), '0.05')
    assert f'safety limits: {path}, the tool at 0.05 m/s at most' in caplog.text
    values = connect(emulator).driver.status().values()
    assert (values['safety_limits'], values['max_tcp_speed']) == ('shipped', '0.25')


def test_status_shows_the_loop_and_the_arm(active):
    assert wait_for(lambda: 'arm_mode' in active.driver.status().values())
    time.sleep(0.5)
    values = active.driver.status().values()
    assert values['arm_error'] == 0
    assert values['phase'] == 'active'
    assert float(str(values['rate_hz'])) > 20.0
