import math

from demo_recorder.stream_health import StreamHealth

MS = 1_000_000


def test_rate_gap_age_and_size():
    health = StreamHealth()
    for time_ms in (0, 10, 20, 80, 90):
        health.add(time_ms * MS, 100)
    assert (health.count, health.size_bytes, health.lost) == (5, 500, 0)
    assert math.isclose(health.rate_hz, 4 / 0.09)
    assert health.longest_gap_ns == 60 * MS
    assert health.age_s(190 * MS) == 0.1
    assert health.describe() == '5 messages, 44.4 Hz, longest gap 60 ms'


def test_an_empty_stream_is_infinitely_old():
    health = StreamHealth()
    assert health.rate_hz == 0.0
    assert health.age_s(0) == math.inf
    health.add(5, 1)
    assert (health.rate_hz, health.longest_gap_ns) == (0.0, 0)


def test_missing_sequence_numbers_are_losses():
    health = StreamHealth()
    for sequence in (7, 8, 11, 12):
        health.add(sequence * MS, 1, sequence)
    assert health.lost == 2
    assert health.describe().endswith('2 lost')


def test_a_restarted_or_unnumbered_publisher_loses_nothing():
    health = StreamHealth()
    for time, sequence in enumerate((50, 51, 1, 2, None, 90, 91)):
        health.add(time * MS, 1, sequence)
    assert health.lost == 0
