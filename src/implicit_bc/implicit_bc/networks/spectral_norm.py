"""Dense layers whose largest singular value is 1: "dense layer type: spectral norm" (paper D, E.1).

The weight W is used as W / sigma, where sigma = u . W v estimates its largest singular value and u
and v approach the singular vectors by power iteration (Miyato et al. 2018, Algorithm 1):

    v <- W' u / |W' u|,    u <- W v / |W v|

`power_iteration(network)` does one such step on all layers and is called once per optimizer step,
after it. Nothing else moves u and v: between two calls the network is one fixed function, in
training as in evaluation mode, so that all forwards of a sampling chain, of its micro-batches and
of the loss agree, and inference never iterates. sigma depends on W, and gradients pass through it.
u and v are buffers: they are saved and restored with the weights.

`torch.nn.utils.parametrizations.spectral_norm` does not fit. It iterates whenever the weight is
used in training mode, so a Langevin chain of 100 steps would iterate 100 times and change the
energy as it descends, and the mode that freezes it also turns dropout off. Its `cached()` context
iterates once, but hands the first weight to all users: without a graph if the first one samples
under `no_grad`, otherwise with a single graph, which is gone after the backward of the first of
several micro-batches. And it normalizes one tensor, while the matrix of a late fusion layer lies
in two.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional

INITIAL_ITERATIONS = 15
"""Power iterations on a new matrix; as many as in PyTorch's own spectral norm."""
MOST_ITERATIONS = 300
"""Power iterations on a matrix that will not change any more, at most."""
STILL = 1e-6
"""They end when sigma changes by less than this share in one of them. It then is too small by less
than 0.1 %: the nearer the second singular value is to the first, the longer sigma creeps, but also
the shorter is its way."""


class SpectralNorm(nn.Module):
    """Estimate of the largest singular value of a matrix (rows, columns) that is learned."""

    u: Tensor
    v: Tensor

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        rows, columns = matrix.shape
        self.register_buffer('u', functional.normalize(torch.randn(rows), dim=0))
        self.register_buffer('v', functional.normalize(torch.randn(columns), dim=0))
        self.iterate(matrix, INITIAL_ITERATIONS)

    def forward(self, matrix: Tensor) -> Tensor:
        """Return sigma, a scalar that is differentiable with respect to `matrix`."""
        # Copies: the next iteration may overwrite u and v before this sigma's backward.
        return torch.dot(self.u.clone(), matrix @ self.v.clone())

    @torch.no_grad()
    def iterate(self, matrix: Tensor, times: int = 1) -> None:
        """Move u and v towards the singular vectors of `matrix`."""
        for _ in range(times):
            self.v.copy_(functional.normalize(self.u @ matrix, dim=0))
            self.u.copy_(functional.normalize(matrix @ self.v, dim=0))

    @torch.no_grad()
    def settle(self, matrix: Tensor) -> None:
        """Iterate until sigma stands still."""
        sigma = self(matrix)
        for _ in range(MOST_ITERATIONS):
            self.iterate(matrix)
            before, sigma = sigma, self(matrix)
            if (sigma - before).abs() <= STILL * sigma:
                return


@runtime_checkable
class SpectrallyNormalized(Protocol):
    """A module that divides a matrix of its own by the matrix's spectral norm, or may do so."""

    def normalized_matrix(self) -> tuple[SpectralNorm, Tensor] | None:
        """Return the estimate and its matrix, None where it is used as it is."""
        ...


class SpectralLinear(nn.Linear):
    """A dense layer x -> (W / sigma) x + b; its `weight` is W."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.spectral_norm = SpectralNorm(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return functional.linear(input, used_weight(self), self.bias)

    def normalized_matrix(self) -> tuple[SpectralNorm, Tensor]:
        """Return the estimate and its matrix."""
        return self.spectral_norm, self.weight


def used_weight(layer: nn.Linear) -> Tensor:
    """Weight that `layer` multiplies with: its own, or W / sigma where it is normalized."""
    if isinstance(layer, SpectralLinear):
        return layer.weight / layer.spectral_norm(layer.weight)
    return layer.weight


def power_iteration(network: nn.Module, times: int = 1) -> None:
    """Do `times` power iterations on every spectrally normalized matrix of `network`, if any.

    Once after every optimizer step.
    """
    for norm, matrix in _normalized(network):
        norm.iterate(matrix, times)


def settle_spectral_norm(network: nn.Module) -> None:
    """Iterate on every spectrally normalized matrix of `network` until its norm stands still.

    For weights that were set in another way than by small steps, such as by averaging: to u and v
    they are new matrices, and nobody comes back to iterate on.
    """
    for norm, matrix in _normalized(network):
        norm.settle(matrix)


def _normalized(network: nn.Module) -> Iterator[tuple[SpectralNorm, Tensor]]:
    for module in network.modules():
        if isinstance(module, SpectrallyNormalized):
            normalized = module.normalized_matrix()
            if normalized is not None:
                yield normalized
