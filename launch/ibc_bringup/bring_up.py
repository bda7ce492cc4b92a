"""The order in which the nodes of a stack come to life; whatever fails leaves no arm enabled."""

import contextlib
from collections.abc import Sequence
from enum import IntEnum
from typing import Protocol

from ibc_contract.errors import IbcError


class Transition(IntEnum):
    """Of a lifecycle node, with the numbers of lifecycle_msgs."""

    CONFIGURE = 1
    ACTIVATE = 3
    DEACTIVATE = 4


class Cell(Protocol):
    """Nodes that are running. Each method waits, and raises IbcError with the node and why."""

    def change(self, nodes: Sequence[str], transition: Transition) -> None:
        """Have `nodes` make a transition, all at the same time."""
        ...

    def see(self, topic: str) -> None:
        """Wait for a picture on `topic`."""
        ...


def bring_up(nodes: Sequence[str], pictures: Sequence[str], cell: Cell) -> None:
    """Configure all nodes, see that every camera shows something, then activate one by one.

    Args:
        nodes: Lifecycle nodes, in the order of activation: the arm before what moves it.
        pictures: Topics of cameras; no arm is enabled that nobody could watch.
        cell: Where they run.

    Raises:
        IbcError: One of them cannot; those that were active no longer are.
    """
    cell.change(nodes, Transition.CONFIGURE)
    for topic in pictures:
        cell.see(topic)
    with contextlib.ExitStack() as undo:
        for node in nodes:
            cell.change([node], Transition.ACTIVATE)
            undo.callback(_deactivate, cell, node)
        undo.pop_all()


def _deactivate(cell: Cell, node: str) -> None:
    with contextlib.suppress(IbcError):  # what went wrong first is what is told
        cell.change([node], Transition.DEACTIVATE)
