"""Training losses. Low energy is good everywhere in this package."""

from implicit_bc.losses.info_nce import info_nce

__all__ = ['info_nce']
