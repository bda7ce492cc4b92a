"""An energy with two wells that observations tilt, as a model whose answers are known."""

import torch

from ibc_contract.contract import load_contract
from implicit_bc.methods import DerivativeFree, ImplicitModel
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import NO_DEADLINE, DerivativeFreeConfig, minimize
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

CONTRACT = load_contract('planar_state')
WIDTH = CONTRACT.observation_shape[1]
WELLS_M = torch.tensor([[-0.02, 0.01], [0.02, 0.01]])
"""Actions of lowest energy [m]; both are bowls."""
SCALING = Scaling(
    Affine((0.0,) * WIDTH, (1.0,) * WIDTH),
    Affine((0.0, 0.0), (0.02, 0.02)),
    ActionBounds((-0.04, -0.03), (0.04, 0.02)),
)


class TwoWells(ImplicitModel):
    """The newest state's first number is the right well's energy above the left one's.

    The second one is a term of the observation alone, which no answer may depend on.
    """

    def __init__(self, samples=512, iterations=3, pick='argmin'):
        method = DerivativeFree(sampler=DerivativeFreeConfig(samples, iterations, pick=pick))
        super().__init__(method, Spaces.of_contract(CONTRACT), NetworkConfig(), SCALING)

    def losses(self, observation, action, generator):
        raise AssertionError('this model is asked, never trained')

    def decide(self, observation, generator, start=None, deadline=NO_DEADLINE):
        return minimize(
            lambda actions: self.energy(observation, self.action.inverse(actions)),
            self.low,
            self.high,
            len(observation),
            self.method.sampler,
            generator,
            start,
            deadline,
        )

    def landscape(self, observation, actions):
        return self.energy(observation, actions)

    def energy(self, observation, actions_m):
        gap, term = observation[:, -1, 0], observation[:, -1, 1]
        away = ((actions_m[..., None, :] - WELLS_M) / 0.02).square().sum(-1)
        offset = torch.stack((torch.zeros_like(gap), gap), dim=-1)
        return (10 * away + offset[:, None]).amin(-1) + term[:, None]


def seen(gap, term=0.0):
    """An observation of `TwoWells`."""
    state = torch.zeros(CONTRACT.observation_shape)
    state[-1, 0], state[-1, 1] = gap, term
    return {'state': state.numpy()}
