import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xarm_planar_driver.arbitration import (
    LET_GO,
    LONGEST_RAMP,
    SHORTEST_RAMP,
    Acts,
    Arbiter,
    Command,
    Source,
)


def command(source, seconds):
    return Command(source, np.zeros(2), round(seconds * 1e9))


def test_a_person_silences_the_policy_for_a_while():
    arbiter = Arbiter(teleop_hold=0.5)
    assert arbiter.admit(command(Source.POLICY, 1.0), 1.0)
    assert arbiter.admit(command(Source.TELEOP, 1.1), 1.1)
    assert not arbiter.admit(command(Source.POLICY, 1.2), 1.2)
    assert not arbiter.admit(command(Source.POLICY, 1.5), 1.5)
    assert arbiter.admit(command(Source.POLICY, 1.7), 1.7)
    assert arbiter.ignored == {'policy_while_teleop': 2}


def test_a_person_is_never_silenced():
    arbiter = Arbiter()
    arbiter.note(command(Source.POLICY, 1.0))
    assert arbiter.admit(command(Source.TELEOP, 1.0), 1.0)


def test_who_sent_the_last_command_is_known_until_forgotten():
    arbiter = Arbiter()
    arbiter.admit(command(Source.TELEOP, 1.0), 1.0)
    arbiter.note(command(Source.TELEOP, 1.0))
    assert arbiter.active is Source.TELEOP
    arbiter.bar()
    arbiter.rearm(1.1)
    assert arbiter.active is None
    assert arbiter.ramp_duration(command(Source.TELEOP, 1.2)) == LONGEST_RAMP


def asked(source, at):
    return Command(source, np.zeros(2), 0, asked=at)


def test_after_a_stop_only_what_was_asked_for_since_the_reset_counts():
    arbiter = Arbiter(teleop_hold=0.0)
    assert arbiter.admit(asked(Source.POLICY, -math.inf), 1.0)  # never stopped, never enabled
    arbiter.bar()
    assert arbiter.is_barred
    for source in Source:
        assert not arbiter.admit(asked(source, 1e9), 1.0)
    arbiter.rearm(2.0)
    assert not arbiter.is_barred
    for source in Source:
        assert not arbiter.admit(asked(source, -math.inf), 2.1)
        assert not arbiter.admit(asked(source, 1.9), 2.1)
        assert arbiter.admit(asked(source, 2.0), 2.1)
    assert arbiter.ignored == {'policy_from_before_reset': 3, 'teleop_from_before_reset': 3}


def test_whoever_leads_silences_the_policy_even_if_it_does_not_count():
    arbiter = Arbiter(teleop_hold=0.5)
    arbiter.bar()
    arbiter.rearm(2.0)
    assert not arbiter.admit(asked(Source.TELEOP, 1.0), 2.1)
    assert not arbiter.admit(asked(Source.POLICY, 2.05), 2.2)
    assert arbiter.admit(asked(Source.POLICY, 2.05), 2.7)


def test_the_button_is_pressed_when_commands_come_after_a_pause():
    acts = Acts()

    def pressed_at(received):
        return acts.stamp(Command(Source.TELEOP, np.zeros(2), 0, received)).asked

    assert pressed_at(10.0) == 10.0
    assert pressed_at(10.2) == 10.0
    assert pressed_at(10.2 + 0.9 * LET_GO) == 10.0
    assert pressed_at(20.0) == 20.0


def test_the_policy_is_asked_for_when_it_is_enabled():
    acts = Acts()

    def enabled_at(received):
        return acts.stamp(Command(Source.POLICY, np.zeros(2), 0, received)).asked

    assert enabled_at(1.0) == -math.inf
    acts.policy_switched(True, 2.0)
    assert enabled_at(9.0) == 2.0
    acts.policy_switched(False, 10.0)
    assert enabled_at(11.0) == -math.inf
    acts.policy_switched(True, 12.0)
    acts.policy_switched(True, 13.0)  # asked for once more
    assert enabled_at(14.0) == 13.0


@pytest.mark.parametrize(
    ('interval', 'duration'), [(0.05, 0.05), (0.001, SHORTEST_RAMP), (3.0, LONGEST_RAMP)]
)
def test_a_ramp_lasts_as_long_as_the_source_pauses(interval, duration):
    arbiter = Arbiter()
    arbiter.note(command(Source.TELEOP, 1.0))
    assert arbiter.ramp_duration(command(Source.TELEOP, 1.0 + interval)) == pytest.approx(duration)
    assert arbiter.ramp_duration(command(Source.POLICY, 1.0 + interval)) == LONGEST_RAMP


@given(st.lists(st.tuples(st.sampled_from(list(Source)), st.integers(0, 2**62)), max_size=20))
def test_ramps_stay_within_bounds_whatever_the_stamps(sequence):
    arbiter = Arbiter()
    for source, stamp in sequence:
        made = Command(source, np.zeros(2), stamp)
        assert SHORTEST_RAMP <= arbiter.ramp_duration(made) <= LONGEST_RAMP
        arbiter.note(made)
