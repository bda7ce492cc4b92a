"""Energies of many actions for given observations, without what need not be computed for each.

The head h is linear, and so is all that only sums lie between. For x = e + A a, the fused input of
a residual network, and blocks that end in a layer W_k z_k + b_k,

    E = h.(x + sum_k (W_k z_k + b_k)) + c
      = (h.e + sum_k h.b_k + c) + (A'h).a + sum_k (W_k'h).z_k

The last layer of every block becomes a dot product (where another block follows, it needs the layer
too), and x is seen through its ReLU alone. Of the paper's value network for the robot, one block
1024 -> 256 -> 256 -> 1024, that leaves 55 % of the products. A plain network has a ReLU before its
head and nothing to fold.

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
        # e + A a as one product: [A e] times (a, 1).
        self._first = torch.cat(
            (action_weight.T.expand(len(embedded), -1, -1), embedded[:, None]), dim=1
        )
        head = used_weight(value.head)[0]
        hidden = value.hidden
        if isinstance(hidden, PlainLayers):
            self._hidden: Callable[[Tensor], Tensor] = _plain(hidden, head)
            self._of_observation = value.head.bias.expand(len(embedded))
            self._of_action = head.new_zeros(action_weight.shape[1])
        else:
            self._hidden, bias = _residual(hidden, head)
            self._of_observation = embedded @ head + value.head.bias + bias
            self._of_action = head @ action_weight

    @torch.no_grad()
    def __call__(self, actions: Tensor) -> Tensor:
        """Score `actions` (B, N, A)."""
        energies = actions @ self._of_action
        energies += self._of_observation[:, None]
        if actions.device.type != 'cpu':
            return energies.add_(self._nonlinear(self._first, actions))
        parts = _parts(*actions.shape[:2])
        work = [partial(self._nonlinear, self._first[i], actions[i, j]) for i, j in parts]
        for part, found in zip(parts, side_by_side(work), strict=True):
            energies[part] += found
        return energies

    @torch.no_grad()
    def _nonlinear(self, first: Tensor, actions: Tensor) -> Tensor:
        fused = torch.bmm(functional.pad(actions, (0, 1), value=1.0), first)
        return self._hidden(fused.flatten(0, 1)).view(actions.shape[:2])


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
    """Return what maps fused inputs (K, width), which it overwrites, to energies (K,)."""
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
        total = x.new_zeros(len(x))
        for i, (block, weights) in enumerate(zip(blocks, folded, strict=True)):
            follows = i + 1 < len(blocks)
            y = torch.relu(x) if follows else x.relu_()
            for weight, offset in block[:-1]:
                y = functional.linear(y, weight, offset).relu_()
            total += y @ weights
            if follows:
                x += functional.linear(y, *block[-1])
        return total

    return energies, bias


def _used(layer: torch.nn.Linear) -> Layer:
    return used_weight(layer), layer.bias
