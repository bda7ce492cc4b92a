"""Each class of fault ends in the stop that docs/safety.md names: real SDK, emulated controller."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from planar_arm import xarm6
from planar_arm.errors import UnreachablePose
from waiting import wait_for
from xarm_planar_driver.errors import ArmError
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.phases import Phase, Request
from xarm_twin.controller import EmulatedController, LagPlant, inject
from xarm_twin.controller.firmware import State

SAFETY = Path(__file__).resolve().parents[3] / 'docs' / 'safety.md'
ROW = re.compile(r'^\| `(\w+)` \| (stopped|held|ended) \|', re.MULTILINE)
BELOW_THE_TABLE = np.zeros(xarm6.JOINTS)


class Rig:
    """A driver that follows commands, and what a fault may take hold of."""

    def __init__(self, monkeypatch, connect, start=xarm6.HOME_Q) -> None:
        self.patch = monkeypatch
        self.controller = EmulatedController(LagPlant(start))
        self.controller.start()
        self.under_test = connect(self.controller)
        self.driver = self.under_test.driver
        self.motion = self.driver._motion
        self.loop = self.driver._loop

    def enable(self) -> None:
        with suppress(ArmError):
            self.driver.enable(10.0)

    def bends(self, function: Callable) -> None:
        """Let inverse kinematics be `function` of what it was, and the arm need it."""
        solve = self.driver._kinematics.planar
        self.patch.setattr(
            self.driver._kinematics, 'planar', lambda point, seed: function(solve(point, seed))
        )
        self.under_test.move(0.01, 0.0)


def unreachable(_):
    raise UnreachablePose('no joint positions')


def patched(name, value):
    return lambda rig: rig.patch.setattr(f'xarm_planar_driver.{name}', value)


def measures_nothing(rig):
    broken = [[np.nan] * 7] * 2
    rig.patch.setattr(rig.driver._arm._api, 'get_joint_states', lambda num: (0, broken))


def slips(rig):
    states = rig.driver._arm.joint_states
    rig.patch.setattr(rig.driver._arm, 'joint_states', lambda: (states()[0] + 0.4, states()[1]))


def stop_reports(rig):
    rig.patch.setattr('xarm_planar_driver.report_watch.LONGEST_WITHOUT_REPORT', 0.5)
    inject(rig.controller, 'freeze-reports')


def take_over(rig):
    rig.controller.state.set_mode(0)
    rig.controller.state.set_state(0)


def fails(rig):
    rig.patch.setattr(rig.driver._arm._api, 'set_servo_angle_j', lambda q: 11)


def has_a_bug(rig):
    def tick(*_):
        raise ZeroDivisionError

    rig.patch.setattr(rig.motion, 'tick', tick)


def falls_silent(rig):
    rig.patch.setattr('xarm_planar_driver.arm.SETUP_TIMEOUT', 0.1)
    inject(rig.controller, 'mute', seconds=0.5)


BEFORE = {
    Fault.NO_WAY_HOME: lambda rig: None,
    Fault.LIMITS_NOT_KEPT: patched('arm.find_difference', lambda *_: 'the fence is off'),
    Fault.NO_ANSWER: falls_silent,
}
"""How each is provoked that comes while the arm is being enabled."""
AFTER = {
    Fault.STOP_CALLED: lambda rig: rig.under_test.ask(Request.STOP),
    Fault.JOINT_COMMAND: lambda rig: rig.bends(lambda q: q + 0.5),
    Fault.UNREACHABLE: lambda rig: rig.bends(unreachable),
    Fault.CONTROLLER_ERROR: lambda rig: inject(rig.controller, 'collision'),
    Fault.TAKEN_OVER: take_over,
    Fault.REFUSED: fails,
    Fault.BAD_MEASUREMENT: measures_nothing,
    Fault.NOT_FOLLOWING: slips,
    Fault.NO_REPORTS: stop_reports,
    Fault.LINK_LOST: lambda rig: rig.controller.stop(),
    Fault.BUG: has_a_bug,
}
"""How each is provoked that comes while the arm follows."""


def documented() -> dict[str, str]:
    return dict(ROW.findall(SAFETY.read_text()))


def test_every_class_has_a_row_and_a_way_to_provoke_it():
    assert set(documented()) == set(Fault)
    assert BEFORE.keys() | AFTER.keys() == set(Fault)


@pytest.mark.parametrize('fault', Fault)
def test_it_ends_in_its_documented_stop(fault, monkeypatch, connect):
    faults: list[Fault] = []
    start = BELOW_THE_TABLE if fault is Fault.NO_WAY_HOME else xarm6.HOME_Q
    rig = Rig(monkeypatch, connect, start)
    trip = rig.motion.trip

    def noted(fault, reason):
        faults.append(fault)
        trip(fault, reason)

    monkeypatch.setattr(rig.motion, 'trip', noted)
    if fault in BEFORE:
        BEFORE[fault](rig)
        rig.enable()
    else:
        rig.enable()
        assert wait_for(lambda: rig.driver.phase is Phase.ACTIVE)
        AFTER[fault](rig)
    assert wait_for(lambda: bool(faults))
    assert faults[0] is fault
    stop = documented()[fault]
    told = rig.controller.state.snapshot
    if stop == 'ended':
        assert wait_for(lambda: bool(rig.under_test.ended))
        assert wait_for(lambda: told().state == State.STOPPED)
        return
    assert wait_for(lambda: rig.driver.phase is Phase.STOPPED)
    assert rig.driver.status().fault is fault
    if stop == 'stopped':  # the arm hears of it a moment later
        assert wait_for(lambda: told().state == State.STOPPED)
    else:
        assert told().state != State.STOPPED
    sent = told().q_command.copy()
    rig.under_test.move(0.03, 0.0)  # nothing goes on by itself, or because somebody leads
    for request in (Request.ENABLE, Request.HOME):
        assert not rig.under_test.ask(request).success
    assert rig.driver.phase is Phase.STOPPED
    np.testing.assert_allclose(told().q_command, sent, atol=1e-6)  # a lag goes on for ever
