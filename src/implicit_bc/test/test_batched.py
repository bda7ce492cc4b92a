"""Many observations at once: answers, and draws in the model's own proportions."""

import numpy as np
import torch
from torch import nn

from implicit_bc.batched import BatchedPolicy
from implicit_bc.methods import MixtureDensity
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

PLAIN = Affine((0.0,), (1.0,))
SCALING = Scaling(PLAIN, PLAIN, ActionBounds((-1.0,), (1.0,)))


class Constant(nn.Module):
    """The same output whatever the observation."""

    def __init__(self, *output):
        super().__init__()
        self.register_buffer('output', torch.tensor(output))

    def forward(self, observation):
        return self.output.expand(len(observation), -1)


def test_a_mixture_is_drawn_from_as_it_is():
    # Half N(-0.5, 0.01), half N(0.5, 0.1). Drawing once more by density would give 91 % and 9 %.
    model = MixtureDensity(components=2).model(Spaces((1, 1), 1), NetworkConfig(), SCALING)
    model.network = Constant(0.0, 0.0, -0.5, 0.5, float(np.log(0.01)), float(np.log(0.1)))
    policy, asked = BatchedPolicy(model), np.zeros((200, 1, 1), np.float32)
    drawn = policy.draw(asked, 32)
    assert drawn.shape == (200, 32, 1)
    assert abs((drawn < 0).mean() - 0.5) < 0.03
    assert np.allclose(policy.act(asked), -0.5, atol=0.05)  # the likeliest
