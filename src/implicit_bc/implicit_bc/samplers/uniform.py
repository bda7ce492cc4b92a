"""Uniform candidates in the box of actions."""

import torch
from torch import Tensor


def uniform_actions(
    low: Tensor, high: Tensor, batch: int, count: int, generator: torch.Generator | None = None
) -> Tensor:
    """Draw (batch, count, A) actions uniformly between `low` and `high`, each (A,)."""
    shape = (batch, count, low.shape[0])
    unit = torch.rand(shape, generator=generator, device=low.device, dtype=low.dtype)
    return torch.lerp(low, high, unit)
