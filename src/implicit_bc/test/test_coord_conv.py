import pytest
import torch

from implicit_bc.networks.conv_maxpool import ConvMaxPool, ConvMaxPoolConfig
from implicit_bc.networks.conv_resnet import ConvResNet, ConvResNetConfig
from implicit_bc.networks.coord_conv import AppendCoordinates, coordinate_maps


def test_grid_of_an_image_that_is_not_square():
    x, y = coordinate_maps(2, 5)
    assert x.tolist() == [[-1.0, -0.5, 0.0, 0.5, 1.0]] * 2
    assert y.tolist() == [[-1.0] * 5, [1.0] * 5]


def test_coordinates_follow_the_channels_of_every_frame():
    frames = torch.randn(3, 4, 90, 120)
    appended = AppendCoordinates(90, 120)(frames)
    assert appended.shape == (3, 6, 90, 120)
    assert torch.equal(appended[:, :4], frames)
    for row, column in [(0, 0), (89, 0), (17, 101)]:
        x, y = appended[1, 4:, row, column].tolist()
        assert x == pytest.approx(2 * column / 119 - 1, abs=1e-6)
        assert y == pytest.approx(2 * row / 89 - 1, abs=1e-6)


@pytest.mark.parametrize('kind', [ConvMaxPool, ConvResNet])
def test_coordinates_are_no_weights(kind):
    """They follow from the size of the image: files of weights hold none."""
    config = ConvMaxPoolConfig() if kind is ConvMaxPool else ConvResNetConfig(layers=5)
    assert not [key for key in kind(6, 16, 24, config).state_dict() if 'coordinates' in key]


@pytest.mark.parametrize(
    ('kind', 'config'),
    [
        (ConvMaxPool, ConvMaxPoolConfig((4,), (True,), coord_conv=True)),
        (ConvMaxPool, ConvMaxPoolConfig((4,), (True,), coord_conv=False)),
        (ConvResNet, ConvResNetConfig(layers=5, coord_conv=True)),
        (ConvResNet, ConvResNetConfig(layers=5, coord_conv=False)),
    ],
)
def test_only_coord_conv_widens_the_first_convolution(kind, config):
    first = kind(6, 16, 24, config).layers[0]
    assert first.in_channels == 6 + 2 * config.coord_conv
