"""The dense half of an energy: hidden layers over (B, N, width) and a scalar head."""

from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class ValueConfig:
    """Width x depth as in the paper's tables; the first of `depth` layers fuses the action."""

    width: Annotated[int, Field(ge=1)] = 256
    depth: Annotated[int, Field(ge=1)] = 2
    kind: Literal['plain', 'bottleneck'] = 'plain'
    """'bottleneck' is what the released code means by depth 4: residual blocks of three dense
    layers, width -> width/4 -> width/4 -> width, a third of the arithmetic of 'plain'."""
    init: Literal['uniform', 'normal'] = 'uniform'
    """'uniform' is PyTorch's; 'normal' draws weights and biases from N(0, 0.05) like the released
    code."""

    def __post_init__(self) -> None:
        if self.kind == 'bottleneck' and (self.depth % 3 != 1 or self.width % 4):
            raise ValueError('a bottleneck network has depth 1 + 3 k and a width divisible by 4')


class PlainLayers(nn.Module):
    """ReLU after every dense layer."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth - 1))

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width); overwrites `x`."""
        x = torch.relu_(x)
        for layer in self.layers:
            x = torch.relu_(layer(x))
        return x


class BottleneckLayers(nn.Module):
    """Pre-activation residual blocks of three dense layers."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        narrow = width // 4
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                (nn.Linear(width, narrow), nn.Linear(narrow, narrow), nn.Linear(narrow, width))
            )
            for _ in range((depth - 1) // 3)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        for block in self.blocks:
            y = x
            for layer in block:  # type: ignore[attr-defined]
                y = layer(torch.relu(y))
            x = x + y
        return x


class ValueNetwork(nn.Module):
    """Fused input (..., width) -> outputs (..., k), such as one energy."""

    def __init__(self, config: ValueConfig, outputs: int = 1) -> None:
        super().__init__()
        layers = PlainLayers if config.kind == 'plain' else BottleneckLayers
        self.hidden = layers(config.width, config.depth)
        self.head = nn.Linear(config.width, outputs)

    def forward(self, fused: Tensor) -> Tensor:
        """Answer for `fused`, which is overwritten."""
        return self.head(self.hidden(fused))
