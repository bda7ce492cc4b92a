"""The presets hold the numbers of the paper's appendix D, table by table, as printed there."""

from typing import Any

import pytest

from ibc_contract.contract import load_contract
from ibc_studies.preset import load_preset
from implicit_bc.methods import Autoregressive, DerivativeFree, Langevin, MixtureDensity
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.conv_resnet import ConvResNetConfig
from implicit_bc.preset_files import paper_preset_names
from implicit_bc.training.config import TrainConfig, load_config

PLAIN_DECAY = {'learning rate decay': 0.99, 'learning rate decay steps': 100}
DFO = {
    'EBM variant': 'DFO',
    'train iterations': 100_000,
    'learning rate': 0.001,
    **PLAIN_DECAY,
    'dense layer type': 'regular',
    'train counter examples': 256,
    'action boundary buffer': 0.05,
    'gradient penalty': 'none',
    'dfo iterations': 3,
}
EXPLICIT = {'train iterations': 100_000, 'learning rate': 0.001, **PLAIN_DECAY, 'dropout rate': 0.1}
MAXPOOL = {'Conv. Net.': '4-layer ConvMaxPool', 'sequence length': 2}
REAL = {**MAXPOOL, 'image size': '120x90'}
SWEEPING = {
    'train iterations': 1_000_000,
    'learning rate': 1e-4,
    'sequence length': 2,
    'Conv. Net.': 'ConvResNet',
    '# encoder features': 64,
    '# Conv ResNet encoder layers': 26,
    '# spatial softmax heads': 64,
    '# dense ResNet layers': 20,
}
AUTOREGRESSIVE = {
    'EBM variant': 'Autoregressive',
    'train counter examples per action dim': 1024,
    'inference examples per action dim': 1024,
}


def size(width: int, depth: int) -> dict[str, str]:
    return {'network size': f'{width}x{depth}'}


