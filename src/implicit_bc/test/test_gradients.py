"""A batch taken in parts, by threads and by processes, has the gradient of the whole batch."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ibc_contract.errors import IbcError
from implicit_bc.losses import info_nce
from implicit_bc.methods import DerivativeFree, Langevin, MeanSquaredError, MixtureDensity
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import LangevinConfig, uniform_actions
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces
from implicit_bc.training.gradients import Gradients, draw_seed, micro_batches, micro_batches_of
from implicit_bc.training.processes import ALONE, Processes

STATES = Spaces((2, 5), 2)
SCALING = Scaling(
    Affine((0.0,) * 5, (1.0,) * 5), Affine((0.0, 0.0), (1.0, 1.0)), ActionBounds((-1, -1), (1, 1))
)
BATCH, SEED, STEP = 10, 3, 7


DERIVATIVE_FREE = DerivativeFree(negatives=6)


def make(method=DERIVATIVE_FREE, **value):
    torch.manual_seed(0)
    config = NetworkConfig(value=ValueConfig(**{'width': 16, 'depth': 3, **value}))
    return method.model(STATES, config, SCALING)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    observation = torch.randn(BATCH, 2, 5, generator=generator)
    return observation, torch.rand(BATCH, 2, generator=generator)


def taken(model, batch, size, processes=ALONE):
    """Losses and gradients of this process's share of `batch`."""
    parts = micro_batches(BATCH, size, processes)
    mine = np.concatenate([np.arange(p.start, p.stop) for p in parts])
    gradients = Gradients(model, BATCH, parts, SEED)
    losses = gradients.take(STEP, *(tensor[mine] for tensor in batch))
    gradients.close()
    return losses, [p.grad.clone() for p in model.parameters()]


def close(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_the_parts_add_up_to_the_loss_and_gradient_of_the_whole_batch(batch):
    model = make()
    losses, found = taken(model, batch, 3)
    observation, action = batch
    negatives = torch.cat(
        [
            uniform_actions(
                model.low,
                model.high,
                len(part),
                6,
                torch.Generator().manual_seed(draw_seed(SEED, STEP, part.number)),
            )
            for part in micro_batches(BATCH, 3)
        ]
    )
    candidates = torch.cat((model.action(action)[:, None], negatives), dim=1)
    whole = info_nce(model.network.score(model.embed(observation), candidates))
    close([losses['loss']], [whole])
    close(found, torch.autograd.grad(whole, list(model.parameters())))


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_threads_change_no_more_than_the_rounding_and_nothing_from_run_to_run(batch, threads):
    _, alone = taken(make(), batch, 2)
    threads(3)
    _, first = taken(make(), batch, 2)
    _, second = taken(make(), batch, 2)
    assert torch.get_num_threads() == 3
    close(first, alone)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(('rows', 'width', 'size'), [(100, 64, 7), (100, 256, 10)])
@pytest.mark.parametrize(
    'method', [DerivativeFree(negatives=256), MixtureDensity()], ids=lambda m: m.kind
)
def test_a_first_gradient_is_rounded_as_later_ones_are(threads, method, rows, width, size):
    threads(2)
    model = make(method, width=width)
    generator = torch.Generator().manual_seed(1)
    observation = torch.randn(rows, 2, 5, generator=generator)
    action = torch.rand(rows, 2, generator=generator)
    gradients = Gradients(model, rows, micro_batches(rows, size), SEED)
    found = []
    for _ in range(3):
        gradients.take(STEP, observation, action)
        found.append([p.grad.clone() for p in model.parameters()])
    gradients.close()
    for later in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(later, found[0], strict=True))


def test_the_shares_of_processes_add_up(batch):
    model = make()
    losses, whole = taken(model, batch, 2)
    shares = [taken(model, batch, 2, Processes(rank, 3)) for rank in range(3)]
    close(map(sum, zip(*(gradients for _, gradients in shares), strict=True)), whole)
    close([sum(share['loss'] for share, _ in shares)], [losses['loss']])


@pytest.mark.parametrize('method', [MeanSquaredError(), DERIVATIVE_FREE], ids=lambda m: m.kind)
def test_dropout_draws_the_same_at_the_same_step_whichever_thread_takes_a_part(
    batch, threads, method
):
    model = make(method, dropout=0.5)
    _, alone = taken(model, batch, 2)
    threads(3)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    found = [taken(model, batch, 2)[1] for _ in range(5)]
    assert torch.equal(torch.get_rng_state(), state)  # nothing comes from the shared source
    for gradients in found:
        close(gradients, alone)
        assert all(torch.equal(a, b) for a, b in zip(gradients, found[0], strict=True))
    _, without = taken(make(method), batch, 2)
    assert not torch.equal(alone[0], without[0])


def test_chains_in_threads_leave_the_training_mode_alone(batch, threads):
    threads(2)
    model = make(Langevin(negatives=4, sampler=LangevinConfig(iterations=3)))
    for _ in range(3):
        losses, _ = taken(model, batch, 2)
    assert all(module.training for module in model.modules())
    assert set(losses) == {'loss', 'info_nce', 'gradient_penalty'}


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 5))
def test_every_row_belongs_to_one_part_of_one_process(batch, size, processes):
    parts = [
        part
        for rank in range(processes)
        for part in micro_batches(batch, size, Processes(rank, processes))
    ]
    rows = sorted(row for part in parts for row in range(part.start, part.stop))
    assert rows == list(range(batch))
    assert max(map(len, parts)) <= size


def test_on_a_gpu_micro_batches_are_said_to_have_no_graph(caplog):
    model = make().to('meta')  # no CPU either
    Gradients(model, BATCH, micro_batches(BATCH, BATCH), SEED).close()
    assert not caplog.records
    Gradients(model, BATCH, micro_batches(BATCH, 5), SEED).close()
    (record,) = caplog.records
    assert 'no CUDA graph for a batch of 2 micro-batches' in record.getMessage()


def make_on_images(method, width):
    spaces = Spaces((2, 90, 120, 3), 2)
    config = NetworkConfig(image=ConvMaxPoolConfig(), value=ValueConfig(width=width, depth=1))
    scaling = dataclasses.replace(SCALING, observation=Affine((0.0,) * 3, (1.0,) * 3))
    return method.model(spaces, config, scaling)


@pytest.mark.parametrize(
    ('negatives', 'width', 'states', 'images'),
    [
        (256, 128, 8, 8),  # a megabyte in each layer
        (256, 1024, 8, 8),  # more than that, as the fewest that are worth it
        (64, 256, 16, 16),
        (8, 64, 64, 16),  # images have convolutions, too
    ],
)
def test_batches_are_cut_to_a_core_s_cache(negatives, width, states, images):
    method = DerivativeFree(negatives=negatives)
    assert len(micro_batches_of(make(method, width=width), 64, None)[0]) == states
    assert len(micro_batches_of(make_on_images(method, width), 64, None)[0]) == images


def test_uniform_counter_examples_of_langevin_are_counted_too():
    methods = DerivativeFree(negatives=256), Langevin(negatives=8, uniform_negatives=248)
    assert [len(micro_batches_of(make(m, width=128), 64, None)[0]) for m in methods] == [8, 8]


def test_without_candidates_states_are_not_cut():
    assert len(micro_batches_of(make(MeanSquaredError()), 512, None)) == 1


def test_more_processes_than_parts_are_refused(one_line):
    with pytest.raises(IbcError, match='lower micro_batch or start fewer') as error:
        micro_batches_of(make(), 3, None, Processes(3, 4))
    one_line(error.value)
