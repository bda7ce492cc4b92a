"""Many observations at once: answers, and draws in the model's own proportions."""

import numpy as np
import pytest
import torch
from torch import nn

from ibc_contract.contract import load_contract
from implicit_bc.batched import BatchedPolicy
from implicit_bc.methods import DerivativeFree, MeanSquaredError, MixtureDensity
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.policy import LearnedPolicy
from implicit_bc.samplers import DerivativeFreeConfig
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


# So much noise that most candidates end at the edge; so large an output that the answer does.
FAR = DerivativeFree(sampler=DerivativeFreeConfig(samples=64, sigma=1e3, iterations=2))


@pytest.mark.parametrize('method', [MeanSquaredError(), FAR], ids=lambda m: m.kind)
def test_no_answer_leaves_the_box_by_rounding(method):
    contract, draw = load_contract('planar_state'), np.random.default_rng(0)
    spaces = Spaces.of_contract(contract)
    width = spaces.observation[1]
    seen = np.zeros((1, *spaces.observation), np.float32)
    for _ in range(100):
        low, high = -draw.uniform(0.001, 0.04, 2), draw.uniform(0.001, 0.04, 2)
        scaling = Scaling(
            Affine((0.0,) * width, (1.0,) * width),
            Affine(
                tuple(draw.normal(0, 0.01, 2).tolist()),
                tuple(draw.uniform(0.001, 0.02, 2).tolist()),
            ),
            ActionBounds(tuple(low.tolist()), tuple(high.tolist())),
        )
        model = method.model(spaces, NetworkConfig(value=ValueConfig(4, 1)), scaling)
        if method.kind == 'mean_squared_error':
            model.network = Constant(*draw.choice((-1e3, 1e3), 2).tolist())
        batched, decided = BatchedPolicy(model), LearnedPolicy(contract, model)
        made = decided.infer({'state': seen[0]}, np.random.default_rng(0))
        for actions in (made.action, made.candidates, batched.act(seen), batched.draw(seen, 9)):
            assert (low <= actions).all()
            assert (actions <= high).all()
