"""How well one topic arrives: count, rate, gaps, losses."""

from dataclasses import dataclass


@dataclass
class StreamHealth:
    """Counts of one topic since they were begun. Times in [ns] of one clock."""

    count: int = 0
    size_bytes: int = 0
    lost: int = 0
    """Messages that were sent but never arrived, by the publisher's sequence numbers."""
    longest_gap_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    _sequence: int | None = None

    def add(self, received_ns: int, size_bytes: int, sequence: int | None = None) -> None:
        """Count one message; `sequence` only when a single publisher numbers them."""
        if self.count:
            self.longest_gap_ns = max(self.longest_gap_ns, received_ns - self.last_ns)
        else:
            self.first_ns = received_ns
        if sequence is not None and self._sequence is not None and sequence > self._sequence:
            self.lost += sequence - self._sequence - 1
        self._sequence = sequence
        self.count += 1
        self.size_bytes += size_bytes
        self.last_ns = received_ns

    @property
    def rate_hz(self) -> float:
        """Mean rate between the first and the last message."""
        span = self.last_ns - self.first_ns
        return (self.count - 1) * 1e9 / span if span > 0 else 0.0

    def age_s(self, now_ns: int) -> float:
        """Time since the last message [s]; infinite when there was none."""
        return (now_ns - self.last_ns) / 1e9 if self.count else float('inf')

    def describe(self) -> str:
        """Return one line for people."""
        text = (
            f'{self.count} messages, {self.rate_hz:.1f} Hz, '
            f'longest gap {self.longest_gap_ns / 1e6:.0f} ms'
        )
        return f'{text}, {self.lost} lost' if self.lost else text
