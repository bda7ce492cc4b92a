"""The gradient penalty of paper B.3.1: it bounds dE/da, so that Langevin noise still counts."""

from typing import Annotated, Literal

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from ibc_contract.errors import IbcError


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class GradientPenaltyConfig:
    """Which gradients cost what; a model trained with it is added one for one to InfoNCE."""

    margin: Annotated[float, Field(ge=0)] = 1.0
    """M: gradients up to here are free. In units of the box's half-width, as in the chain."""
    norm: Literal['inf', 'l2'] = 'inf'
    """Over the dimensions of one action."""
    reduction: Literal['mean', 'sum'] = 'mean'
    """'mean' over all candidates, the demonstrated one included (released code); 'sum' over the
    counter-examples alone (paper). Either is averaged over the observations, like InfoNCE."""


def gradient_penalty(
    energies: Tensor, actions: Tensor, low: Tensor, high: Tensor, config: GradientPenaltyConfig
) -> Tensor:
    r"""Penalize energies that are steep at the candidates; differentiable by the weights.

    .. math:: L = \sum \max(0, \|\nabla_a E\|_\infty - M)^2

    It wants the energies that InfoNCE is given as well, so that they are computed once:

        candidates = torch.cat((demonstrated, negatives), dim=1).requires_grad_()
        energies = model.score(embedded, candidates)
        loss = info_nce(energies) + gradient_penalty(energies, candidates, low, high, config)

    Args:
        energies: (B, 1 + N), column 0 for the demonstrated action, as in `info_nce`.
        actions: (B, 1 + N, A) that `energies` were computed from. The counter-examples are the ends
            of the chains; the paper found those of earlier steps unnecessary.
        low: Lower corner (A,) of the box of actions.
        high: Upper corner.
        config: Margin, norm and reduction.

    Returns:
        The penalty, a scalar; 0 with zero gradient as long as all slopes are inside the margin.

    Raises:
        IbcError: `actions` did not require a gradient when they were scored.
    """
    if not (actions.requires_grad and energies.requires_grad):
        raise IbcError(
            'gradient penalty: the energies do not depend on actions that require a gradient: '
            'call requires_grad_() on the candidates before they are scored'
        )
    # An energy depends on its own action only, so the gradient of the sum holds them all.
    (slope,) = torch.autograd.grad(energies.sum(), actions, create_graph=True)
    order = torch.inf if config.norm == 'inf' else 2
    steepness = torch.linalg.vector_norm(slope * (high - low) / 2, ord=order, dim=-1)
    excess = torch.relu(steepness - config.margin).square()
    if config.reduction == 'sum':
        return excess[:, 1:].sum(dim=1).mean()
    return excess.mean()
