"""Gaussian noise for candidates."""

import torch
from torch import Tensor


def gaussian(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw standard normal noise of the shape, type and device of `like`."""
    return torch.randn(like.shape, generator=generator, device=like.device, dtype=like.dtype)
