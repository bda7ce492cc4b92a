"""Shapes that a model works between."""

from dataclasses import dataclass

from ibc_contract.contract import Contract, ImageObservation

MOVE = 2
"""A move of the setpoint in the plane of `link_base` has two numbers."""


@dataclass(frozen=True)
class Spaces:
    """Shape of an observation and length of an action."""

    observation: tuple[int, ...]
    """(T, h, w, 3) for images, uint8 RGB; (T, D) for states, float32. Oldest sample first."""
    action: int

    @classmethod
    def of_contract(cls, contract: Contract) -> 'Spaces':
        """Shapes of a contract."""
        observed, history = contract.observation, contract.history
        if isinstance(observed, ImageObservation):
            return cls((history, observed.height_px, observed.width_px, 3), MOVE)
        return cls((history, observed.width), MOVE)

    @property
    def history(self) -> int:
        """Samples in an observation, T."""
        return self.observation[0]

    @property
    def has_images(self) -> bool:
        """Whether the samples are images."""
        return len(self.observation) == 4
