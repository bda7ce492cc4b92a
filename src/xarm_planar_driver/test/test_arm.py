import contextlib
import math
import os
import signal
import socket
import threading
import time

import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.fence import Fence
from planar_arm.safety import load_safety_limits
from waiting import wait_for
from xarm_planar_driver.arm import XarmArm, describe_error
from xarm_planar_driver.errors import ArmError, ArmFault, ArmLost, ArmSilent
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.safeguards import Safeguards
from xarm_planar_driver.status_reports import StatusReports
from xarm_twin.controller import EmulatedController, Identity, LagPlant
from xarm_twin.controller.firmware import Warn

FENCE = Fence((0.15, -0.3, 0.02), (0.65, 0.3, 0.2))


def safeguards_at(q: np.ndarray) -> Safeguards:
    return Safeguards.around(q, FENCE, load_safety_limits(), sensitivity=4)


@pytest.fixture
def reports(emulator):
    listener = StatusReports(emulator.host, emulator.report_ports['normal'])
    listener.start()
    yield listener
    listener.close()


@pytest.fixture
def arm(emulator, reports):
    connected = XarmArm(emulator.host, emulator.port, reports)
    connected.connect()
    yield connected
    connected.disconnect()


def test_streams_in_servo_mode_and_reads_what_is_measured(arm, emulator):
    arm.enable(safeguards_at, clear_errors=True)
    target = xarm6.HOME_Q + 0.002
    arm.send_joints(target)

    def there():
        positions, velocities = arm.joint_states()
        return np.abs(positions - target).max() < 1e-5 and np.abs(velocities).max() < 1e-3

    assert wait_for(there)
    assert emulator.state.snapshot().mode == 1


def test_enabling_clears_an_old_error_only_when_told_and_does_not_move(arm, emulator):
    emulator.state.fault(31)
    with pytest.raises(ArmFault, match='not ready: controller error C31'):
        arm.enable(safeguards_at, clear_errors=False)
    assert emulator.state.snapshot().error == 31
    arm.enable(safeguards_at, clear_errors=True)
    np.testing.assert_allclose(arm.joint_states()[0], xarm6.HOME_Q, atol=1e-5)


def test_stop_makes_the_arm_refuse_until_enabled_again(arm):
    arm.enable(safeguards_at, clear_errors=True)
    arm.stop()
    with pytest.raises(ArmFault, match='refused to move: controller state 4'):
        arm.send_joints(xarm6.HOME_Q)
    arm.enable(safeguards_at, clear_errors=True)
    arm.send_joints(xarm6.HOME_Q)


def test_a_controller_error_is_told_by_number_and_name(arm, emulator):
    arm.enable(safeguards_at, clear_errors=True)
    emulator.state.fault(31)
    with pytest.raises(ArmFault, match=r'C31 \w+'):
        arm.send_joints(xarm6.HOME_Q)


def test_a_step_that_is_too_large_faults_the_controller(arm):
    arm.enable(safeguards_at, clear_errors=True)
    with pytest.raises(ArmFault, match='controller error C'):
        arm.send_joints(xarm6.HOME_Q + np.array((1.0, 0, 0, 0, 0, 0)))


def test_numbers_that_are_not_finite_never_leave(arm):
    arm.enable(safeguards_at, clear_errors=True)
    with pytest.raises(ArmError, match='refused to send'):
        arm.send_joints(np.full(6, np.nan))


def test_a_dropped_connection_is_lost(arm, emulator):
    arm.enable(safeguards_at, clear_errors=True)
    emulator.stop()
    time.sleep(0.5)
    with pytest.raises(ArmLost, match='lost the connection'):
        arm.joint_states()


def test_a_frozen_link_is_silent_after_the_timeout_of_replies_not_of_setting_up(
    cable, reports, monkeypatch
):
    monkeypatch.setattr('xarm_planar_driver.arm.SETUP_TIMEOUT', 60.0)
    arm = XarmArm('127.0.0.1', cable.port, reports)
    arm.connect()
    arm.enable(safeguards_at, clear_errors=True)
    cable.frozen.set()
    begin = time.monotonic()
    with pytest.raises(ArmSilent, match='did not answer'):
        arm.joint_states()
    assert time.monotonic() - begin < 30.0
    cable.frozen.clear()
    arm.joint_states()
    arm.disconnect()


