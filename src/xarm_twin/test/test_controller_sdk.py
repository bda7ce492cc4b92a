"""The vendor's own SDK, unmodified, against the emulated controller."""

import os
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from xarm.core.config.x_config import XCONF
from xarm.core.utils.log import logger
from xarm.wrapper import XArmAPI

from waiting import wait_for
from xarm_twin.controller import EmulatedController, LagPlant

logger.setLevel(logger.CRITICAL)

# The SDK decodes reports by the vendor's port numbers, so every emulator has its own address.
VENDOR_REPORT_PORTS = {'normal': 30001, 'rich': 30002, 'real': 30003}
HOSTS = (f'127.{1 + os.getpid() // 250 % 250}.{os.getpid() % 250}.{n}' for n in range(1, 255))


class Bench:
    """One emulator and the SDK clients that a test connects to it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arm = LagPlant()
        self.controller = EmulatedController(
            self.arm, next(HOSTS), report_ports=VENDOR_REPORT_PORTS
        )
        self._monkeypatch = monkeypatch
        self._clients: list[XArmAPI] = []

    def connect(self, report_type: str = 'real') -> XArmAPI:
        # The vendor's control port needs root.
        self._monkeypatch.setattr(XCONF.SocketConf, 'TCP_CONTROL_PORT', self.controller.port)
        client = XArmAPI(
            self.controller.host, is_radian=True, report_type=report_type, forbid_uds=True
        )
        client.set_timeout(2.0)
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            # Takes the SDK a second, which nobody needs to wait for.
            threading.Thread(target=client.disconnect, daemon=True).start()
        self.controller.stop()


@pytest.fixture
def make_bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Bench]]:
    benches: list[Bench] = []

    def make() -> Bench:
        benches.append(Bench(monkeypatch))
        benches[-1].controller.start()
        return benches[-1]

    yield make
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[[], Bench]) -> Bench:
    return make_bench()


def bring_up(api: XArmAPI) -> list[int]:
    return [
        api.clean_error(),
        api.clean_warn(),
        api.motion_enable(True),
        api.set_mode(1),
        api.set_state(0),
    ]


def stream(api: XArmAPI, points: int, step: float = 0.002, joint: int = 0) -> list[int]:
    """Stream `points` small steps of one joint from where the arm is; return the codes."""
    q = api.get_servo_angle(is_real=True)[1][:6]
    codes = []
    for _ in range(points):
        q[joint] += step
        codes.append(api.set_servo_angle_j(q))
        time.sleep(0.01)
    return codes


def test_bring_up_and_a_stream_of_points(bench: Bench) -> None:
    api = bench.connect()
    assert bring_up(api) == [0] * 5
    assert api.get_state()[1] in (1, 2)
    assert api.get_err_warn_code() == (0, [0, 0])
    assert stream(api, 100) == [0] * 100
    assert wait_for(lambda: abs(api.get_servo_angle(is_real=True)[1][0] - 0.2) < 1e-4)
    code, (positions, velocities, _) = api.get_joint_states(num=3)
    assert code == 0
    assert positions[0] == pytest.approx(0.2, abs=1e-4)
    assert velocities[0] == pytest.approx(0.0, abs=1e-2)
    assert wait_for(lambda: abs(api.angles[0] - 0.2) < 1e-4)
    assert (api.mode, api.version_number) == (1, (2, 5, 5))


def test_servo_commands_before_bring_up_are_not_ready(bench: Bench) -> None:
    api = bench.connect()
    assert api.set_servo_angle_j([0.0] * 6) == 9
    np.testing.assert_array_equal(bench.arm.joint_positions(), np.zeros(6))


def test_fault_stops_the_stream_until_recovered(bench: Bench) -> None:
    api = bench.connect()
    bring_up(api)
    stream(api, 10)
    bench.controller.state.fault(31)
    assert set(stream(api, 5)) == {1}
    assert api.get_err_warn_code() == (0, [31, 0])
    assert api.get_state() == (0, 4)
    held = bench.arm.joint_positions()[0]

    assert api.clean_error() == 0
    assert api.set_servo_angle_j([held, 0, 0, 0, 0, 0]) == 9
    assert bring_up(api) == [0] * 5
    assert set(stream(api, 20)) == {0}
    assert wait_for(lambda: bench.arm.joint_positions()[0] > held + 0.03)


def test_a_jump_faults_with_the_speed_error(bench: Bench) -> None:
    api = bench.connect()
    bring_up(api)
    assert api.set_servo_angle_j([1.0, 0, 0, 0, 0, 0]) == 1
    assert api.get_err_warn_code()[1][0] == 24
    assert abs(bench.arm.joint_positions()[0]) < 1e-6


def test_stop_state_refuses_commands_and_keeps_the_arm(bench: Bench) -> None:
    api = bench.connect()
    bring_up(api)
    stream(api, 5)
    assert api.set_state(4) == 0
    assert set(stream(api, 3)) == {9}


def test_error_code_reaches_the_client_through_normal_reports(bench: Bench) -> None:
    api = bench.connect('normal')
    bring_up(api)
    bench.controller.state.fault(31)
    assert wait_for(lambda: api.error_code == 31)


def test_rich_reports_carry_the_safety_settings(bench: Bench) -> None:
    api = bench.connect('rich')
    bring_up(api)
    assert api.set_reduced_tcp_boundary([700, 100, 300, -300, 500, 0]) == 0
    assert api.set_fence_mode(True) == [0]  # the SDK returns a list here
    assert api.set_tcp_load(0.3, [0, 0, 60]) == 0
    assert api.set_linear_spd_limit_factor(1.0) == 0
    assert wait_for(lambda: bool(api.is_fence_mode))
    code, reduced = api.get_reduced_states()
    assert code == 0
    assert reduced[1] == [700, 100, 300, -300, 500, 0]
    assert reduced[5] == 1
    assert api.tcp_load == [pytest.approx(0.3), [0, 0, 60]]
    assert bench.controller.state.settings.linear_speed_factor == pytest.approx(1.0)


def test_collision_sensitivity_resets_the_mode(bench: Bench) -> None:
    api = bench.connect('normal')
    bring_up(api)
    assert api.set_collision_sensitivity(2) == 0
    assert wait_for(lambda: api.collision_sensitivity == 2)
    assert api.set_servo_angle_j([0.0] * 6) == 9


def test_position_move_waits_until_it_is_done(bench: Bench) -> None:
    api = bench.connect('rich')
    api.motion_enable(True)
    api.set_mode(0)
    api.set_state(0)
    assert api.set_servo_angle(angle=[0.3, 0, 0, 0, 0, 0], speed=1.0, wait=True) == 0
    assert bench.arm.joint_positions()[0] == pytest.approx(0.3, abs=1e-3)
    assert api.get_cmdnum() == (0, 0)


def test_client_helpers_agree_with_the_controller(bench: Bench) -> None:
    api = bench.connect()
    code, pose = api.get_forward_kinematics([0.0] * 6)
    assert code == 0
    assert api.get_position()[1][:3] == pytest.approx(pose[:3], abs=1e-3)
    assert api.is_joint_limit([0.0, 2.5, 0, 0, 0, 0]) == (0, True)
    assert api.is_joint_limit([0.0] * 6) == (0, False)
    assert api.get_robot_sn()[1].startswith('XI1302')


def test_two_controllers_do_not_share_anything(make_bench: Callable[[], Bench]) -> None:
    one, other = make_bench(), make_bench()
    first, second = one.connect(), other.connect()
    bring_up(first)
    bring_up(second)
    assert set(stream(first, 10)) == {0}
    one.controller.state.fault(31)
    assert set(stream(second, 10, joint=5)) == {0}
    assert wait_for(lambda: other.arm.joint_positions()[5] > 0.019)
    assert other.arm.joint_positions()[0] == 0.0
    assert other.controller.state.snapshot().error == 0


def test_client_notices_that_the_controller_is_gone(bench: Bench) -> None:
    api = bench.connect()
    bring_up(api)
    bench.controller.stop()
    assert wait_for(lambda: not api.connected)
    assert api.set_servo_angle_j([0.0] * 6) == -1
