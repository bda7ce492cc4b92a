"""Trials of a policy on the twin: how each went, and the file that says so."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ibc_contract.errors import IbcError


@dataclass(frozen=True)
class Trial:
    """One attempt at a task."""

    score: float
    """Best score reached, 0 to 1."""
    success: bool
    seconds: float
    """Until success, or until the trial was given up [s]."""


def write_trials(path: Path, trials: Sequence[Trial]) -> None:
    """Write the trials as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([dataclasses.asdict(trial) for trial in trials], indent=2) + '\n')


def read_trials(path: Path) -> list[Trial]:
    """Read what `write_trials` wrote."""
    try:
        return [Trial(**entry) for entry in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError) as error:
        raise IbcError(f'{path} holds no trials: {error}') from None
