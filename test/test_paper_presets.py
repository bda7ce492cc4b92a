"""The presets hold the numbers of the paper's appendix D, table by table, as printed there."""

from collections.abc import Callable
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
FINE = {**MAXPOOL, 'image size': '240x180'}
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
        **EXPLICIT,
        'learning rate decay steps': 200,
        'batch size': 512,
        'sequence length': 2,
        **size(2048, 8),
    },
    'paper/pushing_states': {
        **DFO, 'batch size': 512, 'sequence length': 2, **size(128, 8), 'dfo samples': 16384
    },
    'paper/pushing_states_released': {
        **DFO, 'batch size': 512, 'sequence length': 2, **size(128, 8), 'dfo samples': 16384
    },
    'paper/pushing_states_mse': {
        **EXPLICIT,
        'learning rate': 0.0005,
        'batch size': 512,
        'sequence length': 2,
        **size(1024, 8),
    },
    'paper/pushing_states_mdn': {
        **EXPLICIT,
        'batch size': 512,
        'sequence length': 2,
        **size(512, 8),
        'training temperature': 1.0,
        'test temperature': 1.0,
        'test variance exponent': 1.0,
    },
    'paper/pushing_pixels': {
        **DFO, **FINE, 'batch size': 128, **size(1024, 4), 'dfo samples': 4096
    },
    'paper/pushing_pixels_released': {
        **DFO, **FINE, 'batch size': 128, **size(1024, 4), 'dfo samples': 2048
    },
    'paper/pushing_pixels_mse': {
        **EXPLICIT, **FINE, 'batch size': 64, **size(512, 4), 'coord conv': True
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
    'paper/particle': {
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
    'paper/particle_mse': {
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
"""Preset -> the rows of its table, but for the activation: there is none but ReLU."""
CHAINS = {
    'EBM variant': 'Langevin',
    'train iterations': 100_000,
    'batch size': 512,
    'sequence length': 2,
    'learning rate': 0.001,
    **PLAIN_DECAY,
    'dense layer type': 'regular',
    'train counter examples': 8,
    'action boundary buffer': 0.05,
    'gradient penalty': 'final step only',
    'gradient penalty, reduction': 'mean',
    'gradient margin': 1,
    'langevin iterations': 100,
    'langevin learning rate init.': 0.1,
    'langevin learning rate final': 1e-5,
    'langevin polynomial decay power': 2,
    'langevin delta action clip': 0.1,
    'langevin noise scale': 1.0,
}
RELEASED = {
    'paper/particle_released': {
        **CHAINS,
        **size(2048, 2),
        'langevin samples': 512,
        'langevin 2nd iteration learning rate': 'not used',
    },
    'paper/particle_fast_released': {
        **CHAINS,
        **size(256, 2),
        'langevin samples': 512,
        'langevin 2nd iteration learning rate': 'not used',
    },
    'paper/pushing_states_langevin_released': {
        **CHAINS,
        **size(128, 16),
        'langevin samples': 512,
        'langevin 2nd iteration learning rate': 'as the 1st',
    },
    'paper/pushing_pixels_langevin_released': {
        **CHAINS,
        **FINE,
        'batch size': 128,
        **size(1024, 4),
        'coord conv': False,
        'langevin samples': 2048,
        'langevin 2nd iteration learning rate': 'as the 1st',
    },
    'paper/pushing_states_fast_released': {
        **DFO,
        'train iterations': 50_000,
        'batch size': 512,
        'sequence length': 2,
        **size(128, 16),
        'dfo samples': 16384,
    },
    'paper/d4rl_langevin_released': {
        **TABLES['paper/d4rl_langevin'],
        'langevin noise scale, first pass': 1.0,
        'gradient penalty, reduction': 'mean',
        'observations': 'root_std',
    },
}
"""Presets that follow the released code where it leaves its table."""


RESIDUAL = {'layers': 'residual', 'weights': 'normal'}
"""ResNetPreActivation, weights and biases from N(0, 0.05)."""
BOTTLENECK = {'layers': 'bottleneck', 'weights': 'normal'}
"""DenseResnetValue, likewise."""
ALGORITHM_1 = {'sigma_init': 0.33, 'K': 0.5}
Z_SCORE, MIN_MAX = {'actions': 'z_score'}, {'actions': 'min_max'}
BESIDE_THE_TABLES: dict[str, dict[str, Any]] = {
    'paper/d4rl_langevin': {**RESIDUAL, **MIN_MAX},
    'paper/d4rl_langevin_released': {**RESIDUAL, **MIN_MAX},
    'paper/d4rl_mse': {**RESIDUAL, **Z_SCORE},
    'paper/pushing_states': {**RESIDUAL, **Z_SCORE, **ALGORITHM_1},
    'paper/pushing_states_released': {**RESIDUAL, **MIN_MAX, **ALGORITHM_1},
    'paper/pushing_states_fast_released': {**RESIDUAL, **MIN_MAX, **ALGORITHM_1},
    'paper/pushing_states_langevin_released': {**RESIDUAL, **MIN_MAX},
    'paper/pushing_states_mse': {**RESIDUAL, **Z_SCORE},
    'paper/pushing_states_mdn': {**RESIDUAL, **Z_SCORE},
    'paper/pushing_pixels': {**BOTTLENECK, **Z_SCORE, **ALGORITHM_1},
    'paper/pushing_pixels_released': {**BOTTLENECK, **Z_SCORE, **ALGORITHM_1},
    'paper/pushing_pixels_langevin_released': {**BOTTLENECK, **MIN_MAX},
    'paper/pushing_pixels_mse': {**RESIDUAL, **Z_SCORE},
    'paper/pushing_pixels_mdn': {**RESIDUAL, **MIN_MAX},
    'paper/particle': {**RESIDUAL, **MIN_MAX},
    'paper/particle_released': {**RESIDUAL, **MIN_MAX},
    'paper/particle_fast_released': {**RESIDUAL, **MIN_MAX},
    'paper/particle_mse': {**RESIDUAL, **Z_SCORE},
    'paper/sweeping_planar': {**Z_SCORE, **ALGORITHM_1},
    'paper/sweeping_planar_mse': Z_SCORE,
    'paper/sweeping_bimanual': {**Z_SCORE, **ALGORITHM_1},
    'paper/sweeping_bimanual_mse': Z_SCORE,
    **{
        name: {**BOTTLENECK, **Z_SCORE, **ALGORITHM_1}
        for name in (
            'paper/real_pushing',
            'paper/real_pushing_multimodal',
            'paper/real_insertion',
            'paper/real_sorting',
            'real_push',
            'real_insert',
        )
    },
    **{
        f'paper/real_{task}_mse': {**RESIDUAL, **Z_SCORE}
        for task in ('pushing', 'pushing_multimodal', 'insertion', 'sorting')
    },
}
"""What B.1, B.3 and the released code say where tables have no row; of sweeping it has no code."""


def in_the_paper_s_words(config: TrainConfig) -> dict[str, Any]:
    rate, value, method = config.learning_rate, config.network.value, config.method
    contract = load_contract(config.contract)
    penalty = getattr(method, 'gradient_penalty', None)
    words = {
        'train iterations': config.steps,
        'batch size': config.batch_size,
        'sequence length': contract.history,
        'learning rate': rate.initial,
        'learning rate decay': rate.decay,
        'learning rate decay steps': rate.decay_steps,
        'dropout rate': value.dropout,
        'network size': f'{value.width}x{value.depth}',
        '# dense ResNet layers': value.depth + 1,
        'dense layer type': value.dense.replace('_', ' '),
        'action boundary buffer': config.normalization.buffer,
        'gradient penalty': 'none' if penalty is None else 'final step only',
    }
    words |= {
        'layers': value.kind,
        'weights': value.init,
        'actions': config.normalization.action,
        'observations': config.normalization.observation,
        'adam epsilon': config.adam_epsilon,
    }
    observation = contract.observation
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
        case DerivativeFree() | Autoregressive():
            words |= {'sigma_init': method.sampler.sigma, 'K': method.sampler.shrink}
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
    if second is None:
        again = 'not used'
    elif second == sampler.step_size:
        again = 'as the 1st'
    else:
        assert second.initial == second.final
        again = second.initial
    assert method.gradient_penalty is not None
    return {
        'EBM variant': 'Langevin',
        'train counter examples': method.negatives,
        'gradient margin': method.gradient_penalty.margin,
        'langevin iterations': sampler.iterations,
        'langevin learning rate init.': sampler.step_size.initial,
        'langevin learning rate final': sampler.step_size.final,
        'langevin polynomial decay power': sampler.step_size.power,
        'langevin delta action clip': sampler.max_step,
        'langevin noise scale': sampler.noise,
        'langevin noise scale, first pass': sampler.inference_noise,
        'langevin 2nd iteration learning rate': again,
        'langevin samples': sampler.samples,
        'gradient penalty, reduction': method.gradient_penalty.reduction,
    }


@pytest.mark.parametrize('name', [*TABLES, *RELEASED])
def test_every_number_is_that_of_the_table(name):
    table = (TABLES | RELEASED)[name]
    words = in_the_paper_s_words(load_config(name))
    assert {row: words.get(row) for row in table} == table


@pytest.mark.parametrize('name', [*TABLES, *RELEASED])
def test_what_no_table_has_is_as_the_text_or_the_released_code_has_it(name):
    expected = {**BESIDE_THE_TABLES[name], 'adam epsilon': 1e-7}  # Keras' default
    expected.setdefault('observations', (TABLES | RELEASED)[name].get('observations', 'z_score'))
    words = in_the_paper_s_words(load_config(name))
    assert {row: words.get(row) for row in expected} == expected


def test_every_preset_of_the_paper_has_its_table():
    assert set(paper_preset_names()) == {
        name for name in (*TABLES, *RELEASED) if name.startswith('paper/')
    }


@pytest.mark.parametrize(
    ('study', 'policies'),
    [
        ('particle', {'langevin': 'paper/particle', 'mean_squared_error': 'paper/particle_mse'}),
        (
            'pushing',
            {
                'derivative_free': 'paper/pushing_states',
                'mean_squared_error': 'paper/pushing_states_mse',
                'mixture_density': 'paper/pushing_states_mdn',
            },
        ),
    ],
)
def test_a_study_in_full_trains_what_the_tables_say(study, policies):
    preset = load_preset(study, 'paper')
    assert preset.policies == {policy: load_config(name) for policy, name in policies.items()}
    assert preset.demonstrations == 2000  # Table 7
    assert preset.history == 2


@pytest.mark.parametrize(
    ('study', 'policy', 'preset'),
    [
        ('particle', 'langevin', 'particle'),
        ('pushing', 'derivative_free', 'pushing_states'),
        ('pixels', 'derivative_free', 'pushing_pixels'),
    ],
)
def test_a_study_of_the_released_code_trains_its_energies(study, policy, preset):
    paper, released = load_preset(study, 'paper'), load_preset(study, 'released')
    assert next(iter(released.policies)) == policy
    assert released.policies[policy] == load_config(f'paper/{preset}_released')
    others = {name: config for name, config in paper.policies.items() if name != policy}
    assert released.policies == {policy: released.policies[policy], **others}


def test_where_released_code_and_paper_differ_both_have_a_name():
    def both(name: str, what: Callable[[TrainConfig], Any]) -> tuple[Any, Any]:
        return what(load_config(f'paper/{name}')), what(load_config(f'paper/{name}_released'))

    assert both('pushing_states', lambda c: c.normalization.action) == ('z_score', 'min_max')
    assert both('pushing_pixels', lambda c: c.method.sampler.samples) == (4096, 2048)
    for langevin in ('particle', 'd4rl_langevin'):
        reduction = both(langevin, lambda c: c.method.gradient_penalty.reduction)
        assert reduction == ('sum', 'mean')
    assert both('d4rl_langevin', lambda c: c.method.sampler.inference_noise) == (None, 1.0)


def test_the_robot_s_presets_leave_the_table_where_they_say_so():
    ours, theirs = (load_config(name).network.image for name in ('real_push', 'paper/real_pushing'))
    assert (ours.pooling, theirs.pooling) == ('spatial_softmax', 'average')
