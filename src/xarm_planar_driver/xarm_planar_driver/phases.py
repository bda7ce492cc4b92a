"""What the arm may be doing, what a person may ask for, and how that ends."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """What the arm is doing."""

    IDLE = 'idle'
    HOMING = 'homing'
    ACTIVE = 'active'
    HOLDING = 'holding'
    """Enabled where it stood, off the plane: it moves no further unless it is sent home."""
    STOPPED = 'stopped'


ENABLED = frozenset((Phase.HOMING, Phase.ACTIVE, Phase.HOLDING))
"""Phases in which the motors are on and the arm gets points."""


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


class Waiting:
    """Who wants to hear when the arm has arrived, or that it will not."""

    def __init__(self) -> None:
        self._answers: list[Answer] = []

    def add(self, answer: Answer) -> None:
        """Let `answer` hear how it ends."""
        self._answers.append(answer)

    def tell(self, outcome: Outcome) -> None:
        """Tell all of them."""
        answers, self._answers = self._answers, []
        for answer in answers:
            answer(outcome)
