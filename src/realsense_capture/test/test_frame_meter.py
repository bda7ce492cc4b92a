import pytest

from realsense_capture.frame_meter import FrameMeter


def test_a_reading_covers_the_time_since_the_previous_one():
    meter = FrameMeter(100.0)
    for k in range(1, 11):
        meter.add(100.0 + 0.1 * k, 0.5 if k == 4 else 0.05, 0.002)
    reading = meter.read(101.0)
    assert reading.rate_hz == pytest.approx(10.0)
    assert (reading.age_s, reading.oldest_s, reading.publish_s) == (0.05, 0.5, 0.002)
    assert reading.gap_s == pytest.approx(0.1)
    assert reading.pace_hz == pytest.approx(10.0)
    meter.add(101.2, 0.05, 0.002)
    reading = meter.read(102.0)
    assert reading.rate_hz == pytest.approx(1.0)
    assert reading.gap_s == pytest.approx(0.8)


def test_silence_is_a_gap_that_lasts():
    meter = FrameMeter(100.0)
    reading = meter.read(101.5)
    assert (reading.rate_hz, reading.pace_hz, reading.age_s, reading.oldest_s) == (0, 0, 0, 0)
    assert reading.gap_s == pytest.approx(1.5)


def test_the_pace_is_that_of_the_frames_that_came():
    """A stream that began in the middle, and paused once."""
    meter = FrameMeter(100.0)
    for when in (100.5, 100.53, 100.56, 100.86, 100.89):
        meter.add(when, 0.05, 0.002)
    reading = meter.read(101.0)
    assert reading.rate_hz == pytest.approx(5.0)
    assert reading.pace_hz == pytest.approx(1 / 0.03)
    meter.add(101.5, 0.05, 0.002)
    meter.add(101.9, 0.05, 0.002)
    assert meter.read(102.0).pace_hz == 0.0  # two frames have no pace
