import numpy as np
import pytest
import torch

from implicit_bc.benchmarks.candidates import bench_candidates
from implicit_bc.benchmarks.memory import peak_bytes

CPU = torch.device('cpu')


def test_every_number_of_candidates_has_its_entry():
    result = bench_candidates('real_push', [16, 48], rounds=2, progress=False)
    assert [row['samples'] for row in result['curve']] == [16, 48]
    for row in result['curve']:
        assert row['p50_ms'] > 0
        assert row['direct_p50_ms'] > 0
    assert result['rounds'] == 2


@pytest.mark.parametrize('megabytes', [20, 60])
def test_the_peak_is_what_was_used_at_once(megabytes):
    size = 1_000_000 * megabytes

    def work():
        for _ in range(3):  # one after the other: the peak is one of them, and what is left is none
            np.ones(size, np.uint8).sum()

    assert peak_bytes(work, CPU) == pytest.approx(size, abs=3_000_000)


def test_nothing_more_is_nothing():
    kept = np.ones(30_000_000, np.uint8)
    assert peak_bytes(lambda: kept.sum(), CPU) < 2_000_000
