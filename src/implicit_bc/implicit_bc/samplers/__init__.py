"""Where candidate actions come from: negatives for training, argmin for inference."""

from implicit_bc.samplers.autoregressive import (
    AutoregressiveConfig,
    autoregressive_minimize,
    autoregressive_negatives,
)
from implicit_bc.samplers.deadline import NO_DEADLINE, Deadline
from implicit_bc.samplers.derivative_free import DerivativeFreeConfig, minimize
from implicit_bc.samplers.langevin import (
    LangevinConfig,
    StepSize,
    langevin_chain,
    langevin_minimize,
)
from implicit_bc.samplers.modes import Mode, ModesConfig, cluster, find_modes
from implicit_bc.samplers.samples import Energy, Pick, Samples
from implicit_bc.samplers.uniform import uniform_actions

__all__ = [
    'NO_DEADLINE',
    'AutoregressiveConfig',
    'Deadline',
    'DerivativeFreeConfig',
    'Energy',
    'LangevinConfig',
    'Mode',
    'ModesConfig',
    'Pick',
    'Samples',
    'StepSize',
    'autoregressive_minimize',
    'autoregressive_negatives',
    'cluster',
    'find_modes',
    'langevin_chain',
    'langevin_minimize',
    'minimize',
    'uniform_actions',
]
