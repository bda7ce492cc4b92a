"""The vendor's SDK as its users use it: degrees, every motion mode, against one controller."""

import os
import time
from collections.abc import Iterator

import numpy as np
import pytest
from xarm.core.config.x_config import XCONF
from xarm.core.utils.log import logger
from xarm.wrapper import XArmAPI
from xarm.x3.report import ReportDataStructure

from planar_arm import xarm6
from xarm_twin.controller import EmulatedController, LagPlant
from xarm_twin.controller.firmware import Fault, State
from xarm_twin.controller.reports import VENDOR_PORTS
from xarm_twin.loopback import receive_exactly

HOST = f'127.{101 + os.getpid() // 250 % 100}.{os.getpid() % 250}.1'
HOME_DEG = np.degrees(xarm6.HOME_Q).tolist()


@pytest.fixture(scope='module')
def controller() -> Iterator[EmulatedController]:
    with EmulatedController(LagPlant(xarm6.HOME_Q), HOST, 0, VENDOR_PORTS) as controller:
        yield controller


@pytest.fixture(scope='module')
def connected(controller: EmulatedController) -> Iterator[XArmAPI]:
    logger.setLevel(60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(XCONF.SocketConf, 'TCP_CONTROL_PORT', controller.port)  # 502 needs root
        api = XArmAPI(HOST, forbid_uds=True)
    yield api
    api.disconnect()


@pytest.fixture
def api(connected: XArmAPI) -> XArmAPI:
    """The client, its arm at rest at home in position mode."""
    enter(connected, 0)
    connected.set_servo_angle(angle=HOME_DEG, speed=150, mvacc=1000, wait=True)
    return connected


def enter(api: XArmAPI, mode: int) -> None:
    """Recover from whatever happened and enter `mode`, as the vendor's examples do."""
    api.clean_error()
    api.clean_warn()
    api.motion_enable(True)
    api.set_mode(mode)
    api.set_state(0)
    time.sleep(0.1)
    while api.error_code:  # the SDK believes its reports, which come every 0.2 s
        time.sleep(0.02)


def position(api: XArmAPI) -> np.ndarray:
    code, pose = api.get_position()
    assert code == 0
    return np.array(pose)


def moved(pose: np.ndarray, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    return pose + np.array((x, y, z, 0.0, 0.0, 0.0))


def settled(api: XArmAPI) -> np.ndarray:
    """The pose after the arm has come to rest."""
    deadline = time.monotonic() + 20.0
    while api.get_state()[1] == State.MOVING and time.monotonic() < deadline:
        time.sleep(0.02)
    return position(api)


def test_position_moves(api: XArmAPI) -> None:
    start = position(api)
    assert api.set_position(z=start[2] + 40, speed=300, wait=True) == 0
    assert api.set_position(x=20, y=30, relative=True, speed=300, wait=True) == 0
    assert api.set_tool_position(z=10, speed=300, wait=True) == 0
    np.testing.assert_allclose(position(api)[:3] - start[:3], (20, 30, 30), atol=0.05)
    code, pose = api.get_position_aa()
    assert code == 0
    assert api.set_position_aa([*pose[:2], pose[2] - 30, *pose[3:]], speed=300, wait=True) == 0
    np.testing.assert_allclose(position(api)[:3] - start[:3], (20, 30, 0), atol=0.05)
    assert api.set_servo_angle(servo_id=1, angle=12.0, speed=100, wait=True) == 0
    assert api.get_servo_angle()[1][0] == pytest.approx(12.0, abs=0.01)
    before = np.array(api.get_servo_angle()[1])
    assert api.set_servo_angle(servo_id=6, angle=15.0, relative=True, speed=100, wait=True) == 0
    turned = np.array(api.get_servo_angle()[1]) - before
    np.testing.assert_allclose(turned, (0, 0, 0, 0, 0, 15, 0), atol=0.01)
    assert api.get_err_warn_code() == (0, [0, 0])


def test_circles(api: XArmAPI) -> None:
    start = position(api)
    through, to = moved(start, 20, 20), moved(start, 0, 40)
    assert api.move_circle(through, to, percent=50, speed=300, wait=True) == 0
    np.testing.assert_allclose(position(api)[:3], to[:3], atol=0.05)


def test_servo_mode_takes_joints_and_poses(api: XArmAPI) -> None:
    enter(api, 1)
    start, codes = position(api), set()
    for step in range(1, 16):
        codes.add(api.set_servo_cartesian(moved(start, step)))
        time.sleep(0.01)
    np.testing.assert_allclose(position(api)[0] - start[0], 15, atol=0.05)
    angles = api.get_servo_angle()[1][:6]
    for step in range(1, 11):
        codes.add(api.set_servo_angle_j([angles[0] + 0.2 * step, *angles[1:]]))
        time.sleep(0.01)
    assert codes == {0}
    assert api.get_servo_angle()[1][0] == pytest.approx(angles[0] + 2.0, abs=0.01)


def test_velocity_modes(api: XArmAPI) -> None:
    enter(api, 4)
    before = api.get_servo_angle()[1][0]
    assert api.vc_set_joint_velocity([40, 0, 0, 0, 0, 0], duration=0.5) == 0
    settled(api)
    assert 10 < api.get_servo_angle()[1][0] - before < 40
    enter(api, 5)
    start = position(api)
    assert api.vc_set_cartesian_velocity([0, 0, 60, 0, 0, 0], duration=0.5) == 0
    time.sleep(0.05)
    moved = settled(api) - start
    assert 15 < moved[2] < 60
    np.testing.assert_allclose(moved[:2], 0.0, atol=0.05)


def test_online_planning_replaces_its_goal(api: XArmAPI) -> None:
    enter(api, 6)
    assert api.set_servo_angle(angle=[30, *HOME_DEG[1:]], speed=80) == 0
    time.sleep(0.15)
    assert api.set_servo_angle(angle=[5, *HOME_DEG[1:]], speed=80) == 0
    settled(api)
    assert api.get_servo_angle()[1][0] == pytest.approx(5.0, abs=0.01)
    enter(api, 7)
    start = position(api)
    assert api.set_position(*moved(start, 60), speed=200) == 0
    time.sleep(0.15)
    goal = moved(start, 0, 30, 10)
    assert api.set_position(*goal, speed=200) == 0
    np.testing.assert_allclose(settled(api)[:3], goal[:3], atol=0.05)


def test_a_command_of_another_mode_is_refused(api: XArmAPI) -> None:
    assert api.set_servo_angle_j(HOME_DEG) == 9
    assert api.vc_set_joint_velocity([10, 0, 0, 0, 0, 0]) == 9
    enter(api, 1)
    start = position(api)
    assert api.set_position(z=10, relative=True) == 9
    np.testing.assert_array_equal(position(api), start)


def test_errors_are_told_and_cleared(api: XArmAPI) -> None:
    assert api.set_position(x=3000, speed=500, wait=True) != 0
    code, (error, _) = api.get_err_warn_code()
    assert (code, error) in ((0, Fault.KINEMATICS), (0, Fault.SPEED))
    assert api.get_state() == (0, 4)
    assert api.set_position(z=10, relative=True) == 1
    enter(api, 0)
    assert api.set_position(z=10, relative=True, wait=True) == 0


def test_a_motion_can_be_stopped_and_paused(api: XArmAPI) -> None:
    start = position(api)
    assert api.set_position(y=150, relative=True, speed=100) == 0
    time.sleep(0.3)
    assert api.set_state(3) == 0
    time.sleep(0.1)
    here = position(api)
    assert 1 < here[1] - start[1] < 149
    time.sleep(0.1)
    np.testing.assert_array_equal(position(api), here)
    assert api.set_state(0) == 0
    time.sleep(0.2)
    assert api.set_state(4) == 0
    assert position(api)[1] < start[1] + 149
    assert api.get_cmdnum() == (0, 0)


def test_a_dry_run_moves_nothing(api: XArmAPI) -> None:
    start = position(api)
    assert api.set_position(x=300, only_check_type=1) == 0
    assert api.set_position(x=3000, only_check_type=1) == 1
    assert api.only_check_result == Fault.KINEMATICS
    np.testing.assert_array_equal(position(api), start)


def test_kinematics_questions(api: XArmAPI) -> None:
    pose = position(api)
    code, angles = api.get_inverse_kinematics(pose)
    assert code == 0
    np.testing.assert_allclose(angles[:6], HOME_DEG, atol=0.02)
    assert api.is_tcp_limit(pose) == (0, False)
    assert api.is_tcp_limit([2000, 0, 0, 180, 0, 0]) == (0, True)
    code, offset = api.get_pose_offset([100, 0, 0, 0, 0, 90], [100, 10, 0, 0, 0, 90])
    assert code == 0
    np.testing.assert_allclose(offset[:3], (10, 0, 0), atol=1e-3)


def test_reduced_mode_slows_position_moves(api: XArmAPI) -> None:
    api.set_reduced_max_tcp_speed(100)
    api.set_reduced_mode(True)
    try:
        begin = time.monotonic()
        assert api.set_position(z=40, relative=True, speed=1000, wait=True) == 0
        assert time.monotonic() - begin > 0.35
    finally:
        api.set_reduced_mode(False)


def test_developer_reports_have_the_layout_of_the_sdk(
    api: XArmAPI, controller: EmulatedController
) -> None:
    import socket

    api.set_servo_angle(servo_id=1, angle=40, speed=60)
    time.sleep(0.3)
    with socket.create_connection((HOST, controller.report_ports['developer']), 5.0) as client:
        client.settimeout(5.0)
        frames = [receive_exactly(client, 784) for _ in range(3)]
    reports = []
    for frame in frames:
        assert frame is not None
        reports.append(ReportDataStructure.create(30000))
        reports[-1].update(frame)
    first, last = reports[0], reports[-1]
    assert first.data_size == 784
    assert 0 < last.timestamp - first.timestamp < 5e6
    assert first.state == State.MOVING
    assert 0 < first.target_joint_angle[0] < np.radians(41)
    assert first.target_joint_velocity[0] > 0
    assert first.actual_joint_angle[0] == pytest.approx(first.target_joint_angle[0], abs=0.1)
    pose = first.target_tcp_pose
    assert np.hypot(pose[0], pose[1]) == pytest.approx(240.0, abs=0.1)
    assert np.hypot(*first.target_tcp_speed[:2]) > 10
