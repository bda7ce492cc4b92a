"""Trials of a policy on the twin: how each went, and the file that says so."""

import contextlib
import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ibc_contract.errors import IbcError


@dataclass(frozen=True)
class Trial:
    """One attempt at a task."""

    score: float
    """When it ended, 0 to 1."""
    success: bool
    seconds: float
    """Until success, until the task's time was over, or until it was stopped [s]."""
    stopped: bool = False
    """It was interrupted, which is neither success nor failure."""
    seed: int | None = None
    """Of the layout, if the twin told it."""
    interventions: dict[str, int] = field(default_factory=dict)
    """Of the driver's safety gate, by kind, as its diagnostics told them."""
    failure: str = ''
    """What was not done in the end, if something was not."""
    ending: str = ''
    """How it was not done."""

    @property
    def outcome(self) -> str:
        """How it ended, in one word."""
        return 'success' if self.success else 'stopped' if self.stopped else 'failure'


def finished(trials: Sequence[Trial]) -> list[Trial]:
    """Return those that count."""
    return [trial for trial in trials if not trial.stopped]


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write the trials as JSON; where that fails, IbcError, and what was there before stays."""
    new = path.with_name(f'{path.name}.new')
    text = json.dumps([dataclasses.asdict(trial) for trial in trials], indent=2) + '\n'
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise IbcError(f'{path}: {error.strerror}') from None


def read_trials(path: Path) -> list[Trial]:
    """Read what `write_trials` wrote."""
    try:
        return [Trial(**entry) for entry in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise IbcError(f'{path} holds no trials: {error}') from None
