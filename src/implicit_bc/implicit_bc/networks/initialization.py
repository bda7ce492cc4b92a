"""First weights of a network: PyTorch's, or those of the released code."""

import torch
from torch import nn

from implicit_bc.networks.spectral_norm import INITIAL_ITERATIONS, power_iteration


@torch.no_grad()
def released_initialization(network: nn.Module) -> None:
    """N(0, 0.05) for dense weights and biases, Glorot-uniform convolutions with zero bias."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            module.weight.normal_(0.0, 0.05)
            if module.bias is not None:
                module.bias.normal_(0.0, 0.05)
        elif isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                module.bias.zero_()
    power_iteration(network, INITIAL_ITERATIONS)
