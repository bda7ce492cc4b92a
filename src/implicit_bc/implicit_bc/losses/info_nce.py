"""The InfoNCE loss of paper section 2."""

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
