import itertools

import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.images import stack_frames
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.conv_maxpool import ConvMaxPool, ConvMaxPoolConfig
from implicit_bc.networks.coord_conv import coordinate_maps
from implicit_bc.networks.energy import EnergyNetwork, FlatEncoder, NetworkConfig, make_energy
from implicit_bc.networks.explicit import ExplicitNetwork, make_explicit
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.networks.pooling import soft_argmax
from implicit_bc.networks.spectral_norm import power_iteration
from implicit_bc.normalization import Affine, Normalizer
from implicit_bc.scaling import NormalizationConfig, Scaling
from implicit_bc.spaces import Spaces

IMAGES = Spaces((2, 90, 120, 3), 2)
STATES = Spaces((2, 18), 2)
LIMITS = (-0.04, 0.04)


def parameters(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(('row', 'column'), [(0, 0), (2, 13), (8, 15), (4, 3)])
def test_soft_argmax_of_a_peak_on_a_map_that_is_not_square(row, column):
    height, width = 9, 16
    logits = torch.zeros(1, 2, height, width)
    logits[0, 0, row, column] = 100.0
    grid = coordinate_maps(height, width).flatten(1).T
    x, y, other_x, other_y = soft_argmax(logits, grid)[0].tolist()
    assert x == pytest.approx(2 * column / (width - 1) - 1, abs=1e-5)
    assert y == pytest.approx(2 * row / (height - 1) - 1, abs=1e-5)
    assert (other_x, other_y) == pytest.approx((0, 0), abs=1e-5)  # a flat map: the middle


def test_frames_are_stacked_as_channels():
    frames = torch.arange(2 * 2 * 3 * 4 * 3, dtype=torch.uint8).reshape(2, 2, 3, 4, 3)
    identity = Normalizer(Affine((0.0, 0.0, 0.0), (1 / 255,) * 3))
    stacked = stack_frames(frames, identity)
    assert stacked.shape == (2, 6, 3, 4)
    for time in range(2):
        for color in range(3):
            expected = frames[:, time, :, :, color].float()
            assert torch.allclose(stacked[:, 3 * time + color], expected, atol=1e-3)


def test_frames_are_normalized_per_color():
    frames = torch.full((1, 2, 2, 2, 3), 51, dtype=torch.uint8)
    stacked = stack_frames(frames, Normalizer(Affine((0.2, 0.0, 0.1), (0.5, 1.0, 0.05))))
    assert stacked[0, :, 0, 0].tolist() == pytest.approx([0, 0.2, 2, 0, 0.2, 2], abs=1e-6)


@pytest.mark.parametrize('kind', ['plain', 'residual', 'bottleneck'])
@pytest.mark.parametrize('dense', ['regular', 'spectral_norm'])
def test_late_fusion_equals_a_dense_layer_over_the_concatenation(kind, dense):
    torch.manual_seed(0)
    value = ValueConfig(width=16, depth=4, kind=kind, dense=dense)
    network = EnergyNetwork(FlatEncoder(6), value, 2)
    observation, actions = torch.randn(3, 2, 3), torch.randn(3, 7, 2)
    joined = torch.cat((observation.flatten(1)[:, None].expand(-1, 7, -1), actions), dim=-1)
    weight = torch.cat((network.observation_half.weight, network.action_half.weight), dim=1)
    if network.spectral_norm is not None:
        weight = weight / network.spectral_norm(weight)
    fused = torch.nn.functional.linear(joined, weight, network.observation_half.bias)
    assert torch.allclose(network(observation, actions), network.value(fused), atol=1e-5)


@pytest.mark.parametrize('name', ['planar_rgb', 'planar_state'])
def test_a_network_without_history_sees_the_newest_sample_only(name):
    torch.manual_seed(0)
    spaces = IMAGES if name == 'planar_rgb' else STATES
    scaling = Scaling.of_data(
        np.zeros((4, *spaces.observation[1:]), np.uint8 if name == 'planar_rgb' else np.float32),
        np.array([[-0.01, -0.01], [0.01, 0.01]]),
        NormalizationConfig(),
        LIMITS,
    )
    observation = torch.randint(0, 255, (1, *spaces.observation), dtype=torch.uint8)
    observation = observation if name == 'planar_rgb' else observation.float() / 255
    changed = observation.clone()
    changed[:, 0] = changed[:, 0].flip(-1) + 1
    actions = torch.randn(1, 5, 2)
    alone = DerivativeFree().model(spaces, NetworkConfig(history=1), scaling).landscape
    assert torch.equal(alone(observation, actions), alone(changed, actions))
    both = DerivativeFree().model(spaces, NetworkConfig(), scaling).landscape
    assert not torch.equal(both(observation, actions), both(changed, actions))


def test_more_history_than_the_contract_gives_is_refused():
    with pytest.raises(IbcError, match='history is 3'):
        make_energy(STATES, NetworkConfig(history=3))


def test_energies_of_one_observation_do_not_depend_on_the_others():
    torch.manual_seed(0)
    network = make_energy(STATES, NetworkConfig())
    observation, actions = torch.randn(4, 2, 18), torch.randn(4, 9, 2)
    together = network(observation, actions)
    assert together.shape == (4, 9)
    alone = network(observation[2:3], actions[2:3, 5:6])
    assert torch.allclose(together[2, 5], alone[0, 0], atol=1e-5)


def test_images_are_encoded_once_for_any_number_of_actions():
    network = make_energy(IMAGES, NetworkConfig(image=ConvMaxPoolConfig((4, 4), (True, True))))
    encoded = []
    network.encoder.register_forward_hook(lambda *_: encoded.append(1))
    assert network(torch.randn(2, 6, 90, 120), torch.randn(2, 300, 2)).shape == (2, 300)
    assert len(encoded) == 1


@pytest.mark.parametrize('pooling', ['average', 'spatial_softmax'])
@pytest.mark.parametrize('coord_conv', [False, True])
@pytest.mark.parametrize('stem_stride', [1, 2])
@pytest.mark.parametrize('flat_channels', [0, 2])
def test_every_combination_of_encoder_options(pooling, coord_conv, stem_stride, flat_channels):
    config = ConvMaxPoolConfig(
        (4, 6, 8),
        (True, True, False),
        stem_stride=stem_stride,
        coord_conv=coord_conv,
        pooling=pooling,
        keypoints=5,
        flat_channels=flat_channels,
    )
    encoder = ConvMaxPool(6, 45, 61, config)
    features = encoder(torch.randn(2, 6, 45, 61))
    assert features.shape == (2, encoder.features)
    features.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_only_average_pooling_is_blind_to_position():
    """Away from the border, shifted images look the same to it (fact of its architecture)."""
    torch.manual_seed(0)
    image = torch.zeros(1, 6, 64, 64)
    image[..., 28:32, 28:32] = 3.0
    shifted = torch.roll(image, (4, 8), dims=(2, 3))

    def change(**options):
        encoder = ConvMaxPool(6, 64, 64, ConvMaxPoolConfig((8, 8), (True, True), **options))
        with torch.no_grad():
            return float((encoder(image) - encoder(shifted)).abs().max())

    assert change(pooling='average', coord_conv=False) < 1e-6
    assert change(pooling='average', coord_conv=True) > 1e-4
    assert change(pooling='spatial_softmax', coord_conv=False) > 1e-4


def test_released_initialization():
    torch.manual_seed(0)
    value = ValueConfig(width=256, depth=4, kind='bottleneck', init='normal')
    network = EnergyNetwork(FlatEncoder(64), value, 2)
    dense = torch.cat([p.flatten() for p in network.parameters()])
    assert float(dense.detach().std()) == pytest.approx(0.05, rel=0.02)


def test_shape_mistakes_in_a_configuration_are_refused():
    with pytest.raises(ValueError, match='2 widths but 1 pools'):
        ConvMaxPoolConfig((4, 4), (True,))
    with pytest.raises(ValueError, match='depth 1 \\+ 3 k'):
        ValueConfig(width=64, depth=3, kind='bottleneck')
    with pytest.raises(ValueError, match='even depth'):
        ValueConfig(width=64, depth=3, kind='residual')


def test_the_papers_pixel_network_counted_by_hand():
    """D.5 "Pushing": 4-layer ConvMaxPool, T = 2, and 1024x4 as the released code builds it."""
    image = ConvMaxPoolConfig(coord_conv=False, pooling='average')
    value = ValueConfig(1024, 4, 'bottleneck', 'normal')
    network = make_energy(IMAGES, NetworkConfig(image=image, value=value))
    widths = (6, 32, 64, 128, 256)
    convolutions = sum(a * b * 9 + b for a, b in itertools.pairwise(widths))
    fusion = (256 + 2) * 1024 + 1024
    block = (1024 * 256 + 256) + (256 * 256 + 256) + (256 * 1024 + 1024)
    head = 1024 + 1
    assert parameters(network) == convolutions + fusion + block + head == 1_246_881


def test_one_network_for_each_number_of_action_dimensions():
    """Autoregressive energies see the first 1, 2, ... numbers of an action."""
    network = make_energy(STATES, NetworkConfig(), action_dim=1)
    assert network(torch.randn(4, 2, 18), torch.randn(4, 9, 1)).shape == (4, 9)


@pytest.mark.parametrize('name', ['planar_rgb', 'planar_state'])
@pytest.mark.parametrize('kind', ['plain', 'residual', 'bottleneck'])
def test_explicit_network_gives_as_many_numbers_as_asked_for(name, kind):
    torch.manual_seed(0)
    spaces = IMAGES if name == 'planar_rgb' else STATES
    config = NetworkConfig(
        image=ConvMaxPoolConfig((4, 4), (True, True)), trunk=(8,), value=ValueConfig(16, 4, kind)
    )
    network = make_explicit(spaces, config, outputs=26 * 5)
    shape = (3, 6, 90, 120) if name == 'planar_rgb' else (3, 2, 18)
    numbers = network(torch.randn(shape))
    assert numbers.shape == (3, 130)
    numbers.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize('kind', ['plain', 'residual', 'bottleneck'])
@pytest.mark.parametrize('dense', ['regular', 'spectral_norm'])
def test_an_explicit_network_is_an_energy_network_without_an_action(kind, dense):
    torch.manual_seed(0)
    value = ValueConfig(16, 4, kind, dense=dense)
    energy = EnergyNetwork(FlatEncoder(6), value, 2, trunk=(12,))
    torch.nn.init.zeros_(energy.action_half.weight)
    power_iteration(energy, 200)
    weights = {
        key.replace('observation_half', 'input').removeprefix('value.'): tensor
        for key, tensor in energy.state_dict().items()
        if not key.startswith(('action_half', 'spectral_norm'))
    }
    explicit = ExplicitNetwork(FlatEncoder(6), value, outputs=1, trunk=(12,))
    explicit.load_state_dict(weights, strict=False)
    power_iteration(explicit, 200)
    observation, actions = torch.randn(5, 2, 3), torch.randn(5, 4, 2)
    torch.testing.assert_close(explicit(observation).expand(-1, 4), energy(observation, actions))


def test_the_state_dict_of_a_shipped_configuration_keeps_its_names():
    network = make_energy(
        IMAGES,
        NetworkConfig(
            image=ConvMaxPoolConfig((4, 4), (True, False)), trunk=(8,), value=ValueConfig(16, 3)
        ),
    )
    layers = ('encoder.layers.0', 'encoder.layers.3', 'encoder.pooling.logits', 'trunk.0')
    layers += ('observation_half', 'value.hidden.layers.0', 'value.hidden.layers.1', 'value.head')
    expected = {f'{layer}.{kind}' for layer in layers for kind in ('weight', 'bias')}
    expected |= {'action_half.weight', 'encoder.pooling.log_temperature'}
    assert set(network.state_dict()) == expected


def test_colors_are_measured_exactly():
    frames = np.random.default_rng(0).integers(0, 256, (5, 8, 6, 3)).astype(np.uint8)
    frames[..., 2] = 51
    scaling = Scaling.of_data(frames, np.zeros((3, 2)), NormalizationConfig(), LIMITS)
    pixels = frames.reshape(-1, 3) / 255
    assert scaling.observation.offset == pytest.approx(tuple(pixels.mean(axis=0)))
    assert scaling.observation.scale[:2] == pytest.approx(tuple(pixels.std(axis=0)[:2]))
    assert scaling.observation.scale[2] == 1.0  # a color that never changes


def test_model_normalizes_inputs_and_bounds():
    rng = np.random.default_rng(0)
    states = rng.normal(5.0, 3.0, (200, 18)).astype(np.float32)
    actions = rng.uniform((-0.01, -0.02), (0.03, 0.01), (200, 2))
    scaling = Scaling.of_data(states, actions, NormalizationConfig(action='min_max'), LIMITS)
    model = DerivativeFree().model(STATES, NetworkConfig(), scaling)
    assert model.low.tolist() == pytest.approx([-1, -1])
    assert model.high.tolist() == pytest.approx([1, 1])
    seen = []
    model.network.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model.landscape(torch.from_numpy(np.stack((states, states), axis=1)), torch.zeros(200, 1, 2))
    assert seen[0].mean().item() == pytest.approx(0, abs=1e-3)
    assert seen[0].std().item() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize('init', ['uniform', 'normal'])
def test_the_first_weights_of_the_two_halves(init):
    torch.manual_seed(0)
    network = EnergyNetwork(FlatEncoder(254), ValueConfig(256, 2, init=init), 2)
    of_action = network.action_half.weight.std().item()
    of_observation = network.observation_half.weight.std().item()
    if init == 'normal':
        assert (of_action, of_observation) == pytest.approx((0.05, 0.05), rel=0.1)
    else:  # each by its own number of inputs: uniform within 1 / sqrt(inputs)
        assert of_action == pytest.approx((1 / 2 / 3) ** 0.5, rel=0.1)
        assert of_observation == pytest.approx((1 / 254 / 3) ** 0.5, rel=0.1)
