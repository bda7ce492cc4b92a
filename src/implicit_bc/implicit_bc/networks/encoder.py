"""What a network makes of an observation, whatever is learned from it: images or states."""

from typing import Annotated, Any

import pydantic
from pydantic import ConfigDict, Discriminator, Field, Tag
from torch import Tensor, nn

from ibc_contract.errors import IbcError
from implicit_bc.networks.conv_maxpool import ConvMaxPool, ConvMaxPoolConfig
from implicit_bc.networks.conv_resnet import ConvResNet, ConvResNetConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.spaces import Spaces


def _image_kind(image: Any) -> str | None:
    """`kind` of an image configuration; the first models were written without one."""
    if isinstance(image, dict):
        return image.get('kind', 'conv_maxpool')
    return getattr(image, 'kind', None)


ImageConfig = Annotated[
    Annotated[ConvMaxPoolConfig, Tag('conv_maxpool')]
    | Annotated[ConvResNetConfig, Tag('conv_resnet')],
    Discriminator(
        _image_kind,
        custom_error_type='image_kind',
        custom_error_message="kind should be 'conv_maxpool' or 'conv_resnet'",
    ),
]
"""An image encoder, chosen by its `kind`."""


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class NetworkConfig:
    """An energy or explicit network; `image` counts only where observations are images."""

    history: Annotated[int, Field(ge=1)] | None = None
    """How many of the newest samples of an observation the network sees; all by default. Two show
    where the tool is going, and where demonstrations are smooth a network may learn no more than to
    go on like that (the copycat problem: de Haan et al. 2019, Wen et al. 2020)."""
    image: ImageConfig = ConvMaxPoolConfig()
    trunk: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Widths of dense layers with ReLU between encoder and `value`; none in the paper."""
    value: ValueConfig = ValueConfig()


class FlatEncoder(nn.Module):
    """States (B, T, D) -> (B, T * D): the plain MLP of paper E.1."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, observation: Tensor) -> Tensor:
        """Flatten time and state."""
        return observation.flatten(1)


Encoder = ConvMaxPool | ConvResNet | FlatEncoder
"""Normalized observations -> (B, `features`)."""


def samples_seen(spaces: Spaces, config: NetworkConfig) -> int:
    """Number of an observation's samples that the network sees."""
    if config.history is None:
        return spaces.history
    if config.history > spaces.history:
        raise IbcError(
            f'network.history is {config.history}, but an observation has {spaces.history} samples'
        )
    return config.history


def make_encoder(spaces: Spaces, config: NetworkConfig) -> Encoder:
    """Build the encoder for observations of `spaces`."""
    history = samples_seen(spaces, config)
    if not spaces.has_images:
        return FlatEncoder(history * spaces.observation[1])
    channels, (height, width) = 3 * history, spaces.observation[1:3]
    match config.image:
        case ConvMaxPoolConfig():
            return ConvMaxPool(channels, height, width, config.image)
        case ConvResNetConfig():
            return ConvResNet(channels, height, width, config.image)
