"""The capture loop: keep a source open, hand on its frames, bring it back when it is lost."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from realsense_capture.source import Frame, FrameSource, SourceUnavailable

READ_TIMEOUT_S = 0.5
REOPEN_AFTER_S = 1.0


@dataclass
class CaptureCounts:
    """What happened so far; read by diagnostics while the loop writes."""

    frames: int = 0
    timeouts: int = 0
    """Reads that ended without a frame."""
    losses: int = 0
    """Times that an open source went away."""
    connected: bool = False


def capture(
    source: FrameSource,
    deliver: Callable[[Frame], None],
    stop: threading.Event,
    unavailable: Callable[[str], None],
    counts: CaptureCounts,
) -> None:
    """Deliver frames of `source` until `stop`; reopen it whenever it is unavailable.

    `unavailable` gets one line per failed attempt. Errors other than SourceUnavailable end the
    loop; the source is closed in any case.
    """
    try:
        while not stop.is_set():
            try:
                source.open()
                frame = source.read(READ_TIMEOUT_S)
            except SourceUnavailable as error:
                counts.losses += counts.connected
                counts.connected = False
                unavailable(str(error))
                source.close()
                stop.wait(REOPEN_AFTER_S)
                continue
            if frame is None:
                counts.timeouts += 1
                continue
            counts.frames += 1
            counts.connected = True
            deliver(frame)
    finally:
        counts.connected = False
        source.close()
