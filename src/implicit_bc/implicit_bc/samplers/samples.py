"""What every sampler ends with, and how one action is chosen from it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ibc_contract.errors import IbcError

Energy = Callable[[Tensor], Tensor]
"""Normalized actions (B, N, A) -> energies (B, N); low is good. It holds the observations."""

Pick = Literal['argmin', 'draw']
"""'argmin' is the paper's choice. 'draw' takes one of the final candidates in proportion to
exp(-energy), which is what the released code amounts to: it gives every mode its turn."""


@dataclass(frozen=True)
class Samples:
    """What a minimization ends with."""

    best: Tensor
    """(B, A): the candidate of lowest energy, or the one drawn (`Pick`)."""
    candidates: Tensor
    """(B, N, A): the final candidates."""
    energies: Tensor
    """(B, N): their energies, row for row (the released code returns those of an older set)."""
    iterations: int = 1
    """Rounds of the search that made them."""


def choose(
    candidates: Tensor,
    energies: Tensor,
    pick: Pick,
    generator: torch.Generator | None = None,
    iterations: int = 1,
) -> Samples:
    """End a minimization with `candidates` (B, N, A) and their `energies` (B, N)."""
    if pick == 'draw':
        best = resample(candidates, energies, 1, generator)
    else:
        best = _take(candidates, energies.argmin(dim=1, keepdim=True))
    return Samples(best[:, 0], candidates, energies, iterations)


def resample(
    candidates: Tensor, energies: Tensor, count: int, generator: torch.Generator | None = None
) -> Tensor:
    """Draw (B, count, A) of `candidates` (B, N, A), with replacement, by exp(-energy).

    Where energies overflow, the draws are no numbers either, nor is what follows from them: whoever
    can name the step or the observation finds out, and no GPU need be waited for until then.
    """
    weights = torch.softmax(-energies.float(), dim=1)
    drawn = _take(candidates, draw_columns(weights, count, generator))
    return drawn.where(weights.isfinite().all(dim=1)[:, None, None], torch.nan)


def draw_columns(weights: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw (B, count) column numbers of `weights` (B, N), with replacement.

    Rows that are not numbers draw uniformly: what is drawn must say so itself, as `resample` does.
    """
    weights = weights.nan_to_num(nan=1.0)
    if count == 1:
        # What `multinomial` does for a single draw, bit for bit, but without its look at the
        # weights, for which a GPU may have to be waited for and no CUDA graph has a place.
        arrival = torch.empty_like(weights).exponential_(generator=generator)
        return (weights / arrival).argmax(dim=1, keepdim=True)
    return torch.multinomial(weights, count, replacement=True, generator=generator)


def require_finite(*found: Tensor) -> None:
    """Raise IbcError if actions that a model answers with, or their energies, are not finite."""
    if not all(numbers.isfinite().all() for numbers in found):
        raise IbcError(
            "the model's answer is not finite: the observation is far outside what it was "
            'trained on, or its weights are damaged'
        )


def _take(candidates: Tensor, index: Tensor) -> Tensor:
    """Pick rows `index` (B, K) of `candidates` (B, N, A)."""
    return candidates.gather(1, index[..., None].expand(-1, -1, candidates.shape[-1]))
