import itertools
import threading

from ibc_contract.pacing import ticks


class FakeClock:
    """Time that passes only while somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_deadlines_stay_on_the_grid():
    clock = FakeClock()
    got = []
    for deadline, missed in itertools.islice(ticks(0.25, threading.Event(), clock, clock.sleep), 4):
        clock.now += 0.1  # work shorter than a period does not shift the grid
        got.append((deadline, missed))
    assert got == [(100.25, 0), (100.5, 0), (100.75, 0), (101.0, 0)]


def test_a_stall_is_counted_and_not_caught_up():
    clock = FakeClock()
    loop = ticks(0.25, threading.Event(), clock, clock.sleep)
    next(loop)
    clock.now += 0.8  # three periods and a bit
    assert next(loop) == (101.0, 2)
    assert next(loop) == (101.25, 0)


def test_stop_ends_the_loop_without_another_tick():
    clock = FakeClock()
    stop = threading.Event()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock.now >= 101.0:
            stop.set()

    assert len(list(ticks(0.25, stop, clock, sleep))) == 3
