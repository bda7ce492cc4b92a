"""From the time a camera puts on a frame to nanoseconds of ROS time."""

from dataclasses import dataclass, field

MAX_AGE_NS = 1_000_000_000
"""A frame that seems older than this on arrival is dropped: nothing could use it."""
MAX_AHEAD_NS = 100_000_000
"""A frame that seems to come from further ahead than this was stamped by a clock that is wrong."""
CLOCK_STEP_NS = 100_000_000
"""The host's clock was set when it moved this much against the monotonic one between two frames.
NTP slews it by 0.5 ms per second at most."""
DRIFT = 1e-4
"""How fast a camera's crystal and the host's may run apart: 100 ppm."""


@dataclass
class StampMapper:
    """Maps frame times [ms] to ROS time [ns]; refuses times that cannot be right.

    librealsense stamps frames in one of three domains. `global_time` and `system_time` are already
    milliseconds since the epoch. `hardware_clock` has an arbitrary zero and wraps, so it runs free,
    and so does everything played from a file: its offset to the host's clock is the smallest delay
    between stamp and arrival seen so far, since no frame arrives before it was taken.

    Stamps increase, except that they follow the host's clock when that is set.
    """

    anchored: int = 0
    """How often a free-running clock was tied to the host's: again whenever it jumped."""
    refused: int = 0
    """Frames dropped because of their stamp."""
    clock_steps: int = 0
    """How often the host's clock was set."""
    _offset_ns: int | None = field(default=None, repr=False)
    _device_ns: int = field(default=0, repr=False)
    _last_ns: int | None = field(default=None, repr=False)
    _epoch_ns: int | None = field(default=None, repr=False)
    _wrong_since_ns: int | None = field(default=None, repr=False)

    def restart(self) -> None:
        """Forget the camera's clock: the stream was opened anew."""
        self._offset_ns = self._wrong_since_ns = None

    def map(
        self, device_ms: float, now_ns: int, monotonic_ns: int, free_running: bool
    ) -> int | None:
        """Return the ROS time of a frame [ns], or None if the frame must be dropped.

        Args:
            device_ms: What the camera says [ms].
            now_ns: The host's clock at arrival [ns since the epoch].
            monotonic_ns: The host's monotonic clock at arrival [ns].
            free_running: The camera's clock has nothing to do with the epoch.
        """
        self._notice_clock_step(now_ns, monotonic_ns)
        device_ns = round(device_ms * 1e6)
        if free_running:
            self._follow(device_ns, now_ns, monotonic_ns)
        stamp_ns = device_ns + (self._offset_ns or 0 if free_running else 0)
        plausible = -MAX_AHEAD_NS <= now_ns - stamp_ns <= MAX_AGE_NS
        if not plausible or (self._last_ns is not None and stamp_ns <= self._last_ns):
            self.refused += 1
            return None
        self._last_ns = stamp_ns
        return stamp_ns

    def _notice_clock_step(self, now_ns: int, monotonic_ns: int) -> None:
        """Start afresh when the host's clock was set, as by an operator or at the first NTP fix."""
        epoch_ns = now_ns - monotonic_ns
        if self._epoch_ns is not None and abs(epoch_ns - self._epoch_ns) > CLOCK_STEP_NS:
            self.clock_steps += 1
            self._last_ns = None
            self.restart()
        self._epoch_ns = epoch_ns

    def _follow(self, device_ns: int, now_ns: int, monotonic_ns: int) -> None:
        """Keep the offset of a free-running clock."""
        elapsed_ns, self._device_ns = device_ns - self._device_ns, device_ns
        # It goes back when it wraps, when a recording starts over, when a camera restarts.
        if self._offset_ns is None or elapsed_ns < 0:
            self._anchor(device_ns, now_ns)
            return
        delay_ns = now_ns - device_ns - self._offset_ns
        if delay_ns > MAX_AGE_NS:  # one late frame, or a recording that was paused?
            if self._wrong_since_ns is None:
                self._wrong_since_ns = monotonic_ns
            elif monotonic_ns - self._wrong_since_ns > MAX_AGE_NS:
                self._anchor(device_ns, now_ns)
            return
        self._wrong_since_ns = None
        self._offset_ns += min(delay_ns, round(DRIFT * elapsed_ns))

    def _anchor(self, device_ns: int, now_ns: int) -> None:
        self._offset_ns = now_ns - device_ns
        self._wrong_since_ns = None
        self.anchored += 1