TABLES: dict[str, dict[str, Any]] = {
    'paper/d4rl_langevin': {
        'EBM variant': 'Langevin',
        'train iterations': 100_000,
        'batch size': 512,
        'learning rate': 0.0005,
        **PLAIN_DECAY,
        **size(512, 8),
        'dense layer type': 'spectral norm',
        'train counter examples': 8,
        'action boundary buffer': 0.05,
        'gradient penalty': 'final step only',
        'gradient margin': 1,
        'langevin iterations': 100,
        'langevin learning rate init.': 0.5,
        'langevin learning rate final': 1e-5,
        'langevin polynomial decay power': 2,
        'langevin delta action clip': 0.5,
        'langevin noise scale': 0.5,
        'langevin 2nd iteration learning rate': 1e-5,
    },
    'paper/d4rl_mse': {
        **EXPLICIT, 'learning rate decay steps': 200, 'batch size': 512, **size(2048, 8)
    },
    'pushing_paper derivative_free': {
        **DFO, 'batch size': 512, 'sequence length': 2, **size(128, 8), 'dfo samples': 16384
    },
    'paper/pushing_states_released': {
        **DFO, 'batch size': 512, **size(128, 8), 'dfo samples': 16384
    },
    'pushing_paper mean_squared_error': {
        **EXPLICIT,
        'learning rate': 0.0005,
        'batch size': 512,
        'sequence length': 2,
        **size(1024, 8),
    },
    'pushing_paper mixture_density': {
        **EXPLICIT,
        'batch size': 512,
        'sequence length': 2,
        **size(512, 8),
        'training temperature': 1.0,
        'test temperature': 1.0,
        'test variance exponent': 1.0,
    },
    'paper/pushing_pixels': {
        **DFO, **MAXPOOL, 'batch size': 128, **size(1024, 4), 'dfo samples': 4096
    },
    'paper/pushing_pixels_released': {
        **DFO, **MAXPOOL, 'batch size': 128, **size(1024, 4), 'dfo samples': 2048
    },
    'paper/pushing_pixels_mse': {
        **EXPLICIT, **MAXPOOL, 'batch size': 64, **size(512, 4), 'coord conv': True
    },
    'paper/pushing_pixels_mdn': {
        **EXPLICIT,
        **REAL,
        'batch size': 32,
        **size(512, 8),
        'network num components': 26,
        'training temperature': 2.0,
        'test temperature': 2.0,
        'test variance exponent': 4.0,
    },
    'particle_paper langevin': {
        'EBM variant': 'Langevin',
        'train iterations': 50_000,
        'batch size': 128,
        'sequence length': 2,
        'learning rate': 0.001,
        **PLAIN_DECAY,
        **size(128, 16),
        'dense layer type': 'spectral norm',
        'train counter examples': 64,
        'gradient penalty': 'final step only',
        'gradient margin': 1,
        'langevin iterations': 50,
        'langevin learning rate init.': 0.1,
        'langevin learning rate final': 1e-5,
        'langevin polynomial decay power': 2,
        'langevin delta action clip': 0.1,
        'langevin noise scale': 1.0,
        'langevin 2nd iteration learning rate': 'not used',
    },
    'particle_paper mean_squared_error': {
        **EXPLICIT,
        'learning rate decay steps': 200,
        'batch size': 512,
        'sequence length': 2,
        **size(128, 16),
    },
    'paper/sweeping_planar': {**SWEEPING, **AUTOREGRESSIVE, 'batch size': 64},
    'paper/sweeping_planar_mse': {**SWEEPING, 'batch size': 64},
    'paper/sweeping_bimanual': {**SWEEPING, **AUTOREGRESSIVE, 'batch size': 32},
    'paper/sweeping_bimanual_mse': {**SWEEPING, 'batch size': 32},
    'paper/real_pushing': {
        **DFO, **REAL, 'batch size': 128, **size(1024, 4), 'dfo samples': 1024
    },
    'paper/real_pushing_multimodal': {
        **DFO, **REAL, 'batch size': 256, **size(1024, 4), 'dfo samples': 1024
    },
    'paper/real_insertion': {
        **DFO, **REAL, 'batch size': 256, **size(2048, 4), 'dfo samples': 2048
    },
    'paper/real_sorting': {
        **DFO, **REAL, 'batch size': 256, **size(1024, 4), 'dfo samples': 2048
    },
    'real_push': {**DFO, **REAL, 'batch size': 128, **size(1024, 4), 'dfo samples': 1024},
    'real_insert': {**DFO, **REAL, 'batch size': 256, **size(2048, 4), 'dfo samples': 2048},
    'paper/real_pushing_mse': {**EXPLICIT, **REAL, 'batch size': 128, **size(512, 4)},
    'paper/real_pushing_multimodal_mse': {**EXPLICIT, **REAL, 'batch size': 128, **size(1024, 4)},
    'paper/real_insertion_mse': {**EXPLICIT, **REAL, 'batch size': 128, **size(1024, 4)},
    'paper/real_sorting_mse': {**EXPLICIT, **REAL, 'batch size': 128, **size(1024, 4)},
}  # fmt: skip
"""Preset (of a study: with the policy) -> the rows of its table. Activations are all ReLU."""
RELEASED = {
    'paper/particle_released': {
        'EBM variant': 'Langevin',
        'train iterations': 100_000,
        'batch size': 512,
        **size(2048, 2),
        'dense layer type': 'regular',
        'train counter examples': 8,
        'langevin iterations': 100,
    }
}
"""Presets that follow the released code where it leaves its table."""


def load(name: str) -> tuple[TrainConfig, int]:
    """Configuration and sequence length of a preset, or of a policy of a study's preset."""
    preset, _, policy = name.partition(' ')
    if policy:
        study = load_preset(*preset.rsplit('_', 1))
        return study.policies[policy], study.history
    config = load_config(preset)
    return config, load_contract(config.contract).history


