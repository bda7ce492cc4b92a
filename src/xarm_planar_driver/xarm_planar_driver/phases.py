"""What the arm may be doing, what a person may ask for, and how that ends."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What the arm is doing."""

    IDLE = 'idle'
    HOMING = 'homing'
    ACTIVE = 'active'
    STOPPED = 'stopped'


class Request(StrEnum):
    """What a person may ask for."""

    ENABLE = 'enable'
    DISABLE = 'disable'
    STOP = 'stop'
    RESET = 'reset'
    HOME = 'home'


@dataclass(frozen=True)
class Outcome:
    """How a request ended."""

    success: bool
    message: str


Answer = Callable[[Outcome], None]
