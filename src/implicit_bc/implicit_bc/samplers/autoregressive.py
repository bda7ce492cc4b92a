"""Derivative-free minimization one action dimension at a time: paper B.2, Algorithm 2.

There is one energy per dimension; the j-th scores prefixes, the first j + 1 entries of an action.
Candidates are resampled prefix by prefix, so that each step searches a single degree of freedom.

What the paper leaves open, and what is done here:

- Noise. Algorithm 2 adds it to the prefix; the text says one degree of freedom at a time. Only the
  newest entry gets noise: noise on all of them undoes what earlier steps found (in 8 dimensions,
  three iterations end at about twice the distance from the minimum of a quadratic).
- Shrinking. sigma shrinks once per iteration. Were it once per dimension, as the listing can be
  read, the last of 12 dimensions would hardly be searched.
- Counter-examples. They do not share the demonstrated prefix: Algorithm 2 trains each energy on the
  prefixes that the search itself holds when it comes to that dimension. An energy must therefore
  judge the whole prefix rather than its last entry, which is also what resampling whole prefixes by
  it, and choosing the answer by the last energy alone, rely on.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from ibc_contract.errors import IbcError
from implicit_bc.samplers.deadline import NO_DEADLINE, Deadline
from implicit_bc.samplers.gaussian import gaussian
from implicit_bc.samplers.samples import Energy, Pick, Samples, choose, resample
from implicit_bc.samplers.uniform import first_candidates


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class AutoregressiveConfig:
    """Constants of Algorithm 2; samples as in D.4, the others as in Algorithm 1."""

    samples: Annotated[int, Field(ge=1, description='candidates per observation')] = 1024
    iterations: Annotated[int, Field(ge=1, description='passes over the dimensions')] = 3
    sigma: Annotated[float, Field(gt=0, description='first noise [normalized action]')] = 0.33
    shrink: Annotated[float, Field(gt=0, le=1, description='factor on sigma per pass')] = 0.5
    pick: Pick = 'argmin'


@torch.no_grad()
def autoregressive_minimize(
    energies: Sequence[Energy],
    low: Tensor,
    high: Tensor,
    batch: int,
    config: AutoregressiveConfig,
    generator: torch.Generator | None = None,
    start: Tensor | None = None,
    deadline: Deadline = NO_DEADLINE,
) -> Samples:
    """Find the action of lowest energy in the box from `low` to `high`, each (A,).

    Args:
        energies: One per dimension; the j-th maps prefixes (B, N, j + 1) to energies (B, N). The
            last one scores whole actions and alone decides between the final candidates.
        low: Lower corner of the box, in the units the energies take.
        high: Upper corner.
        batch: B, the number of observations that the energies hold.
        config: Candidates, passes and noise.
        generator: Source of randomness, on the device of `low`.
        start: (B, K, A) actions that take the place of K uniform ones, such as the last answer.
        deadline: Ends the search after fewer passes.

    Raises:
        IbcError: There is not one energy per dimension.
    """
    candidates = first_candidates(low, high, batch, config.samples, start, generator)
    passes = 0
    for dimension, prefixes in _search(
        energies, candidates, low, high, config, generator, deadline
    ):
        passes += dimension == 0
        candidates = prefixes
    return choose(candidates, energies[-1](candidates), config.pick, generator, passes)


@torch.no_grad()
def autoregressive_negatives(
    energies: Sequence[Energy],
    low: Tensor,
    high: Tensor,
    batch: int,
    config: AutoregressiveConfig,
    generator: torch.Generator | None = None,
) -> list[Tensor]:
    """Draw counter-examples for each energy, by running the search with the energies as they are.

    Returns:
        For each dimension j, prefixes (iterations, B, samples, j + 1): what its energy scored in
        every iteration. The first iteration's newest entries are uniform.
    """
    candidates = first_candidates(low, high, batch, config.samples, generator=generator)
    scored: list[list[Tensor]] = [[] for _ in energies]
    for dimension, prefixes in _search(energies, candidates, low, high, config, generator):
        scored[dimension].append(prefixes)
    return [torch.stack(iterations) for iterations in scored]


def _search(
    energies: Sequence[Energy],
    candidates: Tensor,
    low: Tensor,
    high: Tensor,
    config: AutoregressiveConfig,
    generator: torch.Generator | None,
    deadline: Deadline = NO_DEADLINE,
) -> Iterator[tuple[int, Tensor]]:
    """Yield each dimension with the prefixes that its energy scores; last of all, whole actions.

    The last pass only yields: nothing is drawn from what is scored in it.
    """
    if len(energies) != low.shape[0]:
        raise IbcError(
            f'autoregressive: {len(energies)} energies for {low.shape[0]} action dimensions: '
            'give one per dimension'
        )
    sigma = config.sigma
    for _ in deadline.rounds(config.iterations - 1, kept=1):
        for dimension, energy in enumerate(energies):
            size = dimension + 1
            prefixes, rest = candidates[..., :size], candidates[..., size:]
            yield dimension, prefixes
            prefixes = resample(prefixes, energy(prefixes), config.samples, generator)
            newest = prefixes[..., dimension:]
            newest = newest + sigma * gaussian(newest, generator)
            newest = torch.clamp(newest, low[dimension:size], high[dimension:size])
            candidates = torch.cat((prefixes[..., :dimension], newest, rest), dim=-1)
        sigma *= config.shrink
    for dimension in range(len(energies)):
        yield dimension, candidates[..., : dimension + 1]
