"""Which samples a policy tick sees. Live nodes and the bag reader both use this code."""

import bisect
from typing import Any, Protocol

import numpy as np

from ibc_contract import topics
from ibc_contract.contract import Contract, ImageObservation
from ibc_contract.errors import IbcError, StaleObservation
from ibc_contract.images import decode_jpeg, to_observation
from ibc_contract.messages import jpeg_bytes, pose_xy, poses_array, stamp_ns
from ibc_contract.state import state_vector

TICK_LAG_NS = 1_000_000_000
"""How far a tick may lie behind the newest sample [ns]; older samples are forgotten."""


class SampleHistory:
    """The recent samples of one stream, from which ticks select by stamp.

    For a time t the newest sample stamped at or before t is selected: never one from the future.
    The observation of tick t_k selects for t_k - (history - 1) * period, ..., t_k. Each sample may
    be at most `max_age_s` older than its own t. Before the very first sample, as at the start of an
    episode, the earliest selected sample repeats. The order of `add` calls does not matter.
    """

    def __init__(self, contract: Contract, stream: str = 'observation') -> None:
        """`stream` names the samples in error messages."""
        self._stream = stream
        self._offsets_ns = [i * contract.period_ns for i in reversed(range(contract.history))]
        self._max_age_ns = round(contract.observation.max_age_s * 1e9)
        self._memory_ns = self._offsets_ns[0] + self._max_age_ns + TICK_LAG_NS
        self._stamps: list[int] = []
        self._values: dict[int, Any] = {}
        self._forgot = False

    def add(self, stamp_ns: int, value: Any) -> None:
        """Remember a sample that happened at `stamp_ns`; the same stamp again replaces it."""
        if stamp_ns not in self._values:
            bisect.insort(self._stamps, stamp_ns)
        self._values[stamp_ns] = value
        oldest = self._stamps[-1] - self._memory_ns
        while self._stamps[0] < oldest:
            del self._values[self._stamps.pop(0)]
            self._forgot = True

    def select(self, tick_ns: int) -> tuple[int, ...]:
        """Stamps of the samples that the tick sees, `history` of them, oldest first [ns].

        Raises:
            StaleObservation: There is no sample yet, or one is too old for its time.
        """
        self._forget_from(tick_ns + TICK_LAG_NS)
        chosen = [self._newest_at(tick_ns - offset) for offset in self._offsets_ns]
        known = [stamp for stamp in chosen if stamp is not None]
        if not known:
            raise StaleObservation(f'{self._stream}: nothing has arrived yet')
        return tuple(known[0] if stamp is None else stamp for stamp in chosen)

    def at(self, tick_ns: int) -> np.ndarray:
        """Stack what the tick sees, shape (history, ...), oldest first; raises as `select`."""
        return np.stack([self._values[stamp] for stamp in self.select(tick_ns)])

    def value(self, stamp_ns: int) -> Any:
        """Return the sample with exactly this stamp, as returned by `select`."""
        return self._values[stamp_ns]

    def _forget_from(self, time_ns: int) -> None:
        """Forget samples of a time that is yet to come: the clock was set back since.

        Each sample of the present would count as too old beside them.
        """
        while self._stamps and self._stamps[-1] > time_ns:
            del self._values[self._stamps.pop()]
            self._forgot = True

    def _newest_at(self, time_ns: int) -> int | None:
        """Stamp of the newest sample at or before a time; None if the stream had not begun."""
        position = bisect.bisect_right(self._stamps, time_ns)
        if position == 0 and not self._forgot:
            return None
        # Without a position the sample that this tick needs has been forgotten: it is too old.
        age_ns = time_ns - self._stamps[position - 1] if position else self._memory_ns
        if age_ns > self._max_age_ns:
            raise StaleObservation(
                f'{self._stream}: newest sample is {age_ns / 1e6:.0f} ms old at its tick, '
                f'allowed are {self._max_age_ns / 1e6:.0f} ms'
            )
        return self._stamps[position - 1]


