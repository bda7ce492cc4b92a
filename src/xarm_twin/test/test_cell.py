"""World and servo together: what a tool that meets the tray does to the setpoint."""

import math

import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.safety import load_safety_limits
from xarm_twin.cell import SimulatedCell

PERIOD = 0.05


@pytest.fixture
def cell():
    cell = SimulatedCell('push_red')
    yield cell
    cell.close()


def drive(cell, delta, seconds):
    """Command `delta` (2,) [m] again and again; return leads [m] and joint speeds [rad/s]."""
    leads, speeds = [], []
    for _ in range(round(seconds / PERIOD)):
        cell.command(delta, PERIOD)
        for _ in range(5):
            state = cell.tick()
            tool = cell.kinematics.forward(state.q).position[:2]
            leads.append(math.dist(tool, state.setpoint_xy))
            speeds.append(np.abs(state.velocities).max())
    return max(leads), max(speeds)


def test_a_tool_at_the_wall_of_the_tray_holds_the_setpoint_up(cell):
    cell.reset(0)
    tray = next(i for i, spec in enumerate(cell.world.task.objects) if not spec.is_block)
    poses = cell.world.object_poses()
    poses[tray, :2] = 0.40, 0.0
    poses[1 - tray, :2] = 0.50, 0.20
    cell.world.set_layout(poses)
    limit = load_safety_limits().max_following_error
    pressed, _ = drive(cell, (0.01, 0.0), 2.0)
    pulled, speed = drive(cell, (0.0, 0.01), 2.0)
    freed, snap = drive(cell, (-0.01, 0.01), 2.0)
    assert 0.5 * limit < pressed < limit + 0.005
    assert max(pulled, freed) < limit + 0.005
    assert max(speed, snap) <= 1.01 * xarm6.MAX_JOINT_SPEED
    assert cell.gate.interventions['setpoint_waits_for_tool'] > 50


def test_a_tool_that_is_led_over_the_board_is_not_held_up(cell):
    lead, _ = drive(cell, (0.0, 0.012), 1.0)
    assert lead < 0.01
    assert not cell.gate.interventions
