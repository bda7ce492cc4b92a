"""Energy and explicit networks (paper E)."""

from implicit_bc.networks.encoder import NetworkConfig
from implicit_bc.networks.energy import EnergyNetwork, make_energy
from implicit_bc.networks.explicit import ExplicitNetwork, make_explicit
from implicit_bc.networks.spectral_norm import power_iteration

__all__ = [
    'EnergyNetwork',
    'ExplicitNetwork',
    'NetworkConfig',
    'make_energy',
    'make_explicit',
    'power_iteration',
]
