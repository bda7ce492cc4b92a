"""The dense part of a network (paper E.1): `depth` hidden layers of `width` and a linear head.

`ValueConfig.kind` in the words of the paper and of the released code:

    plain        MLP, no skip connections                layers='MLPDropout'
    residual     MLP with "ResNet skip connections"      layers='ResNetPreActivation'
    bottleneck   the MLP of pixel energies               DenseResnetValue

The sweeping models' code was not released. Their "dense ResNet layers", 8, 14 and 20 (D.4), are
2 + 3 k, so most likely bottleneck blocks with a layer before and the head after: depth 7, 13, 19.
"""

import itertools
from collections.abc import Sequence
from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional

from implicit_bc.networks.dropout import Dropout
from implicit_bc.networks.spectral_norm import SpectralLinear, used_weight


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class ValueConfig:
    """Dense layers as in the paper's tables, "network size (width x depth)"."""

    width: Annotated[int, Field(ge=1)] = 256
    depth: Annotated[int, Field(ge=1)] = 2
    """Dense layers before the head. 'plain' and 'bottleneck' count the one that takes the input;
    'residual', like the released code, counts those in its blocks."""
    kind: Literal['plain', 'residual', 'bottleneck'] = 'plain'
    """'plain': ReLU after every layer. 'residual': pre-activation blocks of two layers.
    'bottleneck' is what the released code means by depth 4: blocks of three layers, width ->
    width/4 -> width/4 -> width, a third of the arithmetic of 'plain'."""
    init: Literal['uniform', 'normal'] = 'uniform'
    """'uniform' is PyTorch's; 'normal' draws weights and biases from N(0, 0.05) like the released
    code."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Chance of an activation to be dropped while training. The paper uses 0.1 in its explicit
    policies and found that it does not help energies (B.1)."""
    dense: Literal['regular', 'spectral_norm'] = 'regular'
    """"dense layer type" of the tables, of every dense layer of the network with its head. With
    'spectral_norm' the trainer calls `power_iteration` after each optimizer step."""

    def __post_init__(self) -> None:
        if self.kind == 'bottleneck' and (self.depth % 3 != 1 or self.width % 4):
            raise ValueError('a bottleneck network has depth 1 + 3 k and a width divisible by 4')
        if self.kind == 'residual' and self.depth % 2:
            raise ValueError('a residual network has an even depth: blocks of two layers')


def dense_layer(inputs: int, outputs: int, config: ValueConfig) -> nn.Linear:
    """Build a dense layer of the configured type."""
    return (SpectralLinear if config.dense == 'spectral_norm' else nn.Linear)(inputs, outputs)


class PlainLayers(nn.Module):
    """ReLU and dropout after every dense layer."""

    def __init__(self, config: ValueConfig) -> None:
        super().__init__()
        width = config.width
        self.layers = nn.ModuleList(
            dense_layer(width, width, config) for _ in range(config.depth - 1)
        )
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width); overwrites `x`."""
        x = self.dropout(torch.relu_(x))
        for layer in self.layers:
            x = self.dropout(torch.relu_(layer(x)))
        return x

    def linears(self) -> list[nn.Linear]:
        """Return the dense layers in order."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]


class ResidualLayers(nn.Module):
    """Pre-activation residual blocks, ReLU and dropout before every dense layer."""

    def __init__(self, config: ValueConfig) -> None:
        super().__init__()
        width, narrow = config.width, config.width // 4
        if config.kind == 'residual':
            sizes = [(width, width)] * 2
        else:
            sizes = [(width, narrow), (narrow, narrow), (narrow, width)]
        self.blocks = nn.ModuleList(
            nn.ModuleList(dense_layer(inputs, outputs, config) for inputs, outputs in sizes)
            for _ in range(config.depth // len(sizes))
        )
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        for block in self.linears():
            x = self._inside(block, x).add_(x)
        return x

    def with_head(self, x: Tensor, head: nn.Linear) -> Tensor:
        """Return `head(self(x))` with a layer less: the head takes the last one's place.

        Nothing but a sum lies between the two, so that h (x + W y + b) = h x + (h W) y + h b: one
        product with h W (outputs, inputs of the last layer) instead of W.
        """
        blocks = self.linears()
        if not blocks:
            return head(x)
        *others, last = blocks[-1]
        for block in blocks[:-1]:
            x = self._inside(block, x).add_(x)
        y = self._rectified(self._inside(others, x), inplace=True)
        outer = used_weight(head)
        bias = functional.linear(last.bias, outer, head.bias)
        return functional.linear(x, outer) + functional.linear(y, outer @ used_weight(last), bias)

    def _inside(self, layers: Sequence[nn.Linear], x: Tensor) -> Tensor:
        """Apply ReLU, dropout and a layer at a time."""
        y = layers[0](self._rectified(x))
        for layer in layers[1:]:
            y = layer(self._rectified(y, inplace=True))
        return y

    def _rectified(self, x: Tensor, inplace: bool = False) -> Tensor:
        return self.dropout(functional.relu(x, inplace=inplace))

    def linears(self) -> list[list[nn.Linear]]:
        """Return the dense layers of each block in order."""
        blocks = (block.children() for block in self.blocks)
        return [[layer for layer in block if isinstance(layer, nn.Linear)] for block in blocks]


def hidden_layers(config: ValueConfig) -> PlainLayers | ResidualLayers:
    """Build the layers between the one that takes the input and the head."""
    return PlainLayers(config) if config.kind == 'plain' else ResidualLayers(config)


def trunk_layers(widths: Sequence[int], config: ValueConfig) -> nn.Sequential:
    """Build dense layers with ReLU from each of `widths` to the next; one width gives no layer."""
    return nn.Sequential(
        *(
            layer
            for inputs, outputs in itertools.pairwise(widths)
            for layer in (dense_layer(inputs, outputs, config), nn.ReLU(inplace=True))
        )
    )


class ValueNetwork(nn.Module):
    """Fused observation and action (..., width) -> energy (...)."""

    def __init__(self, config: ValueConfig) -> None:
        super().__init__()
        self.hidden = hidden_layers(config)
        self.head = dense_layer(config.width, 1, config)

    def forward(self, fused: Tensor) -> Tensor:
        """Score `fused`, which is overwritten."""
        if isinstance(self.hidden, ResidualLayers):
            return self.hidden.with_head(fused, self.head)[..., 0]
        return self.head(self.hidden(fused))[..., 0]
