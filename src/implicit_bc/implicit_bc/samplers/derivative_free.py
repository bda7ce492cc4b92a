"""Derivative-free minimization of an energy over actions: paper B.1, Algorithm 1.

Without slopes it finds where a ridge is, and less well where on it the lowest point lies: what
decides between the final candidates is how near to the ridge each happens to be, rather than where
along it. Distance of the answer from the minimum in the box [-1, 1]^2, with u
along the ridge and v across it, mean (largest) of 100 searches:

    energy                       1024 x 3      1024 x 10     16384 x 3     Langevin (D.3)
    5 (u - 0.3)^2 + 500 v^2      0.02 (0.06)   0.00 (0.02)   0.01 (0.01)   0.00 (0.01)
    (x - 0.3)^2 + 50 |y - x|     0.20 (0.62)   0.07 (0.25)   0.06 (0.20)   0.04 (0.10)

The second one is hard: along the whole ridge its energy differs by 1.7, as much as 0.03 across it.
There, three times the iterations do as much as sixteen times the candidates.
"""

from typing import Annotated

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from implicit_bc.samplers.deadline import NO_DEADLINE, Deadline
from implicit_bc.samplers.gaussian import gaussian
from implicit_bc.samplers.samples import Energy, Pick, Samples, choose, resample
from implicit_bc.samplers.uniform import first_candidates


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class DerivativeFreeConfig:
    """Constants of Algorithm 1; the defaults are those of the real robot (D.5)."""

    samples: Annotated[int, Field(ge=1, description='candidates per observation')] = 1024
    iterations: Annotated[int, Field(ge=1, description='evaluations of all candidates')] = 3
    sigma: Annotated[float, Field(gt=0, description='first noise [normalized action]')] = 0.33
    shrink: Annotated[float, Field(gt=0, le=1, description='factor on sigma per round')] = 0.5
    pick: Pick = 'argmin'


@torch.no_grad()
def minimize(
    energy: Energy,
    low: Tensor,
    high: Tensor,
    batch: int,
    config: DerivativeFreeConfig,
    generator: torch.Generator | None = None,
    start: Tensor | None = None,
    deadline: Deadline = NO_DEADLINE,
    kept: int | None = None,
) -> Samples:
    """Find the action of lowest energy in the box from `low` to `high`, each (A,).

    Resamples candidates in proportion to exp(-energy), adds shrinking Gaussian noise, and scores
    the last set again before choosing from it.

    Args:
        energy: (B, N, A) actions -> (B, N) energies.
        low: Lower corner of the box, in the units `energy` takes.
        high: Upper corner.
        batch: B, the number of observations that `energy` holds.
        config: Candidates, iterations and noise.
        generator: Source of randomness, on the device of `low`.
        start: (B, K, A) actions that take the place of K uniform ones, such as the last answer.
        deadline: Ends the search after fewer iterations, the first of which is always done.
        kept: How many of `start`, the first ones, stay among the candidates as they are, while
            copies of them get noise: the best candidate is then no worse than they are. All by
            default.
    """
    candidates = first_candidates(low, high, batch, config.samples, start, generator)
    elites = candidates[:, : 0 if start is None else start.shape[1]][:, :kept].clone()
    energies, sigma, iterations = candidates.new_empty(0), config.sigma, 0
    for iterations in deadline.rounds(config.iterations):
        if iterations:
            candidates = resample(candidates, energies, config.samples, generator)
            noise = gaussian(candidates, generator)
            candidates = torch.clamp(candidates + sigma * noise, low, high)
            candidates[:, : elites.shape[1]] = elites
            sigma *= config.shrink
        energies = energy(candidates)
    return choose(candidates, energies, config.pick, generator, iterations + 1)
