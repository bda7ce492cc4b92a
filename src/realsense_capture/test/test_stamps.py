import pytest
from hypothesis import given
from hypothesis import strategies as st

from realsense_capture.stamps import (
    DRIFT_TOLERANCE_NS,
    EPOCH_TOLERANCE_NS,
    StampMapper,
)

NOW = 1_700_000_000_000_000_000


def test_an_epoch_stamp_is_kept_to_the_microsecond():
    assert StampMapper().map(NOW / 1e6 - 12.5, NOW, free_running=False) == pytest.approx(
        NOW - 12_500_000, abs=1000
    )


def test_an_epoch_stamp_far_from_the_host_clock_is_refused():
    mapper = StampMapper()
    assert mapper.map((NOW - 1.1 * EPOCH_TOLERANCE_NS) / 1e6, NOW, free_running=False) is None
    assert mapper.map(1234.5, NOW, free_running=False) is None
    assert mapper.refused == 2


def test_a_free_running_clock_is_anchored_once_and_keeps_the_camera_intervals():
    mapper = StampMapper()
    jitter_ns = 7_000_000
    first = mapper.map(5000.0, NOW, free_running=True)
    second = mapper.map(5033.0, NOW + 33_000_000 + jitter_ns, free_running=True)
    assert first == NOW
    assert second == NOW + 33_000_000
    assert mapper.anchored == 1


def test_a_wrapped_clock_is_anchored_again():
    mapper = StampMapper()
    mapper.map(4_294_967.0, NOW, free_running=True)
    later = NOW + 33_000_000
    assert mapper.map(0.0, later, free_running=True) == later
    assert mapper.anchored == 2


def test_a_repeated_stamp_is_dropped():
    mapper = StampMapper()
    assert mapper.map(5000.0, NOW, free_running=True) is not None
    assert mapper.map(5000.0, NOW + 1_000_000, free_running=True) is None
    assert mapper.refused == 1


@given(
    st.lists(st.tuples(st.floats(0, 1e10), st.integers(0, 10**9)), min_size=1, max_size=50),
    st.booleans(),
)
def test_stamps_increase_and_stay_near_the_host_clock(frames, free_running):
    mapper = StampMapper()
    now, last = NOW, 0
    for device_ms, wait_ns in frames:
        now += wait_ns
        stamp = mapper.map(device_ms, now, free_running)
        if stamp is not None:
            assert stamp > last
            tolerance = DRIFT_TOLERANCE_NS if free_running else EPOCH_TOLERANCE_NS
            assert abs(stamp - now) <= tolerance + 1000
            last = stamp
