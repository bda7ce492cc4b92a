import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.benchmarks import inference
from implicit_bc.benchmarks.inference import bench_inference, energy_difference, make_models
from implicit_bc.policy import LearnedPolicy


def test_it_times_decisions_of_the_papers_network():
    result = bench_inference(samples=64, rounds=2, progress=False)
    assert result['samples'] == 64
    assert result['iterations'] == 3
    assert result['p99_ms'] >= result['p50_ms'] > 0
    assert result['speedup'] == pytest.approx(result['direct_p50_ms'] / result['p50_ms'], rel=0.01)
    assert result['energy_difference'] < 1e-5
    assert result['late_fusion_p50_ms'] > 0
    assert result['device']


def test_other_weights_are_noticed():
    contract, (model, direct, _) = make_models('real_push', 32, 'cpu', 0)
    frames = np.zeros(contract.observation_shape, np.uint8)
    made = LearnedPolicy(contract, model).infer({'image': frames}, np.random.default_rng(0))
    assert energy_difference(made, direct, frames) < 1e-5
    with torch.no_grad():
        direct.network.value.head.weight.mul_(1.01)
    assert energy_difference(made, direct, frames) > 1e-3


def test_results_that_differ_are_an_error(monkeypatch):
    monkeypatch.setattr(inference, 'energy_difference', lambda *_: float('nan'))
    with pytest.raises(IbcError, match='differ from the direct formulation by nan'):
        bench_inference(samples=16, rounds=2, progress=False)


@pytest.mark.parametrize('preset', ['state_small', 'nonsense'])
def test_presets_that_do_not_fit_are_refused(preset):
    with pytest.raises(IbcError, match=preset):
        make_models(preset, None, 'cpu', 0)


def test_an_unknown_device_is_refused_in_one_line(one_line):
    with pytest.raises(IbcError, match='device') as caught:
        make_models('real_push', 16, 'cuda' if not torch.cuda.is_available() else 'nowhere', 0)
    one_line(caught.value)
