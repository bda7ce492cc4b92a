"""From the time a camera puts on a frame to nanoseconds of ROS time."""

from dataclasses import dataclass, field

EPOCH_TOLERANCE_NS = 1_000_000_000
"""A stamp further than this from the host's clock comes from a clock that is set wrongly."""
DRIFT_TOLERANCE_NS = 250_000_000
"""A free-running clock that has drifted this far (or wrapped, or looped) is anchored again."""


@dataclass
class StampMapper:
    """Maps frame times [ms] to ROS time [ns]; refuses times that cannot be right.

    librealsense stamps frames in one of three domains. `global_time` and `system_time` are already
    milliseconds since the epoch. `hardware_clock` has an arbitrary zero and wraps, so it is
    anchored to the host's clock at the first frame, and so is everything played from a file.
    """

    anchored: int = 0
    """How often a free-running clock was anchored; more than 1 means that it jumped."""
    refused: int = 0
    """Frames whose stamp was out of order or too far from the host's clock."""
    _offset_ns: int | None = field(default=None, repr=False)
    _last_ns: int = field(default=0, repr=False)

    def map(self, device_ms: float, now_ns: int, free_running: bool) -> int | None:
        """Return the ROS time of a frame [ns], or None if the frame must be dropped.

        Args:
            device_ms: What the camera says [ms].
            now_ns: The host's clock at arrival [ns since the epoch].
            free_running: The camera's clock has nothing to do with the epoch.
        """
        stamp_ns = round(device_ms * 1e6)
        if free_running:
            stamp_ns = self._anchor(stamp_ns, now_ns)
        elif abs(stamp_ns - now_ns) > EPOCH_TOLERANCE_NS:
            self.refused += 1
            return None
        if stamp_ns <= self._last_ns:
            self.refused += 1
            return None
        self._last_ns = stamp_ns
        return stamp_ns

    def _anchor(self, device_ns: int, now_ns: int) -> int:
        drifted = (
            self._offset_ns is None
            or abs(device_ns + self._offset_ns - now_ns) > DRIFT_TOLERANCE_NS
        )
        if drifted:
            self._offset_ns = now_ns - device_ns
            self.anchored += 1
        return device_ns + (self._offset_ns or 0)
