"""From feature maps to a vector: global average or spatial soft-argmax (paper E.2)."""

from typing import Literal

import torch
from torch import Tensor, nn

from implicit_bc.networks.coord_conv import coordinate_maps
from implicit_bc.precision import full_precision

PoolingKind = Literal['average', 'spatial_softmax']
"""The paper's "pool" and "softmax" (Table 4)."""


class AveragePooling(nn.Module):
    """Global average: what the paper's pushing models and the released code use."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.features = channels

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C), float32."""
        return maps.mean(dim=(2, 3), dtype=torch.float32)


class SpatialSoftArgmax(nn.Module):
    """Expected image position of each of `keypoints` learned maps: (x1, y1, x2, y2, ...).

    A 1x1 convolution makes the maps. Softmax and grid are flattened from the same (H, W) layout, so
    that x and y come out right on maps that are not square.
    """

    grid: Tensor

    def __init__(self, channels: int, keypoints: int, height: int, width: int) -> None:
        super().__init__()
        self.logits = nn.Conv2d(channels, keypoints, kernel_size=1)
        self.log_temperature = nn.Parameter(torch.zeros(()))
        grid = coordinate_maps(height, width).flatten(1).T.contiguous()
        self.register_buffer('grid', grid, persistent=False)
        self.features = 2 * keypoints

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 2 * keypoints), each in [-1, 1]."""
        with full_precision(maps.device):
            logits = self.logits(maps.float()) * torch.exp(-self.log_temperature)
            return soft_argmax(logits, self.grid)


def soft_argmax(logits: Tensor, grid: Tensor) -> Tensor:
    """Expected position of each of K maps `logits` (B, K, H, W) over `grid` (H * W, 2): (B, 2K)."""
    probabilities = torch.softmax(logits.flatten(2), dim=2)
    return (probabilities @ grid).flatten(1)


def make_pooling(
    kind: PoolingKind, channels: int, keypoints: int, height: int, width: int
) -> AveragePooling | SpatialSoftArgmax:
    """Build the pooling of maps (B, channels, height, width); an average ignores `keypoints`."""
    match kind:
        case 'average':
            return AveragePooling(channels)
        case 'spatial_softmax':
            return SpatialSoftArgmax(channels, keypoints, height, width)
