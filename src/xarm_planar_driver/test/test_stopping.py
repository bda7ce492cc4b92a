"""A stop that the arm does not hear: said to be none, and sent until it is heard."""

import pytest

from waiting import wait_for
from xarm_planar_driver.driver_status import Level
from xarm_planar_driver.errors import ArmFault, ArmLost, ArmSilent
from xarm_planar_driver.faults import Fault
from xarm_planar_driver.phases import Phase, Request
from xarm_planar_driver.stopping import UNREACHED, Stop
from xarm_twin.controller.firmware import State


class DeafArm:
    """Answers to a stop what it is told to."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.stops = 0

    def stop(self):
        self.stops += 1
        if self.errors:
            raise self.errors.pop(0)


def test_a_stop_is_pending_until_it_is_taken():
    arm = DeafArm(ArmSilent('no answer'), ArmFault('did not stop'))
    stop = Stop(arm)  # type: ignore[arg-type]
    assert not stop.is_pending
    assert [stop.send(), stop.is_pending] == [False, True]
    assert [stop.send(), stop.is_pending] == [False, True]
    assert [stop.send(), stop.is_pending] == [True, False]


def test_a_stop_to_an_arm_that_is_gone_stays_pending():
    stop = Stop(DeafArm(ArmLost('gone')))  # type: ignore[arg-type]
    with pytest.raises(ArmLost):
        stop.send()
    assert stop.is_pending


@pytest.fixture
def frozen(emulator, cable, connect, monkeypatch):
    """A driver whose arm is enabled, behind a link that swallows everything."""
    monkeypatch.setattr('xarm_planar_driver.servo_loop.LONGEST_SILENCE', 60.0)
    under_test = connect(emulator, control_port=cable.port)
    assert under_test.ask(Request.ENABLE).success
    assert under_test.settles_at(0.0, 0.0)
    cable.frozen.set()
    return under_test


@pytest.mark.parametrize('request_', [Request.STOP, Request.DISABLE])
def test_a_stop_that_does_not_reach_the_arm_is_no_success_and_is_sent_until_it_does(
    frozen, emulator, cable, request_
):
    outcome = frozen.ask(request_)
    assert (outcome.success, outcome.message) == (False, UNREACHED)
    assert frozen.driver.phase is Phase.STOPPED
    level, said = frozen.driver.status().judge()
    assert level is Level.ERROR
    assert said.endswith(UNREACHED)
    assert frozen.driver.status().values()['stop_pending']
    for other in (Request.RESET, Request.DISABLE, Request.HOME, Request.ENABLE):
        outcome = frozen.ask(other)
        assert (outcome.success, outcome.message) == (False, UNREACHED)
    assert emulator.state.snapshot().state != State.STOPPED
    cable.frozen.clear()
    assert wait_for(lambda: emulator.state.snapshot().state == State.STOPPED)
    assert wait_for(lambda: frozen.driver.status().is_reached)
    status = frozen.driver.status()
    assert status.phase is Phase.STOPPED
    assert status.judge()[1].endswith('call arm/reset')
    assert status.fault is (Fault.STOP_CALLED if request_ is Request.STOP else Fault.NO_ANSWER)
    assert frozen.ask(Request.RESET).success


def test_the_stop_comes_before_whatever_is_asked_when_the_link_is_back(
    frozen, emulator, cable, monkeypatch
):
    assert not frozen.ask(Request.STOP).success
    told: list[str] = []

    def noted(name):
        does = getattr(emulator.state, name)

        def note(*arguments):
            told.append(f'{name}{arguments}')
            does(*arguments)

        monkeypatch.setattr(emulator.state, name, note)

    noted('set_state')
    noted('clean_error')
    resetting = frozen.driver.request(Request.RESET)
    cable.frozen.clear()
    if not resetting.result(30.0).success:  # it came before the link was back
        assert frozen.ask(Request.RESET).success
    assert told[0] == 'set_state(4,)'
    assert 'clean_error()' in told


def test_a_stop_that_the_controller_refuses_is_none(emulator, connect, monkeypatch):
    under_test = connect(emulator)
    assert under_test.ask(Request.ENABLE).success
    api = under_test.driver._arm._api
    set_state = api.set_state
    monkeypatch.setattr(api, 'set_state', lambda state: 9)
    assert not under_test.ask(Request.STOP).success
    assert under_test.driver.phase is Phase.STOPPED
    monkeypatch.setattr(api, 'set_state', set_state)
    assert wait_for(lambda: emulator.state.snapshot().state == State.STOPPED)
