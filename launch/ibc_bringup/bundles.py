"""Trained bundles, described for people."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ibc_bringup.report import success_text
from ibc_contract.errors import IbcError
from implicit_bc.bundle import find_bundle, known_bundles, read_description


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
        if not self.tasks:
            raise IbcError(f'model {self.path} names no task: add task:=NAME')
        return self.tasks[0]

    @property
    def success_rate(self) -> float:
        """Measured on its first task; 0 if that was never done."""
        return float(self.results.get(self.tasks[0], {}).get('success_rate', 0.0))

    @property
    def success_text(self) -> str:
        """Success rate with its interval, for people."""
        result = self.results.get(self.tasks[0])
        return success_text(result) if result else 'not measured'


def list_cards() -> list[ModelCard]:
    """Describe every bundle that can be named, best success rate first."""
    cards = [_card(name, path) for name, path in known_bundles().items()]
    return sorted(cards, key=lambda card: (-card.success_rate, card.name))


def read_card(name: str) -> ModelCard:
    """Describe the bundle with this name or in this folder; IbcError lists the known ones."""
    path = find_bundle(name)
    folder = path.resolve()
    # A training run keeps its bundle in a folder of that name.
    return _card(folder.parent.name if folder.name == 'bundle' else folder.name, path)


def _card(name: str, path: Path) -> ModelCard:
    description = read_description(path)
    return ModelCard(
        name,
        path,
        tuple(description['tasks']),
        description['contract']['name'],
        dict(description.get('results') or {}),
    )
