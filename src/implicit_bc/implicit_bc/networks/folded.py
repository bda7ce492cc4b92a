"""Energies of many actions for given observations, without what need not be computed for each.

The head h is linear, and so is all that only sums lie between. For x = e + A a, the fused input of
a residual network, and blocks that end in a layer W_k z_k + b_k,

    E = h.(x + sum_k (W_k z_k + b_k)) + c
      = (h.e + sum_k h.b_k + c) + (A'h).a + sum_k (W_k'h).z_k

The last layer of every block becomes a dot product (where another block follows, it needs the layer
too), and x is seen through its ReLU alone. Of the paper's value network for the robot, one block
1024 -> 256 -> 256 -> 1024, that leaves 55 % of the products behind the first layer. A plain network
has a ReLU before its head and nothing to fold.

All of it is linear algebra on the same weights: results differ by rounding. Folding them costs a
few products of a vector and a matrix, so that it is done anew for every decision, and no copy can
be older than the weights.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from implicit_bc.networks.mlp import PlainLayers, ResidualLayers, ValueNetwork
from implicit_bc.networks.spectral_norm import used_weight
from implicit_bc.threads import side_by_side

CHUNK = 512
"""Actions scored at a time by a CPU thread, so that what passes between layers stays in its
caches: at 1024 floats each 2 MB, and all layers but the first are narrower in the paper's network.
"""

Layer = tuple[Tensor, Tensor]
"""Weight (out, in) and bias (out,)."""


class FoldedEnergy:
    """Energies (B, N) of normalized actions (B, N, A), as `EnergyNetwork.score` gives them.

    It carries no gradients, and dropout rests.
    """

    @torch.no_grad()
    def __init__(self, embedded: Tensor, action_weight: Tensor, value: ValueNetwork) -> None:
        """Fold `value` for observations `embedded` (B, width).

        Args:
            embedded: The observations' half of the first dense layer, e.
            action_weight: The actions' half of its weight, A (width, A).
            value: The other layers.
        """
        head = used_weight(value.head)[0]
        hidden, offset = value.hidden, value.head.bias.expand(len(embedded))
        # e + A a as one product: (a, 1) times [A e].
        self._first = torch.cat(
            (action_weight.T.expand(len(embedded), -1, -1), embedded[:, None]), dim=1
        )
        if isinstance(hidden, PlainLayers):
            self._hidden: Callable[[Tensor], Tensor] = _plain(hidden, head)
            slope = torch.zeros_like(action_weight[0])
        else:
            self._hidden, bias = _residual(hidden, head)
            slope, offset = head @ action_weight, offset + bias + embedded @ head
        self._affine = torch.cat((slope.expand(len(embedded), -1), offset[:, None]), dim=1)

    @torch.no_grad()
    def __call__(self, actions: Tensor) -> Tensor:
        """Score `actions` (B, N, A)."""
        together = functional.pad(actions, (0, 1), value=1.0)
        energies = torch.bmm(together, self._affine[..., None])[..., 0]
        if actions.device.type != 'cpu':
            return energies.add_(self._nonlinear(together, self._first))
        parts = _parts(*actions.shape[:2])
        work = [partial(self._nonlinear, together[i, j], self._first[i]) for i, j in parts]
        for part, found in zip(parts, side_by_side(work), strict=True):
            energies[part] += found
        return energies

    @torch.no_grad()  # a setting of each thread
    def _nonlinear(self, together: Tensor, first: Tensor) -> Tensor:
        """What ReLUs add to the energies (b, n), for (a, 1) and [A e] of some actions."""
        return self._hidden(torch.bmm(together, first))


def _parts(observations: int, candidates: int) -> list[tuple[slice, slice]]:
    """Cut (observations, candidates) into parts for the caches, one for every thread at least."""
    share = -(-observations * candidates // torch.get_num_threads())
    size = max(1, min(CHUNK, share))
    rows, columns = max(1, size // max(1, candidates)), size
    return [
        (slice(i, i + rows), slice(j, j + columns))
        for i in range(0, observations, rows)
        for j in range(0, candidates, columns)
    ]


def _plain(layers: PlainLayers, head: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what maps fused inputs (..., width), which it overwrites, to energies (...)."""
    used = [_used(layer) for layer in layers.linears()]

    def energies(x: Tensor) -> Tensor:
        x.relu_()
        for weight, bias in used:
            x = functional.linear(x, weight, bias).relu_()
        return x @ head

    return energies


def _residual(layers: ResidualLayers, head: Tensor) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """Return what maps fused inputs to the energies of all blocks, and those of their biases."""
    blocks = [[_used(layer) for layer in block] for block in layers.linears()]
    folded = [head @ block[-1][0] for block in blocks]
    bias = sum((block[-1][1] @ head for block in blocks), start=head.new_zeros(()))

    def energies(x: Tensor) -> Tensor:
        total: Tensor | None = None
        for i, (block, weights) in enumerate(zip(blocks, folded, strict=True)):
            follows = i + 1 < len(blocks)
            y = torch.relu(x) if follows else x.relu_()
            for weight, offset in block[:-1]:
                y = functional.linear(y, weight, offset).relu_()
            energy = y @ weights
            total = energy if total is None else total + energy
            if follows:
                x += functional.linear(y, *block[-1])
        return x.new_zeros(x.shape[:-1]) if total is None else total

    return energies, bias


def _used(layer: torch.nn.Linear) -> Layer:
    return used_weight(layer), layer.bias
