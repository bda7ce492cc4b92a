import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xarm_planar_driver.arbitration import (
    LONGEST_RAMP,
    SHORTEST_RAMP,
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
    arbiter.forget()
    assert arbiter.active is None
    assert arbiter.admit(command(Source.POLICY, 1.1), 1.1)


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
