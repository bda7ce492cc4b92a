"""Dropout whose draws come from a generator that is given, not from one that all threads share.

So the parts of a batch draw the same whichever thread takes them, and a CUDA graph, which knows its
own generator only, draws anew at every replay.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Dropout(nn.Module):
    """While training, sets entries to zero by `chance` and divides the others by 1 - `chance`."""

    def __init__(self, chance: float) -> None:
        super().__init__()
        self.chance = chance
        self.generator: torch.Generator | None = None
        """Source of the draws, on the device of the input; PyTorch's own by default."""

    def forward(self, x: Tensor) -> Tensor:
        """Drop entries of `x`, whatever its shape."""
        if not self.training or not self.chance:
            return x
        kept = torch.empty_like(x).bernoulli_(1 - self.chance, generator=self.generator)
        return x * kept.div_(1 - self.chance)


@contextmanager
def dropping_by(generator: torch.Generator, network: nn.Module) -> Iterator[None]:
    """Let all dropout in `network` draw from `generator`."""
    layers = [layer for layer in network.modules() if isinstance(layer, Dropout)]
    for layer in layers:
        layer.generator = generator
    try:
        yield
    finally:
        for layer in layers:
            layer.generator = None
