"""The ConvResNet image encoder of paper E.2: residual, and at full resolution throughout.

The paper's sweeping models use it (D.4): 26 layers, 64 encoder features, 64 soft-argmax heads. The
text says no more; the released code's `SpatialAttentionEncoder` shows how 26 come together: one 3x3
convolution, eight bottleneck blocks of three, and the 1x1 convolution of the soft-argmax. Like
there, blocks are pre-activation ones (He et al. 2016, "Identity mappings") without normalization
layers.
"""

import dataclasses
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from implicit_bc.networks.coord_conv import AppendCoordinates
from implicit_bc.networks.pooling import PoolingKind, make_pooling


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class ConvResNetConfig:
    """`layers` convolutions of `width` channels; the defaults are the paper's (D.4).

    A place of the last map sees 3 + 2 pixels per block of the image, 19 at the paper's size, so
    that average pooling without coordinate maps knows next to nothing of positions.
    """

    kind: Literal['conv_resnet'] = dataclasses.field(default='conv_resnet', kw_only=True)
    layers: Annotated[int, Field(ge=5)] = 26
    """2 + 3 per block: the first convolution, the blocks, and the 1x1 convolution of the
    soft-argmax. Average pooling has none: before a dense layer it would add nothing."""
    width: Annotated[int, Field(ge=4, multiple_of=4)] = 64
    """Channels of the maps between blocks ("encoder features"); a quarter of it inside blocks."""
    coord_conv: bool = True
    """Append x and y maps to the image (CoordConv)."""
    pooling: PoolingKind = 'spatial_softmax'
    keypoints: Annotated[int, Field(ge=1)] = 64
    """Maps of the soft-argmax ("spatial softmax heads")."""

    def __post_init__(self) -> None:
        if self.layers % 3 != 2:
            raise ValueError(f'a ConvResNet has 2 + 3 k layers, such as 26, not {self.layers}')


class BottleneckBlock(nn.Module):
    """x + f(x), f = three convolutions 1x1, 3x3, 1x1 with ReLU before each; the size stays."""

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = width // 4
        self.reduce = nn.Conv2d(width, narrow, 1)
        self.mix = nn.Conv2d(narrow, narrow, 3, padding=1)
        self.expand = nn.Conv2d(narrow, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) -> (B, width, H, W)."""
        y = self.reduce(torch.relu(x))
        y = self.mix(torch.relu_(y))
        y = self.expand(torch.relu_(y))
        return y.add_(x)


class ConvResNet(nn.Module):
    """Normalized frames (B, C, H, W) -> features (B, `features`).

    Every layer works on all pixels: eight times the time of ConvMaxPool, and 42 MB kept for the
    backward of each 120x90 image.
    """

    def __init__(self, channels: int, height: int, width: int, config: ConvResNetConfig) -> None:
        super().__init__()
        self.coordinates = AppendCoordinates(height, width) if config.coord_conv else nn.Identity()
        inputs = channels + (2 if config.coord_conv else 0)
        blocks = (BottleneckBlock(config.width) for _ in range((config.layers - 2) // 3))
        self.layers = nn.Sequential(nn.Conv2d(inputs, config.width, 3, padding=1), *blocks)
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pooling = make_pooling(config.pooling, config.width, config.keypoints, height, width)
        self.features = self.pooling.features

    def forward(self, frames: Tensor) -> Tensor:
        """Encode `frames`; any memory format, channels-last is fastest."""
        return self.pooling(self.layers(self.coordinates(frames)))
