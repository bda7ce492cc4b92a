"""Which of the modes that a camera offers comes closest to the wanted one."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from ibc_contract.errors import IbcError

SHAPE_TOLERANCE = 0.02
"""424x240 counts as 16:9."""
LOW_RATE_HZ = 15
"""Below this, a frame may be too old for a policy that acts at 5 Hz."""


@dataclass(frozen=True, order=True)
class StreamMode:
    """Size [px] and rate [Hz] of a colour stream."""

    width: int
    height: int
    fps: int

    def __str__(self) -> str:
        return f'{self.width}x{self.height} at {self.fps} Hz'


def choose_mode(wanted: StreamMode, offered: Collection[StreamMode]) -> StreamMode:
    """Return the offered mode that is closest to the wanted one.

    Only modes of the same shape count: another shape shows another part of the scene, squashed
    differently, which is no substitute to a policy. Among them a usable rate comes first, then
    the number of pixels, then the rate.

    Raises:
        IbcError: Nothing of that shape is offered; the message lists what is.
    """
    shape = wanted.width / wanted.height
    same = [m for m in offered if abs(m.width / m.height / shape - 1) < SHAPE_TOLERANCE]
    if not same:
        offers = ', '.join(map(str, sorted(offered))) or 'no colour stream'
        raise IbcError(
            f'no mode has the shape of {wanted.width}x{wanted.height}; offered: {offers}'
        )

    def distance(mode: StreamMode) -> tuple[bool, float, float, int]:
        pixels = mode.width * mode.height / (wanted.width * wanted.height)
        return (
            mode.fps < min(LOW_RATE_HZ, wanted.fps),
            abs(math.log(pixels)),
            abs(math.log(mode.fps / wanted.fps)),
            mode.fps,
        )

    return min(same, key=distance)
