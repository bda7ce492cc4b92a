"""Data on the device gives the batches that are loaded from memory."""

import numpy as np
import pytest
import torch

from implicit_bc.training.augmentation import random_shifts
from implicit_bc.training.batches import load_batch
from implicit_bc.training.device_data import DeviceData, fits
from implicit_bc.training.graphed_gradient import graphed

CPU = torch.device('cpu')


@pytest.mark.parametrize('shift_px', [0, 3])
def test_images_and_their_shifts_are_the_same(dots, shift_px):
    rows = np.array([5, 900, 17, 5])
    shifts = random_shifts(4, shift_px, np.random.default_rng(0)) if shift_px else None
    loaded = load_batch(dots, rows, CPU, shifts)
    for here, there in zip(DeviceData(dots, CPU).batch(rows, shifts), loaded, strict=True):
        assert torch.equal(here, there)


def test_states_are_the_same(points):
    rows = np.array([5, 900, 17, 5])
    loaded = load_batch(points, rows, CPU)
    for here, there in zip(DeviceData(points, CPU).batch(rows), loaded, strict=True):
        assert torch.equal(here, there)


def test_only_a_gpu_with_room_takes_the_data(points, monkeypatch):
    assert not fits(points, CPU)
    gpu = torch.device('cuda')
    needed = points.observations.nbytes + points.index.nbytes + points.actions.nbytes
    for free, expected in ((2 * needed, True), (2 * needed - 2, False)):
        monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda device, free=free: (free, 2 * free))
        assert fits(points, gpu) is expected


def test_without_a_gpu_there_is_a_warning_and_no_graph(caplog):
    if torch.cuda.is_available():
        pytest.skip('there is one')
    batch = torch.zeros(2, 1, 3), torch.zeros(2, 2)
    assert graphed(lambda *batch: ({}, []), *batch) is None
    assert 'no CUDA graph, every kernel is launched by itself' in caplog.text
