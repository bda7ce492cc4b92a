import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.networks.conv_maxpool import ConvMaxPool, ConvMaxPoolConfig
from implicit_bc.networks.conv_resnet import BottleneckBlock, ConvResNet, ConvResNetConfig
from implicit_bc.networks.energy import NetworkConfig, make_energy
from implicit_bc.spaces import Spaces
from implicit_bc.training.config import config_from_dict

SMALL = ConvResNetConfig(layers=8, width=8, keypoints=5)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def convolutions(module: torch.nn.Module) -> list[torch.nn.Conv2d]:
    return [m for m in module.modules() if isinstance(m, torch.nn.Conv2d)]


def seen_from_the_middle(layers: torch.nn.Module, size: int) -> int:
    """Width in pixels of what the middle of the last map depends on."""
    for parameter in layers.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    image = torch.ones(1, 3, size, size, requires_grad=True)
    maps = layers(image)
    middle = maps.shape[-1] // 2
    maps[0, 0, middle, middle].backward()
    assert image.grad is not None
    return int((image.grad[0, 0].abs().sum(dim=0) > 0).sum())


def test_the_papers_network_has_26_layers():
    """D.4: 26 layers, 64 encoder features, 64 heads, T = 2; counted by hand."""
    encoder = ConvResNet(6, 90, 120, ConvResNetConfig())
    assert len(convolutions(encoder)) == 26
    first = (6 + 2) * 64 * 9 + 64
    block = (64 * 16 + 16) + (16 * 16 * 9 + 16) + (16 * 64 + 64)
    heads = 64 * 64 + 64 + 1  # and the temperature
    assert parameters(encoder) == first + 8 * block + heads == 44417
    assert encoder.features == 128


def test_full_resolution_throughout():
    encoder = ConvResNet(6, 13, 17, SMALL)
    sizes = []
    for module in convolutions(encoder):
        module.register_forward_hook(lambda _, args, out: sizes.append(tuple(out.shape[2:])))
    encoder(torch.randn(2, 6, 13, 17))
    assert sizes == [(13, 17)] * 8


def test_receptive_fields():
    """19 pixels for the ConvResNet, 46 for the ConvMaxPool: no place sees the whole image."""
    resnet = ConvResNet(3, 31, 31, ConvResNetConfig(coord_conv=False))
    assert seen_from_the_middle(resnet.layers, 31) == 19
    maxpool = ConvMaxPool(3, 112, 112, ConvMaxPoolConfig(coord_conv=False))
    averaging = (  # a maximum would pass its gradient to one pixel only
        torch.nn.AvgPool2d(2) if isinstance(layer, torch.nn.MaxPool2d) else layer
        for layer in maxpool.layers
    )
    assert seen_from_the_middle(torch.nn.Sequential(*averaging), 112) == 46


def test_a_block_without_weights_is_the_identity():
    block = BottleneckBlock(8)
    for parameter in block.parameters():
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 8, 5, 7)
    before = x.clone()
    assert torch.equal(block(x), before)
    assert torch.equal(x, before)  # not overwritten


def test_a_block_is_its_formula():
    torch.manual_seed(0)
    block = BottleneckBlock(4)
    x = torch.randn(1, 4, 3, 3)
    y = block.expand(block.mix(block.reduce(x.relu()).relu()).relu())
    torch.testing.assert_close(block(x), x + y)


@pytest.mark.parametrize('pooling', ['average', 'spatial_softmax'])
@pytest.mark.parametrize('coord_conv', [False, True])
def test_every_combination_of_options(pooling, coord_conv):
    torch.manual_seed(0)
    config = ConvResNetConfig(
        layers=8, width=8, coord_conv=coord_conv, pooling=pooling, keypoints=5
    )
    encoder = ConvResNet(6, 9, 14, config)
    features = encoder(torch.randn(2, 6, 9, 14))
    assert features.shape == (2, encoder.features) == (2, 8 if pooling == 'average' else 10)
    features.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_a_bright_dot_is_found_where_it_is():
    """With weights set by hand the first keypoint is the place of the dot."""
    encoder = ConvResNet(3, 9, 16, ConvResNetConfig(layers=5, width=4, coord_conv=False))
    for parameter in encoder.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        encoder.layers[0].weight[0, 0, 1, 1] = 1.0
        encoder.pooling.logits.weight[0, 0] = 50.0
    frames = torch.zeros(1, 3, 9, 16)
    frames[0, 0, 2, 12] = 1.0
    x, y = encoder(frames)[0, :2].tolist()
    assert (x, y) == pytest.approx((2 * 12 / 15 - 1, 2 * 2 / 8 - 1), abs=1e-5)


def test_kind_chooses_the_encoder():
    resnet = NetworkConfig(image=ConvResNetConfig(layers=5, width=8))
    assert isinstance(make_energy(Spaces((2, 90, 120, 3), 2), resnet).encoder, ConvResNet)
    read = config_from_dict({'network': {'image': {'kind': 'conv_resnet', 'layers': 14}}}, 'here')
    assert read.network.image == ConvResNetConfig(layers=14)
    assert config_from_dict(read.to_dict(), 'here') == read
    older = config_from_dict({'network': {'image': {'widths': [8], 'pools': [True]}}}, 'here')
    assert older.network.image == ConvMaxPoolConfig((8,), (True,))


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        ({'kind': 'resnet'}, "kind should be 'conv_maxpool' or 'conv_resnet'"),
        ({'kind': 'conv_resnet', 'widths': [8]}, 'widths'),
        ({'kind': 'conv_resnet', 'layers': 20, 'width': 6}, 'width'),
        ({'kind': 'conv_resnet', 'layers': 25}, '2 \\+ 3 k layers, such as 26, not 25'),
    ],
)
def test_mistakes_in_a_configuration_are_refused(image, message):
    with pytest.raises(IbcError, match=message):
        config_from_dict({'network': {'image': image}}, 'here')
