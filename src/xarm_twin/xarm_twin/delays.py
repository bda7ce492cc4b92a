"""How late a policy sees and acts: by how much in an episode is drawn from what was measured."""

from dataclasses import dataclass

import numpy as np

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError

Span = tuple[float, float]
"""Least and most [s]."""


@dataclass(frozen=True)
class Delays:
    """Spans that every episode draws its delays from; within it they stay the same."""

    frame_age_s: Span = (0.0, 0.0)
    """Of the newest frame at a tick of the policy [s]."""
    command_s: Span = (0.0, 0.0)
    """From the tick to where the setpoint begins to move [s]."""

    def __post_init__(self) -> None:
        for name, (least, most) in vars(self).items():
            if not 0.0 <= least <= most:
                raise IbcError(f'delays: {name} is {least:g} to {most:g} s: least first, from 0 on')

    def require_within(self, contract: Contract) -> None:
        """Raise IbcError where frames are too old for `contract`, or commands too late."""
        oldest, latest = contract.observation.max_age_s, contract.period_s
        if self.frame_age_s[1] > oldest:
            raise IbcError(
                f'frame_age_s is {self.frame_age_s[1]:g}, contract {contract.name} allows 0 to '
                f'{oldest:g}'
            )
        if self.command_s[1] >= latest:
            raise IbcError(
                f'command_s is {self.command_s[1]:g}, contract {contract.name} allows less than '
                f'{latest:g}'
            )

    def draw(self, seed: int) -> tuple[float, float]:
        """Return frame age and command delay of the episode with this seed [s]."""
        rng = np.random.default_rng((seed, 3))  # not the layout's, nor a demonstrator's
        return float(rng.uniform(*self.frame_age_s)), float(rng.uniform(*self.command_s))


GRAPH = Delays(frame_age_s=(0.03, 0.11), command_s=(0.02, 0.08))
"""What the ROS graph of the twin has on a computer with two cores, the camera at 10 Hz."""
