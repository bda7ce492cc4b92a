"""Decisions and gradients hold nothing that a CUDA graph cannot, checked where there is no GPU.

On the meta device tensors have no numbers, so that whatever looks at one fails: `.item()`, a
branch, `nonzero`, a boolean index, a copy to the CPU. A mode watches what operations are given: no
tensor from the CPU, and the one source of draws. What PyTorch's own operations look at inside, the
profiler of a CPU tells.
"""

import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from implicit_bc.networks.dropout import dropping_by
from implicit_bc.samplers.samples import draw_columns

sys.path.insert(0, str(Path(__file__).parent))
from small_models import IMAGES, METHODS, STATES, observations, small_model

SEED = 123


class Watched(TorchDispatchMode):
    """Fails where an operation gets what a recording cannot replay."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        # Nothing is drawn here, and this one refuses a generator.
        made = args[0] if func is torch.ops.aten.exponential_.default else func(*args, **kwargs)
        tensors = [x for x in tree_leaves((args, kwargs, made)) if isinstance(x, torch.Tensor)]
        assert all(t.device.type == 'meta' for t in tensors), f'{func} has a tensor of the CPU'
        if torch.Tag.nondeterministic_seeded in func.tags:
            generator = kwargs.get('generator')
            assert generator is not None, f'{func} draws from the default source'
            assert generator.initial_seed() == SEED, f'{func} draws from elsewhere'
        return made


@pytest.fixture(params=METHODS, ids=lambda method: method.kind)
def method(request):
    return request.param


@pytest.fixture(params=[STATES, IMAGES], ids=['states', 'images'])
def model(method, request):
    return small_model(method, request.param)


def decide(model, observation, generator):
    with torch.no_grad():
        model.eval().decide(observation, generator)


def decide_warm(model, observation, generator):
    start = torch.zeros(2, 4, 2, device=observation.device)
    with torch.no_grad():
        model.eval().decide(observation, generator, start)


def take_gradient(model, observation, generator):
    action = torch.zeros(2, 2, device=observation.device)
    with dropping_by(generator, model):
        loss = model.train().losses(observation, action, generator)['loss']
    torch.autograd.grad(loss, list(model.parameters()), allow_unused=True, materialize_grads=True)


WORK = [decide, decide_warm, take_gradient]


def copy_of_numbers(*_, **__):
    raise AssertionError('numbers of Python are copied to the device')


@pytest.fixture
def on_meta(monkeypatch):
    monkeypatch.setattr(torch, 'tensor', copy_of_numbers)  # no operation that a mode would see
    # It knows no such device.
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())


@pytest.mark.parametrize('work', WORK)
def test_no_number_is_looked_at_and_all_draws_have_one_source(model, work, on_meta):
    model.to('meta')
    observation = observations(model.spaces, 2).to('meta')
    with Watched():
        work(model, observation, torch.Generator().manual_seed(SEED))


WAITS = {'aten::_local_scalar_dense', 'aten::nonzero', 'aten::equal', 'aten::masked_select'}
"""What a GPU must be waited for, by the names of the profiler."""


def seen_by_the_profiler(work):
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        work()
    return {event.name for event in watched.events()}


@pytest.mark.parametrize('work', WORK)
def test_nor_is_one_inside_of_an_operation(model, work):
    observation = observations(model.spaces, 2)
    assert not WAITS & seen_by_the_profiler(lambda: work(model, observation, torch.Generator()))


@pytest.mark.parametrize(
    'wrong',
    [
        lambda x: float(x.sum()),
        lambda x: 1 if x.sum() > 0 else 0,
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.where(x > 0),
        lambda x: torch.equal(x, x),
        lambda x: x.cpu(),
        lambda x: x.unique(),
        lambda x: x + torch.tensor([1.0, 2.0]),
        lambda x: torch.randn_like(x),
        lambda x: torch.rand(2, device='meta', generator=torch.Generator()),
    ],
)
def test_both_see_what_is_wrong(wrong):
    with pytest.raises((RuntimeError, AssertionError)), Watched():
        wrong(torch.ones(2, device='meta'))


def test_the_profiler_sees_into_an_operation():
    weights = torch.ones(2, 3)
    assert WAITS & seen_by_the_profiler(lambda: weights[weights > 0])


def test_a_single_draw_is_that_of_multinomial():
    weights = torch.softmax(torch.randn(500, 64, generator=torch.Generator().manual_seed(0)), 1)
    drawn = [
        draw(weights, 1, generator=torch.Generator().manual_seed(1))
        for draw in (draw_columns, lambda *a, **k: torch.multinomial(*a, replacement=True, **k))
    ]
    assert torch.equal(*drawn)
