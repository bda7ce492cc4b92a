"""Training losses. Low energy is good everywhere in this package."""

from implicit_bc.losses.gradient_penalty import GradientPenaltyConfig, gradient_penalty
from implicit_bc.losses.info_nce import autoregressive_info_nce, info_nce

__all__ = ['GradientPenaltyConfig', 'autoregressive_info_nce', 'gradient_penalty', 'info_nce']