def in_the_paper_s_words(config: TrainConfig, history: int) -> dict[str, Any]:
    rate, value, method = config.learning_rate, config.network.value, config.method
    words = {
        'train iterations': config.steps,
        'batch size': config.batch_size,
        'sequence length': history,
        'learning rate': rate.initial,
        'learning rate decay': rate.decay,
        'learning rate decay steps': rate.decay_steps,
        'dropout rate': value.dropout,
        'network size': f'{value.width}x{value.depth}',
        '# dense ResNet layers': value.depth + 1,
        'dense layer type': value.dense.replace('_', ' '),
        'action boundary buffer': config.normalization.buffer,
        'gradient penalty': 'none',
    }
    observation = load_contract(config.contract).observation
    if observation.kind == 'image':
        words['image size'] = f'{observation.width_px}x{observation.height_px}'
    match config.network.image:
        case ConvMaxPoolConfig((32, 64, 128, 256)) as image:  # E.2
            words |= {'Conv. Net.': '4-layer ConvMaxPool', 'coord conv': image.coord_conv}
        case ConvResNetConfig() as image:
            words |= {
                'Conv. Net.': 'ConvResNet',
                '# encoder features': image.width,
                '# Conv ResNet encoder layers': image.layers,
                '# spatial softmax heads': image.keypoints,
            }
    match method:
        case DerivativeFree():
            words |= {
                'EBM variant': 'DFO',
                'train counter examples': method.negatives,
                'dfo samples': method.sampler.samples,
                'dfo iterations': method.sampler.iterations,
            }
        case Autoregressive():
            words |= {
                'EBM variant': 'Autoregressive',
                'train counter examples per action dim': method.negatives,
                'inference examples per action dim': method.sampler.samples,
            }
        case Langevin():
            words |= langevin_words(method)
        case MixtureDensity():
            words |= {
                'network num components': method.components,
                'training temperature': method.training_temperature,
                'test temperature': method.test_temperature,
                'test variance exponent': method.test_variance_exponent,
            }
    return words


def langevin_words(method: Langevin) -> dict[str, Any]:
    sampler, second = method.sampler, method.sampler.second_pass
    assert second is None or second.initial == second.final
    assert method.gradient_penalty is not None
    return {
        'EBM variant': 'Langevin',
        'train counter examples': method.negatives,
        'gradient penalty': 'final step only',
        'gradient margin': method.gradient_penalty.margin,
        'langevin iterations': sampler.iterations,
        'langevin learning rate init.': sampler.step_size.initial,
        'langevin learning rate final': sampler.step_size.final,
        'langevin polynomial decay power': sampler.step_size.power,
        'langevin delta action clip': sampler.max_step,
        'langevin noise scale': sampler.noise,
        'langevin 2nd iteration learning rate': second.initial if second else 'not used',
    }


@pytest.mark.parametrize('name', [*TABLES, *RELEASED])
def test_every_number_is_that_of_the_table(name):
    table = (TABLES | RELEASED)[name]
    words = in_the_paper_s_words(*load(name))
    assert {row: words.get(row) for row in table} == table


def test_every_preset_of_the_paper_has_its_table():
    assert set(paper_preset_names()) == {
        name for name in (*TABLES, *RELEASED) if name.startswith('paper/')
    }


def test_where_released_code_and_paper_differ_both_have_a_name():
    assert load_config('paper/pushing_states_released').normalization.action == 'min_max'
    paper, released = (
        load_config('paper/pushing_pixels'),
        load_config('paper/pushing_pixels_released'),
    )
    assert paper.method.sampler.samples == 2 * released.method.sampler.samples
    ours, theirs = (
        load_config('real_push').network.image,
        load_config('paper/real_pushing').network.image,
    )
    assert (ours.pooling, theirs.pooling) == ('spatial_softmax', 'average')
