"""The selection rule of the contract, checked against its definition."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibc_contract.contract import load_contract
from ibc_contract.errors import IbcError, StaleObservation
from ibc_contract.images import encode_jpeg
from ibc_contract.observation import ImageWindow, SampleHistory, StateWindow, observation_window

MS = 1_000_000
CONTRACT = load_contract('planar_rgb')  # period 200 ms, history 2, max age 250 ms


def history_of(stamps_ms, contract=CONTRACT) -> SampleHistory:
    history = SampleHistory(contract, 'frames')
    for stamp in stamps_ms:
        history.add(stamp * MS, np.array(stamp))
    return history


def seen_by(stamps_ms, tick_ms, contract=CONTRACT):
    return history_of(stamps_ms, contract).at(tick_ms * MS).tolist()


def test_newest_at_or_before_each_time():
    assert seen_by([0, 33, 66, 100, 133, 166, 200, 233], 210) == [0, 200]
    assert seen_by([0, 33, 66, 100, 133, 166, 200, 233], 233) == [33, 233]
    assert seen_by([100, 199, 200, 201, 399, 401], 400) == [200, 399]


def test_the_first_sample_repeats_at_the_start_of_an_episode():
    assert seen_by([150], 200) == [150, 150]
    three = dataclasses.replace(CONTRACT, history=3)
    assert seen_by([150, 350], 400, three) == [150, 150, 350]


def test_nothing_yet_is_stale():
    with pytest.raises(StaleObservation, match='frames: nothing has arrived yet'):
        history_of([]).select(0)
    with pytest.raises(StaleObservation, match='nothing has arrived yet'):
        history_of([500]).select(400 * MS)


def test_an_old_sample_is_stale_at_the_tick_and_in_the_past():
    assert seen_by([0, 150], 400) == [150, 150]  # 250 ms old: still allowed
    with pytest.raises(StaleObservation, match=r'newest sample is 251 ms old.*allowed are 250 ms'):
        history_of([0, 200]).select(451 * MS)
    with pytest.raises(StaleObservation, match='newest sample is 300 ms old'):
        history_of([0, 450]).select(500 * MS)  # fresh now, but not one period ago


def test_exactly_max_age_is_still_fresh():
    assert seen_by([0, 200], 450) == [200, 200]


def test_a_forgotten_past_is_stale_and_never_taken_for_the_start():
    history = history_of(range(0, 10_000, 50))
    assert history.at(9_950 * MS).tolist() == [9_750, 9_950]
    assert history.at(9_000 * MS).tolist() == [8_800, 9_000]
    with pytest.raises(StaleObservation):
        history.select(1_000 * MS)


@pytest.mark.parametrize('step_ms', [-3_600_000, -700, 700, 3_600_000])
def test_samples_of_a_clock_that_was_set_back_are_seen(step_ms):
    """Or forward: after the longest age and one period, the stream is as it was."""
    history = SampleHistory(CONTRACT, 'frames')
    now, seen = 10_000_000, []
    for k in range(120):
        if k == 60:
            now += step_ms
        now += 33
        history.add((now - 20) * MS, np.array(now - 20))
        if k % 6 == 0:
            try:
                seen.append((k, (history.at(now * MS) - now).tolist()))
            except StaleObservation:
                seen.append((k, None))
    assert seen[-5:] == [(k, [-218, -20]) for k in (90, 96, 102, 108, 114)]
    assert len(history._values) < 60


def test_memory_is_bounded():
    history = history_of(range(0, 600_000, 10))
    assert len(history._values) == len(history._stamps) < 200


@st.composite
def streams(draw):
    """Distinct stamps in any order, and a tick that the history still remembers [ms]."""
    stamps = draw(st.lists(st.integers(0, 1_400), unique=True, max_size=40))
    tick = draw(st.integers(max([*stamps, 900]) - 1_000, 1_700))
    return stamps, tick


def select_by_definition(stamps, tick, contract=CONTRACT):
    """The rule in one place, without any data structure; None when stale."""
    period, age = contract.period_ns // MS, round(contract.observation.max_age_s * 1e3)
    chosen = []
    for i in reversed(range(contract.history)):
        past = [s for s in stamps if s <= tick - i * period]
        chosen.append(max(past) if past else None)
        if past and tick - i * period - max(past) > age:
            return None
    known = [c for c in chosen if c is not None]
    return [known[0] if c is None else c for c in chosen] if known else None


@given(streams(), st.integers(1, 4))
def test_selection_follows_the_definition(stream, steps):
    stamps, tick = stream
    contract = dataclasses.replace(CONTRACT, history=steps)
    expected = select_by_definition(stamps, tick, contract)
    if expected is None:
        with pytest.raises(StaleObservation):
            history_of(stamps, contract).select(tick * MS)
    else:
        assert seen_by(stamps, tick, contract) == expected


@given(streams(), st.integers(1, 4))
def test_never_from_the_future_and_never_too_old(stream, steps):
    stamps, tick = stream
    contract = dataclasses.replace(CONTRACT, history=steps)
    try:
        got = seen_by(stamps, tick, contract)
    except StaleObservation:
        return
    assert len(got) == steps
    assert got == sorted(got)
    assert max(got) <= tick
    assert tick - got[-1] <= 250


@given(streams(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(stream, random):
    stamps, tick = stream
    shuffled = random.sample(stamps, len(stamps))

    def outcome(order):
        try:
            return seen_by(order, tick)
        except StaleObservation as error:
            return str(error)

    assert outcome(stamps) == outcome(shuffled)


@given(streams(), st.lists(st.integers(1_701, 3_000), max_size=5))
def test_later_samples_change_nothing_before_them(stream, later):
    stamps, tick = stream

    def outcome(samples):
        try:
            return seen_by(samples, tick)
        except StaleObservation:
            return None

    recent = [s for s in later if s - 1_000 <= tick]  # older ticks may have been forgotten
    assert outcome(stamps) == outcome(stamps + recent)


def test_the_image_window_decodes_only_what_a_tick_sees():
    window = ImageWindow(CONTRACT)
    window.add_jpeg(0, b'this is not a JPEG image')
    rgb = np.full((360, 640, 3), 90, np.uint8)
    for stamp in (200, 210, 400):
        window.add_jpeg(stamp * MS, encode_jpeg(rgb))
    observation = window.at(400 * MS)
    assert observation.shape == CONTRACT.observation_shape
    assert observation.dtype == np.uint8
    assert len(window._decoded) == 2
    with pytest.raises(IbcError, match='not a JPEG'):
        window.at(200 * MS)


def test_the_state_window_joins_both_streams_at_each_time():
    contract = load_contract('planar_state')
    window = observation_window(contract)
    assert isinstance(window, StateWindow)
    poses = np.tile([0.4, 0.1, 0.04, 0.0, 0.0, 0.0, 1.0], (4, 1))
    for k in range(5):
        window.add_objects(k * 100 * MS, poses + k * np.eye(7)[0])
    for k in range(50):
        window.add_setpoint(k * 10 * MS, np.array([k / 100, 0.0]))
    observation = window.at(405 * MS)
    assert observation.shape == contract.observation_shape
    assert observation.dtype == np.float32
    np.testing.assert_allclose(observation[:, 0], [0.20, 0.40], atol=1e-6)
    np.testing.assert_allclose(observation[:, 2], [2.4, 4.4], atol=1e-6)
    np.testing.assert_allclose(observation[:, 3:6], [[0.1, 1.0, 0.0]] * 2, atol=1e-6)


def test_the_state_window_is_stale_when_either_stream_is():
    window = StateWindow(load_contract('planar_state'))
    window.add_setpoint(0, np.zeros(2))
    with pytest.raises(StaleObservation, match='twin/objects'):
        window.select(0)
    with pytest.raises(IbcError, match='joint_states'):
        window.add('joint_states', None)
