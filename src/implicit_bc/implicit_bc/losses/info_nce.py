"""The InfoNCE loss of paper section 2, and its autoregressive form of B.2."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def info_nce(energies: Tensor) -> Tensor:
    r"""Mean negative log likelihood of the demonstrated action among its counter-examples.

    .. math:: L = \frac{1}{B} \sum_i E_{i0} + \log \sum_j e^{-E_{ij}}

    Args:
        energies: (B, 1 + N); column 0 belongs to the demonstrated action, the others to N
            counter-examples. Low energy is good, hence the minus signs.

    Returns:
        The loss, a scalar. log(1 + N) when the energies say nothing, 0 when they say everything.
        Kept in float32: the released code's clipped softmax loses its gradient beyond 16 nats.
    """
    energies = energies.float()
    return (energies[:, 0] + torch.logsumexp(-energies, dim=1)).mean()


def autoregressive_info_nce(
    energies: Sequence[Callable[[Tensor], Tensor]],
    demonstrated: Tensor,
    negatives: Sequence[Tensor],
) -> Tensor:
    """InfoNCE of one energy per action dimension (paper B.2): summed over them.

    The sum trains each energy by its own loss alone. Algorithm 2 updates it after every iteration
    of the search; here all of them make one update, so their losses are averaged.

    Args:
        energies: The j-th maps prefixes (B, N, j + 1) to energies (B, N).
        demonstrated: (B, A) actions.
        negatives: For each dimension, prefixes (iterations, B, N, j + 1), as
            `autoregressive_negatives` draws them.
    """
    losses = []
    for energy, iterations in zip(energies, negatives, strict=True):
        positive = demonstrated[:, None, : iterations.shape[-1]]
        candidates = (torch.cat((positive, prefixes), dim=1) for prefixes in iterations)
        losses.append(torch.stack([info_nce(energy(each)) for each in candidates]).mean())
    return torch.stack(losses).sum()
