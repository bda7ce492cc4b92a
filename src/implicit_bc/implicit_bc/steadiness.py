"""What a policy may carry over from tick to tick, so that it does not waver between equals.

The paper's policy decides every tick from nothing. Where two modes are about equally good, it may
take turns between them and get nowhere. Two remedies, both off unless asked for:

- warm start: the search begins with the best candidates of the last decision among its random ones.
  Algorithm 1 and `ranking` also keep them as they are to its end, so that while the observation
  stays an answer that is the best candidate (`pick: argmin`) never gets worse (without: in about
  half of the ticks, with 512 candidates and 3 iterations on two wells). An answer that is drawn
  may, and Algorithm 2 and Langevin dynamics move the candidates like all others: they promise
  nothing;
- mode hysteresis: the policy stays with the mode of its last action until another one is better by
  a margin of energy. Within that mode it answers as its model does (`pick`): by the best candidate,
  or by one drawn in proportion to exp(-energy) among the mode's. Once it leaves, or its mode is
  gone, it decides as if from nothing, and a draw may then end in any mode.
"""

from typing import Annotated

import numpy as np
import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from implicit_bc.samplers import ModesConfig, Pick, Samples, cluster
from implicit_bc.samplers.samples import resample


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class Steadiness:
    """Both are off by default: the policy is then that of the paper."""

    warm_start: Annotated[int, Field(ge=0)] = 0
    """Best candidates of the last decision that the next search begins with."""
    mode_margin: Annotated[float, Field(ge=0)] = 0.0
    """Energy by which another mode must be better to be taken. Only differences of energies at one
    observation count, so this is a ratio of likelihoods: 1 stands for e. Algorithm 1 itself drops
    modes that are worse by more than about 3, which no margin brings back."""


UNSTEADY = Steadiness()


def best_candidates(made: Samples, count: int) -> Tensor:
    """Return (B, count, A): the best candidates with the answer as the first of them."""
    order = made.energies.argsort(dim=1, stable=True)[:, : count - 1, None]
    best = made.candidates.gather(1, order.expand(-1, -1, made.candidates.shape[-1]))
    return torch.cat((made.best[:, None], best), dim=1)


def steady_answer(
    made: Samples, last: Tensor, mode_margin: float, pick: Pick, rng: np.random.Generator
) -> Tensor:
    """Return the action (A,) for one observation, staying with the mode of `last` (A,) if it may.

    The mode of the last action is that of the nearest candidate; where none is near, that mode is
    gone. `rng` is drawn from where `pick` says so and the policy stays.
    """
    radius = ModesConfig().radius
    found = cluster(made.candidates[0], made.energies[0], radius)
    row = found.nearest_mode(last, radius)
    if row is None or found.energies[row] - found.energies[0] >= mode_margin:
        return made.best[0]
    if pick == 'argmin':
        return found.candidates[row]
    kept = found.mode == row
    generator = torch.Generator(last.device).manual_seed(int(rng.integers(2**63)))
    return resample(found.candidates[None, kept], found.energies[None, kept], 1, generator)[0, 0]