def test_before_connecting_and_after_disconnecting_nothing_works(arm):
    arm.disconnect()
    arm.disconnect()
    with pytest.raises(ArmLost, match='not connected'):
        arm.joint_states()


def test_the_sdk_prints_nothing_and_leaves_the_socket_default_alone(emulator, reports, capfd):
    arm = XarmArm(emulator.host, emulator.port, reports)
    arm.connect()
    arm.enable(safeguards_at, clear_errors=True)
    arm.stop()
    with pytest.raises(ArmFault):
        arm.send_joints(xarm6.HOME_Q)
    arm.disconnect()
    assert capfd.readouterr().out == ''
    assert socket.getdefaulttimeout() is None


def turn(arm: XarmArm, angle: float) -> None:
    """Turn the first joint by `angle` [rad], steadily."""
    q = arm.joint_states()[0]
    for _ in range(round(angle / 0.02)):
        q[0] += 0.02
        arm.send_joints(q)
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as server:
        return server.getsockname()[1]


def test_a_refused_port_is_one_line_with_the_remedy():
    port = free_port()
    with pytest.raises(ArmError, match=f'no xArm at 127.0.0.1:{port}: connection refused; check'):
        XarmArm('127.0.0.1', port).connect()


def test_something_that_listens_but_never_answers_is_not_waited_for_long(monkeypatch):
    monkeypatch.setattr('xarm_planar_driver.arm.SETUP_TIMEOUT', 0.2)
    with (
        socket.create_server(('127.0.0.1', 0)) as mute,
        pytest.raises(ArmError, match='does not answer'),
    ):
        XarmArm('127.0.0.1', mute.getsockname()[1]).connect()


def test_waits_for_a_controller_that_starts_late():
    port = free_port()
    emulators = []

    def start_late():
        time.sleep(0.5)
        emulators.append(EmulatedController(LagPlant(xarm6.HOME_Q), port=port))
        emulators[0].start()

    threading.Thread(target=start_late).start()
    arm = XarmArm('127.0.0.1', port)
    arm.connect(wait=20.0)
    np.testing.assert_allclose(arm.joint_states()[0], xarm6.HOME_Q, atol=1e-5)
    arm.disconnect()
    emulators[0].stop()


def test_an_sdk_that_hangs_is_neither_waited_for_long_nor_deaf_to_signals(emulator, monkeypatch):
    release = threading.Event()

    def hang(*_):
        with contextlib.suppress(BaseException):  # as the SDK does
            release.wait(60)

    monkeypatch.setattr('xarm_planar_driver.sdk._open', hang)
    monkeypatch.setattr('xarm_planar_driver.sdk.SDK_TIMEOUT', 0.2)
    arm = XarmArm(emulator.host, emulator.port)
    with pytest.raises(ArmError, match=r'one question and no more.*restart the controller$'):
        arm.connect()
    monkeypatch.setattr('xarm_planar_driver.sdk.SDK_TIMEOUT', 60.0)
    before = signal.signal(signal.SIGTERM, lambda *_: None)  # elsewhere it is only noted
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            arm.connect()
    finally:
        signal.signal(signal.SIGTERM, before)
        release.set()


def test_an_sdk_that_cannot_connect_is_one_line_with_the_remedy(emulator, monkeypatch):
    def fail(*_, **__):
        raise Exception('failed to check version, close')  # as the SDK does

    monkeypatch.setattr('xarm.wrapper.XArmAPI', fail)
    with pytest.raises(ArmError, match=r'failed to check version.*restart the controller$'):
        XarmArm(emulator.host, emulator.port).connect()


def test_unknown_errors_still_have_a_number():
    assert describe_error(99).startswith('C99')


