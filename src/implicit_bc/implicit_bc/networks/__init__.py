"""Energy networks (paper E)."""

from implicit_bc.networks.energy import EnergyNetwork, NetworkConfig, make_energy

__all__ = ['EnergyNetwork', 'NetworkConfig', 'make_energy']
