"""Where candidate actions come from: negatives for training, argmin for inference."""

from implicit_bc.samplers.derivative_free import DerivativeFreeConfig, Samples, minimize
from implicit_bc.samplers.uniform import uniform_actions

__all__ = ['DerivativeFreeConfig', 'Samples', 'minimize', 'uniform_actions']
