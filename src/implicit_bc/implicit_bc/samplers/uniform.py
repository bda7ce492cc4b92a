"""Uniform candidates in the box of actions."""

import torch
from torch import Tensor

from ibc_contract.errors import IbcError


def uniform_actions(
    low: Tensor, high: Tensor, batch: int, count: int, generator: torch.Generator | None = None
) -> Tensor:
    """Draw (batch, count, A) actions uniformly between `low` and `high`, each (A,)."""
    shape = (batch, count, low.shape[0])
    unit = torch.rand(shape, generator=generator, device=low.device, dtype=low.dtype)
    return torch.lerp(low, high, unit)


def first_candidates(
    low: Tensor,
    high: Tensor,
    batch: int,
    count: int,
    start: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Uniform candidates, the first of which are replaced by `start` (B, K, A): a warm start.

    Raises:
        IbcError: `start` holds more than `count` candidates, or is for another batch or box.
    """
    candidates = uniform_actions(low, high, batch, count, generator)
    if start is None:
        return candidates
    fits = start.ndim == 3 and start.shape[1] <= count
    if not fits or start.shape[::2] != candidates.shape[::2]:
        raise IbcError(
            f'start: is {tuple(start.shape)}, this sampler starts {tuple(candidates.shape)} '
            'candidates (observations, samples, dimensions): give fewer, or raise samples'
        )
    candidates[:, : start.shape[1]] = torch.clamp(start, low, high)
    return candidates
