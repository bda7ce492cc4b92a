import contextlib
import threading

import numpy as np
import pytest

from ibc_contract.errors import IbcError
from realsense_capture import capture as capture_module
from realsense_capture.capture import CaptureCounts, capture
from realsense_capture.source import EndOfRecording, Frame, SourceUnavailable


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(capture_module, 'REOPEN_AFTER_S', 0.0)


class ScriptedSource:
    """Plays a list: a number is a frame, None a timeout, an exception is raised by `read`."""

    def __init__(self, script, refuse_opens=0):
        self.script = list(script)
        self.refuse_opens = refuse_opens
        self.opened = 0
        self.closed = 0

    def open(self):
        if self.refuse_opens:
            self.refuse_opens -= 1
            raise SourceUnavailable('not there')
        self.opened += 1

    def read(self, timeout_s):
        item = self.script.pop(0) if self.script else EndOfRecording('over')
        if isinstance(item, Exception):
            raise item
        return None if item is None else Frame(item, np.zeros((2, 2, 3), np.uint8))

    def close(self):
        self.closed += 1


def run(source):
    delivered, complaints, counts = [], [], CaptureCounts()
    with contextlib.suppress(EndOfRecording):
        capture(
            source,
            lambda frame: delivered.append(frame.stamp_ns),
            threading.Event(),
            complaints.append,
            counts,
        )
    return delivered, complaints, counts


def test_frames_are_delivered_in_order_and_timeouts_counted():
    delivered, complaints, counts = run(ScriptedSource([1, None, 2, 3]))
    assert delivered == [1, 2, 3]
    assert (counts.frames, counts.timeouts, counts.losses) == (3, 1, 0)
    assert not complaints


def test_a_source_that_is_not_up_yet_is_waited_for():
    delivered, complaints, counts = run(ScriptedSource([1], refuse_opens=3))
    assert delivered == [1]
    assert complaints == ['not there'] * 3
    assert counts.losses == 0


def test_a_lost_source_is_closed_and_opened_again():
    source = ScriptedSource([1, SourceUnavailable('cable'), 2])
    delivered, complaints, counts = run(source)
    assert delivered == [1, 2]
    assert complaints == ['cable']
    assert counts.losses == 1
    assert source.closed == 2


def test_other_errors_end_the_loop_with_the_source_closed():
    source = ScriptedSource([1, IbcError('wrong format')])
    with pytest.raises(IbcError, match='wrong format'):
        run(source)
    assert source.closed == 1
    assert not source.script