def test_the_controller_keeps_fence_and_limits_by_itself(arm, emulator):
    arm.enable(safeguards_at, clear_errors=True)
    settings = emulator.state.settings
    assert settings.tcp_boundary == (650, 150, 300, -300, 200, 20)
    assert (settings.fence, settings.reduced_mode, settings.collision_sensitivity) == (1, 1, 4)
    assert settings.reduced_tcp_speed == pytest.approx(250.0)
    assert settings.reduced_joint_speed == pytest.approx(1.5)
    assert settings.tcp_offset[2] == pytest.approx(1e3 * xarm6.TOOL_LENGTH, abs=1e-3)
    assert settings.tcp_load[0] == pytest.approx(xarm6.TOOL_MASS)
    with pytest.raises(ArmFault, match='controller error C35'):
        turn(arm, 1.5)
    assert emulator.state.measured()[0][0] < 1.4


REFUSABLE = {
    'collision_sensitivity': (0, 'the collision sensitivity is 0 instead of 4'),
    'tcp_load': ((0.0,) * 4, r'the payload .* is 0.000, 0.000, .* instead of 0.100, 0.000, 0'),
    'tcp_offset': ((0.0,) * 6, r'the tool offset .* is 0.000, .* instead of 0.000, 0.000, 152.4'),
    'reduced_joint_range': ((-1.0, 1.0) * 7, 'the range of joint1 is -1.000, 1.000 rad instead'),
    'reduced_tcp_speed': (900.0, 'the reduced tool speed is 0.900 instead of 0.250'),
    'reduced_joint_speed': (3.0, 'the reduced joint speed is 3.000 instead of 1.500'),
    'reduced_mode': (0, 'reduced mode is off'),
    'fence': (0, 'the fence is off'),
    'tcp_boundary': ((999, -999) * 3, 'the fence is .999, -999, .* instead of .650, 150'),
}
"""What is there before, and what is said when it stays there."""


@pytest.mark.parametrize('is_silent', [False, True], ids=['with a warning', 'silently'])
@pytest.mark.parametrize('name', REFUSABLE)
def test_whatever_the_controller_does_not_take_keeps_the_arm_disabled(
    arm, emulator, monkeypatch, name, is_silent
):
    before, said = REFUSABLE[name]
    state = emulator.state
    state.configure(**{name: before})

    def refuse(change):
        def configure(**values):
            if name not in values:
                change(**values)
            elif not is_silent:
                state.warn(Warn.BAD_PARAMETER)

        return configure

    for change in ('configure', 'reconfigure'):
        monkeypatch.setattr(state, change, refuse(getattr(state, change)))
    with pytest.raises(ArmFault, match=f'did not take its safety limits: {said}') as caught:
        arm.enable(safeguards_at, clear_errors=True)
    assert caught.value.fault is Fault.LIMITS_NOT_KEPT
    assert '\n' not in str(caught.value)
    assert state.snapshot().enabled == 0


def test_an_arm_that_sends_no_reports_is_not_enabled(arm, emulator, monkeypatch):
    monkeypatch.setattr('xarm_planar_driver.arm.REPORT_WAIT', 0.5)
    emulator.link.freeze_reports(math.inf)
    with pytest.raises(ArmFault, match='sends no status reports') as caught:
        arm.enable(safeguards_at, clear_errors=True)
    assert caught.value.fault is Fault.NO_REPORTS
    assert emulator.state.snapshot().enabled == 0


@pytest.mark.parametrize(
    ('identity', 'said'),
    [
        (Identity(axes=7, device_type=7), 'an arm of 7 joints, not an xArm6'),
        (Identity(device_type=9, arm='LI1003'), "not an xArm6 but says it is '6,9,LI1003"),
        (Identity(firmware='v1.6.0'), 'firmware'),
    ],
)
def test_another_model_is_one_line(identity, said):
    with EmulatedController(LagPlant(xarm6.HOME_Q), identity=identity) as other:
        arm = XarmArm(other.host, other.port)
        with pytest.raises(ArmError, match=said) as caught:
            arm.connect()
        arm.disconnect()
    assert '\n' not in str(caught.value)