class ObservationWindow(Protocol):
    """What a policy tick needs, kept up to date message by message."""

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics whose messages must be given to `add`."""
        ...

    def add(self, topic: str, message: Any) -> None:
        """Take one message, of rclpy or of `typestore`."""
        ...

    def select(self, tick_ns: int) -> tuple[Any, ...]:
        """Keys of the samples that the tick sees, oldest first; raises StaleObservation."""
        ...

    def sample(self, key: Any) -> np.ndarray:
        """One selected sample: (h, w, 3) uint8 or (D,) float32."""
        ...

    def at(self, tick_ns: int) -> np.ndarray:
        """What the tick sees, shape `contract.observation_shape`; raises StaleObservation."""
        ...


class ImageWindow:
    """Camera frames, kept encoded: only those that a tick selects are decoded, and only once."""

    topics = (topics.CAMERA_COMPRESSED,)

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._frames = SampleHistory(contract, topics.CAMERA_COMPRESSED)
        self._decoded: dict[int, np.ndarray] = {}

    def add(self, topic: str, message: Any) -> None:
        """Take one CompressedImage."""
        self.add_jpeg(stamp_ns(message), jpeg_bytes(message))

    def add_jpeg(self, stamp: int, jpeg: bytes) -> None:
        """Take one encoded frame that was exposed at `stamp` [ns]."""
        self._frames.add(stamp, jpeg)
        self._decoded.pop(stamp, None)

    def select(self, tick_ns: int) -> tuple[int, ...]:
        """Stamps of the frames that the tick sees, oldest first [ns]."""
        return self._frames.select(tick_ns)

    def sample(self, key: int) -> np.ndarray:
        """One selected frame as the contract wants it, shape (h, w, 3) uint8 RGB."""
        if key not in self._decoded:
            rgb = decode_jpeg(self._frames.value(key))
            self._decoded[key] = to_observation(rgb, self._contract)
        frame = self._decoded[key]
        if len(self._decoded) > self._contract.history:
            del self._decoded[min(self._decoded)]
        return frame

    def at(self, tick_ns: int) -> np.ndarray:
        """Frames of the tick, shape (history, h, w, 3) uint8 RGB."""
        return np.stack([self.sample(stamp) for stamp in self.select(tick_ns)])


class StateWindow:
    """Object poses and setpoints of a twin, joined at each time of the window.

    A tick acts for the time `latency_ns` later [ns]: setpoints are those of that time, where its
    action begins, and objects as at the tick itself, for nobody knows where they will be.
    """

    topics = (topics.TWIN_OBJECTS, topics.TCP_SETPOINT)

    def __init__(self, contract: Contract, latency_ns: int = 0) -> None:
        self._contract = contract
        self._latency_ns = latency_ns
        self._objects = SampleHistory(contract, topics.TWIN_OBJECTS)
        self._setpoints = SampleHistory(contract, topics.TCP_SETPOINT)

    def add(self, topic: str, message: Any) -> None:
        """Take one PoseArray of the objects or one PoseStamped of the setpoint."""
        if topic == topics.TWIN_OBJECTS:
            self.add_objects(stamp_ns(message), poses_array(message))
        elif topic == topics.TCP_SETPOINT:
            self.add_setpoint(stamp_ns(message), pose_xy(message))
        else:
            raise IbcError(f'a state observation is not made from {topic}')

    def add_objects(self, stamp: int, poses: np.ndarray) -> None:
        """Take object poses, shape (n, 7) [m, quaternion xyzw], at `stamp` [ns]."""
        self._objects.add(stamp, poses)

    def add_setpoint(self, stamp: int, xy: np.ndarray) -> None:
        """Take a setpoint, shape (2,) [m], at `stamp` [ns]."""
        self._setpoints.add(stamp, xy)

    def select(self, tick_ns: int) -> tuple[tuple[int, int], ...]:
        """Stamps of objects and setpoint for each time of the tick, oldest first [ns]."""
        objects = self._objects.select(tick_ns)
        setpoints = self._setpoints.select(tick_ns + self._latency_ns)
        return tuple(zip(objects, setpoints, strict=True))

    def sample(self, key: tuple[int, int]) -> np.ndarray:
        """One time step, shape (D,) float32."""
        objects, setpoint = key
        return state_vector(
            self._setpoints.value(setpoint), self._objects.value(objects), self._contract
        )

    def at(self, tick_ns: int) -> np.ndarray:
        """Time steps of the tick, shape (history, D) float32."""
        return np.stack([self.sample(key) for key in self.select(tick_ns)])


def observation_window(contract: Contract, latency_ns: int = 0) -> ObservationWindow:
    """Make the window that this contract's observations come from.

    `latency_ns` [ns] is from a tick to where its action begins; pictures are as at the tick.
    """
    if isinstance(contract.observation, ImageObservation):
        return ImageWindow(contract)
    return StateWindow(contract, latency_ns)
