"""Derivative-free minimization of an energy over actions: paper B.1, Algorithm 1."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from implicit_bc.samplers.uniform import uniform_actions


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class DerivativeFreeConfig:
    """Constants of Algorithm 1; the defaults are those of the real robot (D.5)."""

    samples: Annotated[int, Field(ge=1, description='candidates per observation')] = 1024
    iterations: Annotated[int, Field(ge=1, description='evaluations of all candidates')] = 3
    sigma: Annotated[float, Field(gt=0, description='first noise [normalized action]')] = 0.33
    shrink: Annotated[float, Field(gt=0, le=1, description='factor on sigma per round')] = 0.5


@dataclass(frozen=True)
class Samples:
    """What a minimization ends with."""

    best: Tensor
    """(B, A): the candidate of lowest energy."""
    candidates: Tensor
    """(B, N, A): the final candidates."""
    energies: Tensor
    """(B, N): their energies, row for row (the released code returns those of an older set)."""


@torch.no_grad()
def minimize(
    energy: Callable[[Tensor], Tensor],
    low: Tensor,
    high: Tensor,
    batch: int,
    config: DerivativeFreeConfig,
    generator: torch.Generator | None = None,
) -> Samples:
    """Find the action of lowest energy in the box from `low` to `high`, each (A,).

    Resamples candidates in proportion to exp(-energy), adds shrinking Gaussian noise, and scores
    the last set again before taking its argmin.

    Args:
        energy: (B, N, A) actions -> (B, N) energies.
        low: Lower corner of the box, in the units `energy` takes.
        high: Upper corner.
        batch: B, the number of observations that `energy` holds.
        config: Candidates, iterations and noise.
        generator: Source of randomness, on the device of `low`.
    """
    candidates = uniform_actions(low, high, batch, config.samples, generator)
    energies = energy(candidates)
    sigma = config.sigma
    for _ in range(config.iterations - 1):
        weights = torch.softmax(-energies.float(), dim=1)
        chosen = torch.multinomial(weights, config.samples, replacement=True, generator=generator)
        candidates = _take(candidates, chosen)
        noise = torch.randn(
            candidates.shape, generator=generator, device=low.device, dtype=low.dtype
        )
        candidates = torch.clamp(candidates + sigma * noise, low, high)
        energies = energy(candidates)
        sigma *= config.shrink
    best = _take(candidates, energies.argmin(dim=1, keepdim=True))
    return Samples(best[:, 0], candidates, energies)


def _take(candidates: Tensor, index: Tensor) -> Tensor:
    """Pick rows `index` (B, K) of `candidates` (B, N, A)."""
    return candidates.gather(1, index[..., None].expand(-1, -1, candidates.shape[-1]))
