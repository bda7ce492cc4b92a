"""Trained bundles, described for people."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ibc_bringup.report import success_text
from ibc_contract.contract import Contract, load_contract
from ibc_contract.errors import IbcError
from implicit_bc.bundle_files import (
    bundle_name,
    check_weights,
    find_bundle,
    known_bundles,
    read_description,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelCard:
    """What a bundle says about itself."""

    name: str
    path: Path
    tasks: tuple[str, ...]
    contract: str
    results: dict[str, Any]
    """Task -> measured score, success_rate, wilson95, episodes."""

    @property
    def task(self) -> str:
        """The task to run it on."""
        from xarm_twin.tasks import TASK_NAMES

        if not self.tasks:
            raise IbcError(
                f'model {self.path} names no task: add --task NAME (a stack: task:=NAME)'
            )
        if self.tasks[0] not in TASK_NAMES:
            raise IbcError(
                f'model {self.path} was trained for {self.tasks[0]}, a task that is not known '
                f'here: add --task NAME (a stack: task:=NAME), one of {", ".join(TASK_NAMES)}'
            )
        return self.tasks[0]

    @property
    def success_rate(self) -> float:
        """Measured on its first task; 0 if that was never done."""
        return float(self._result['success_rate']) if self._result else 0.0

    @property
    def success_text(self) -> str:
        """Success rate with its interval, for people."""
        return success_text(self._result) if self._result else 'not measured'

    @property
    def _result(self) -> dict[str, Any] | None:
        return self.results.get(self.tasks[0]) if self.tasks else None


def list_cards() -> list[ModelCard]:
    """Describe every bundle that can be named, best success rate first.

    One that cannot be read is left out with a warning: the others can be used all the same.
    """
    cards, problems = read_cards()
    for problem in problems:
        log.warning('left out: %s', problem)
    return cards


def read_cards() -> tuple[list[ModelCard], list[IbcError]]:
    """Return the cards, best success rate first, and what is wrong with the other bundles."""
    cards, problems = [], []
    for name, path in known_bundles().items():
        try:
            cards.append(_card(name, path))
        except IbcError as error:
            problems.append(error)
    return sorted(cards, key=lambda card: (-card.success_rate, card.name)), problems


def read_card(name: str) -> ModelCard:
    """Describe the bundle with this name or in this folder; IbcError lists the known ones."""
    path = find_bundle(name)
    return _card(bundle_name(path), path)


def check_bundle(path: Path) -> Contract:
    """Return the contract of a bundle; IbcError unless it is complete and for one of ours."""
    description = read_description(path)
    trained_for = Contract.from_dict(description['contract'])
    try:
        ours = load_contract(trained_for.name)
    except IbcError as error:
        raise IbcError(f'model {path}: {error}: train it again under one of these') from None
    for contract_hash in (trained_for.hash, description['contract_hash']):
        ours.require_same(contract_hash, f'model {path}', trained_for.name)
    check_weights(path)
    return ours


def _card(name: str, path: Path) -> ModelCard:
    description = read_description(path)
    return ModelCard(
        name,
        path,
        tuple(description['tasks']),
        description['contract']['name'],
        dict(description.get('results') or {}),
    )
