"""The ConvMaxPool image encoder of paper E.2, with the position information it lacks there."""

import dataclasses
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from ibc_contract.errors import IbcError
from implicit_bc.networks.coord_conv import AppendCoordinates
from implicit_bc.networks.pooling import PoolingKind, make_pooling


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class ConvMaxPoolConfig:
    """Convolutions 3x3 with ReLU, some followed by 2x2 max-pooling; then a vector.

    The defaults are the paper's network with coordinate maps and soft-argmax: with plain average
    pooling the position of an object is only visible through the border of the image.
    """

    kind: Literal['conv_maxpool'] = dataclasses.field(default='conv_maxpool', kw_only=True)
    widths: tuple[int, ...] = (32, 64, 128, 256)
    """Channels of each convolution."""
    pools: tuple[bool, ...] = (True, True, True, True)
    """Whether each convolution is followed by max-pooling."""
    stem_stride: Annotated[int, Field(ge=1, le=2)] = 1
    """Stride of the first convolution; 2 saves most of the time on a CPU."""
    coord_conv: bool = True
    """Append x and y maps to the image (CoordConv)."""
    pooling: PoolingKind = 'spatial_softmax'
    keypoints: Annotated[int, Field(ge=1)] = 64
    """Maps of the soft-argmax."""
    flat_channels: Annotated[int, Field(ge=0)] = 0
    """Channels of an extra branch that keeps every place of the last map; 0 leaves it out."""

    def __post_init__(self) -> None:
        if not self.widths or len(self.widths) != len(self.pools):
            raise ValueError(f'{len(self.widths)} widths but {len(self.pools)} pools')


class ConvMaxPool(nn.Module):
    """Normalized frames (B, C, H, W) -> features (B, `features`)."""

    def __init__(self, channels: int, height: int, width: int, config: ConvMaxPoolConfig) -> None:
        super().__init__()
        self.coordinates = AppendCoordinates(height, width) if config.coord_conv else nn.Identity()
        layers: list[nn.Module] = []
        inputs = channels + (2 if config.coord_conv else 0)
        for i, (outputs, pool) in enumerate(zip(config.widths, config.pools, strict=True)):
            stride = config.stem_stride if i == 0 else 1
            layers.append(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1))
            height, width = -(-height // stride), -(-width // stride)
            if pool:  # before the ReLU, which commutes with the maximum: a quarter of the work
                layers.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            layers.append(nn.ReLU(inplace=True))
            inputs = outputs
        if not (height and width):
            raise IbcError(
                f'network.image: {sum(config.pools)} poolings leave nothing of images this small: '
                'use larger images or fewer pools'
            )
        self.layers = nn.Sequential(*layers)
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pooling = make_pooling(config.pooling, inputs, config.keypoints, height, width)
        self.features = self.pooling.features
        self.flat: nn.Module | None = None
        if config.flat_channels:
            self.flat = nn.Sequential(
                nn.Conv2d(inputs, config.flat_channels, 1), nn.ReLU(), nn.Flatten()
            )
            self.features += config.flat_channels * height * width

    def forward(self, frames: Tensor) -> Tensor:
        """Encode `frames`; any memory format, channels-last is fastest."""
        maps = self.layers(self.coordinates(frames))
        features = self.pooling(maps)
        if self.flat is not None:
            features = torch.cat((features, self.flat(maps)), dim=1)
        return features
