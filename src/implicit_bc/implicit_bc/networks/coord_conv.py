"""Coordinate maps: where in the image a pixel is, as two more channels (CoordConv, paper E.2)."""

import torch
from torch import Tensor, nn


def coordinate_maps(height: int, width: int) -> Tensor:
    """Two maps (2, height, width): x over the width and y over the height, both in [-1, 1]."""
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing='ij'
    )
    return torch.stack((x, y))


class AppendCoordinates(nn.Module):
    """Frames (B, C, H, W) -> (B, C + 2, H, W): x and y appended, the same for every frame.

    Convolutions alone look the same everywhere: with these maps an encoder can tell positions even
    through an average over the image.
    """

    coordinates: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.register_buffer('coordinates', coordinate_maps(height, width)[None], persistent=False)

    def forward(self, frames: Tensor) -> Tensor:
        """Append the maps to `frames` of the size that this was made for."""
        return torch.cat((frames, self.coordinates.expand(len(frames), -1, -1, -1)), dim=1)
