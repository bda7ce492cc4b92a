"""Langevin dynamics on an energy over actions: paper B.3.

    a <- a - clip(lambda_k * (1/2 dE/da + omega)),   omega ~ N(0, sigma)

Each step is taken in coordinates in which the box of actions is [-1, 1]^A, whatever units the
energy takes: step sizes, noise, clip and the penalty's margin keep their meaning in a dimension of
any width. (In the paper and the released code the data spans [-1, 1] and the box is 5 % wider on
each side; the released code scales no more than the clip by the box.)

Paper and released code agree that lambda multiplies the noise as well. The noise that would make
exp(-E) the stationary distribution has sqrt(lambda) as its scale, so this is an optimizer with
noise that dies away, not a sampler of exp(-E). Where they differ:

    what          paper                                   released code
    clip          of the whole step, units not given      same, as a fraction of the half-width
    iterations    100 (D.1), 50 (D.3)                     100 in every configuration
    second pass   lambda 1e-5 (D.1), 'not used' (D.3),    D4RL and particle as the paper's tables,
                  always (B.3)                            pushing: the first pass once more
    noise, D4RL   0.5                                     first inference pass 1.0, all else 0.5
"""

from typing import Annotated

import pydantic
import torch
from pydantic import ConfigDict, Field
from torch import Tensor

from implicit_bc.samplers.deadline import NO_DEADLINE, Deadline
from implicit_bc.samplers.gaussian import gaussian
from implicit_bc.samplers.samples import Energy, Pick, Samples, choose
from implicit_bc.samplers.uniform import first_candidates


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class StepSize:
    """lambda_k, falling from `initial` to `final`; constant where they are equal."""

    initial: Annotated[float, Field(gt=0)] = 0.1
    final: Annotated[float, Field(gt=0)] = 1e-5
    power: Annotated[float, Field(gt=0, description='of the polynomial')] = 2.0

    def at(self, step: int, steps: int) -> float:
        """Size of step 0, 1, ..., `steps` - 1: the first has `initial`, the last `final`."""
        remaining = 1 - step / max(1, steps - 1)
        return self.final + (self.initial - self.final) * remaining**self.power

    def all_of(self, steps: int) -> list[float]:
        """Sizes of all `steps` of a pass."""
        return [self.at(step, steps) for step in range(steps)]


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class LangevinConfig:
    """Constants of the chain, in units of the box's half-width; the defaults are those of D.3."""

    samples: Annotated[int, Field(ge=1, description='chains per observation')] = 512
    """The paper does not say; 512 for states and 2048 for pixels in the released code. That is for
    inference: training starts as many chains as it wants counter-examples (8 in D.1, 64 in D.3)."""
    iterations: Annotated[int, Field(ge=1, description='steps of a pass')] = 50
    step_size: StepSize = StepSize()
    noise: Annotated[float, Field(ge=0, description='standard deviation sigma')] = 1.0
    inference_noise: Annotated[float | None, Field(ge=0)] = None
    """sigma of the first pass at inference, where it differs: 1.0 in the released code."""
    max_step: Annotated[float, Field(gt=0, description='clip of a step per dimension')] = 0.1
    second_pass: StepSize | None = None
    """Step sizes of as many steps again at inference; D.1 has 1e-5 throughout, D.3 has no second
    pass."""
    pick: Pick = 'argmin'


@torch.no_grad()
def langevin_minimize(
    energy: Energy,
    low: Tensor,
    high: Tensor,
    batch: int,
    config: LangevinConfig,
    generator: torch.Generator | None = None,
    start: Tensor | None = None,
    deadline: Deadline = NO_DEADLINE,
) -> Samples:
    """Find the action of lowest energy in the box from `low` to `high`, each (A,).

    Runs one chain from every candidate, and the second pass if there is one; scores the ends again
    before choosing from them. Arguments and result are those of `derivative_free.minimize`.
    """
    candidates = first_candidates(low, high, batch, config.samples, start, generator)
    first_noise = config.noise if config.inference_noise is None else config.inference_noise
    moves = [(rate, first_noise) for rate in config.step_size.all_of(config.iterations)]
    if config.second_pass is not None:
        moves += [(rate, config.noise) for rate in config.second_pass.all_of(config.iterations)]
    candidates, steps = _steps(
        energy, candidates, low, high, moves, config.max_step, generator, deadline
    )
    return choose(candidates, energy(candidates), config.pick, generator, steps)


def langevin_chain(
    energy: Energy,
    start: Tensor,
    low: Tensor,
    high: Tensor,
    config: LangevinConfig,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Run `config.iterations` steps from `start` (B, N, A) and return the ends, detached.

    For counter-examples, `start` is uniform (B.3). A network should be in eval mode meanwhile, lest
    dropout makes every step's energy another one, and hold an embedding that is detached.
    """
    moves = [(rate, config.noise) for rate in config.step_size.all_of(config.iterations)]
    return _steps(energy, start, low, high, moves, config.max_step, generator)[0]


@torch.no_grad()
def _steps(
    energy: Energy,
    actions: Tensor,
    low: Tensor,
    high: Tensor,
    moves: list[tuple[float, float]],
    max_step: float,
    generator: torch.Generator | None,
    deadline: Deadline = NO_DEADLINE,
) -> tuple[Tensor, int]:
    """Take `moves` (step size, noise); return the ends of the chains and how many were taken."""
    half = (high - low) / 2
    step = 0
    for step in deadline.rounds(len(moves), kept=1):
        rate, noise = moves[step]
        slope = half * _gradient(energy, actions)
        move = rate * (0.5 * slope + noise * gaussian(actions, generator))
        move = torch.clamp(move, -max_step, max_step)
        actions = torch.clamp(actions - half * move, low, high)
    return actions, step + 1


def _gradient(energy: Energy, actions: Tensor) -> Tensor:
    """dE/da (B, N, A), under `no_grad` and `inference_mode` too, leaving no gradient elsewhere.

    What `energy` holds may come from `inference_mode` as long as autograd need not keep it: adding
    an embedding is fine, multiplying with one is not and wants `no_grad` instead.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # The clone is an ordinary tensor even if `actions` was made in inference mode.
        actions = actions.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(energy(actions).sum(), actions)
    return gradient
