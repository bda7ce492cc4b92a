import json
import os

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from ibc_contract.contract import load_contract
from ibc_contract.errors import ContractMismatch, IbcError
from implicit_bc import tensors
from implicit_bc.bundle import load_bundle, save_bundle
from implicit_bc.bundle_files import add_result, check_weights, find_bundle, known_bundles
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import DerivativeFreeConfig
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

RGB = load_contract('planar_rgb')
NETWORK = NetworkConfig(
    image=ConvMaxPoolConfig((4, 8), (True, False), stem_stride=2, keypoints=4),
    value=ValueConfig(32, 2),
)
SCALING = Scaling(
    Affine((0.4, 0.5, 0.6), (0.2, 0.3, 0.4)),
    Affine((0.001, -0.002), (0.01, 0.02)),
    ActionBounds((-0.03, -0.04), (0.02, 0.04)),
)
SUMMARY = {
    'score': 0.95,
    'success_rate': 0.9,
    'wilson95': [0.699, 0.9721],
    'episodes': 20,
    'seed': 0,
}


def make_bundle(folder, network=NETWORK, seed=0):
    torch.manual_seed(seed)
    method = DerivativeFree(sampler=DerivativeFreeConfig(samples=64))
    model = method.model(Spaces.of_contract(RGB), network, SCALING)
    return save_bundle(folder, RGB, model, ['push_red'], {}), model


def observation(seed=0):
    shape = RGB.observation_shape
    return {'image': np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)}


def rewrite(path, **changes):
    file = path / 'policy.yaml'
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **changes}))


def test_round_trip_gives_the_same_actions_and_papers(tmp_path):
    path, model = make_bundle(tmp_path / 'push_red')
    bundle = load_bundle(path, RGB)
    assert bundle.name == 'push_red'
    assert bundle.tasks == ('push_red',)
    assert bundle.contract == RGB
    assert bundle.policy.model.method.sampler.samples == 64
    assert bundle.policy.model.scaling == SCALING
    for key, value in model.state_dict().items():
        assert torch.equal(bundle.policy.model.state_dict()[key], value)
    first = bundle.policy.act(observation(), np.random.default_rng(5))
    again = load_bundle(path).policy.act(observation(), np.random.default_rng(5))
    assert first.tolist() == again.tolist()


def test_actions_are_metres_inside_the_bounds(tmp_path):
    policy = load_bundle(make_bundle(tmp_path / 'm')[0]).policy
    for seed in range(10):
        action = policy.act(observation(seed), np.random.default_rng(seed))
        assert action.shape == (2,)
        assert action.dtype == np.float64
        assert np.all(action >= np.array(SCALING.bounds.low) - 1e-7)
        assert np.all(action <= np.array(SCALING.bounds.high) + 1e-7)


def test_inference_returns_scored_candidates(tmp_path):
    policy = load_bundle(make_bundle(tmp_path / 'm')[0]).policy
    inference = policy.infer(observation(), np.random.default_rng(0))
    assert inference.candidates.shape == (64, 2)
    assert np.array_equal(inference.candidates[inference.energies.argmin()], inference.action)
    assert policy.warm_up() > 0


def test_no_file_is_a_pickle_and_none_is_large(tmp_path, monkeypatch):
    monkeypatch.setattr(tensors, 'SHARD_BYTES', 2000)
    path, model = make_bundle(tmp_path / 'm')
    shards = sorted(path.glob('*.safetensors'))
    assert len(shards) > 2
    assert all(file.stat().st_size < 4000 for file in shards)
    assert {file.suffix for file in path.iterdir()} == {'.safetensors', '.json', '.yaml', '.md'}
    loaded = load_bundle(path).policy.model.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in model.state_dict().items())
    index = json.loads((path / 'policy.safetensors.index.json').read_text())['weight_map']
    assert 'network.observation_half.weight' in index


def test_a_tensor_above_the_limit_is_cut_and_joined(tmp_path):
    big = {'big': torch.arange(9_000_000.0).reshape(3000, 3000), 'small': torch.tensor(3.0)}
    files = tensors.save_tensors(tmp_path, 'policy', big)
    assert max((tmp_path / file).stat().st_size for file in files) < 16_000_000
    loaded = tensors.load_tensors(tmp_path, 'policy')
    assert loaded.keys() == big.keys()
    assert torch.equal(loaded['big'], big['big'])
    assert loaded['small'].shape == ()


def test_files_may_be_read_by_whom_the_umask_lets(tmp_path):
    before = os.umask(0o027)
    try:
        tensors.save_tensors(tmp_path, 'policy', {'one': torch.ones(2)})
    finally:
        os.umask(before)
    assert (tmp_path / 'policy.safetensors').stat().st_mode & 0o777 == 0o640


def test_another_contract_is_refused(tmp_path, one_line):
    path, _ = make_bundle(tmp_path / 'm')
    other = load_contract('planar_state')
    with pytest.raises(ContractMismatch) as error:
        load_bundle(path, other)
    assert RGB.hash in one_line(error.value)
    assert other.hash in str(error.value)


def test_an_edited_contract_is_refused(tmp_path, one_line):
    path, _ = make_bundle(tmp_path / 'm')
    rewrite(path, contract={**RGB.to_dict(), 'period_s': 0.1})
    with pytest.raises(ContractMismatch) as error:
        load_bundle(path)
    one_line(error.value)


@pytest.mark.parametrize(
    ('break_it', 'expected'),
    [
        (lambda w: w.pop('network.action_half.weight'), 'missing tensors: network.action_half'),
        (lambda w: w.update(stranger=torch.ones(2)), 'unknown tensors: stranger'),
        (
            lambda w: w.update({'network.action_half.weight': torch.ones(5, 2)}),
            r'action_half.weight has shape \(5, 2\), expected \(32, 2\)',
        ),
        (
            lambda w: w.update({'network.action_half.weight': torch.full((32, 2), torch.nan)}),
            'action_half.weight holds numbers that are not finite',
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path, one_line, break_it, expected):
    path, _ = make_bundle(tmp_path / 'm')
    weights = load_file(path / 'policy.safetensors')
    break_it(weights)
    save_file(weights, path / 'policy.safetensors')
    with pytest.raises(IbcError, match=expected) as error:
        load_bundle(path)
    assert str(path) in one_line(error.value)


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ({'format': 99}, 'format 99'),
        ({'method': {'kind': 'magic'}}, "field 'method': unknown kind; known: derivative_free"),
        ({'method': {'kind': 'derivative_free', 'sampler': {'samples': -1}}}, 'sampler.samples'),
        ({'network': {'value': {'wide': 3}}}, "field 'network.value.wide'"),
        ({'contract': {'name': 'planar_rgb'}}, "policy.yaml: contract field '"),
    ],
)
def test_descriptions_that_do_not_fit_are_named(tmp_path, one_line, changes, expected):
    path, _ = make_bundle(tmp_path / 'm')
    rewrite(path, **changes)
    with pytest.raises(IbcError) as error:
        load_bundle(path)
    assert expected in one_line(error.value)


@pytest.mark.parametrize('file', ['policy.yaml', 'policy.safetensors'])
@pytest.mark.parametrize('how', ['missing', 'cut'])
def test_missing_and_damaged_files_are_named(tmp_path, one_line, file, how):
    path, _ = make_bundle(tmp_path / 'm')
    if how == 'missing':
        (path / file).unlink()
    else:
        (path / file).write_bytes((path / file).read_bytes()[:50])
    with pytest.raises(IbcError) as error:
        load_bundle(path)
    assert file in one_line(error.value)


@pytest.mark.parametrize('shard_bytes', [2000, 15_000_000], ids=['shards', 'one file'])
def test_weights_that_are_not_whole_are_named_without_loading_them(
    tmp_path, monkeypatch, one_line, shard_bytes
):
    monkeypatch.setattr(tensors, 'SHARD_BYTES', shard_bytes)
    path, _ = make_bundle(tmp_path / 'm')
    check_weights(path)
    for file in sorted(path.glob('policy*.safetensors*')):
        whole = file.read_bytes()
        for damaged in (whole[:-1], whole[:50], b'', b'\xff' * len(whole), None):
            file.unlink() if damaged is None else file.write_bytes(damaged)
            if damaged is None and file.suffix == '.json':
                continue  # without an index it is one file, which is then the one that is missing
            with pytest.raises(IbcError) as error:
                check_weights(path)
            assert one_line(error.value).startswith(f'{file}: ')
        file.write_bytes(whole)
    check_weights(path)


def test_models_are_found_by_name_and_path(tmp_path, monkeypatch, one_line):
    path, _ = make_bundle(tmp_path / 'mine')
    make_bundle(tmp_path / 'run' / 'bundle')
    monkeypatch.setenv('IBC_MODELS', str(tmp_path))
    assert find_bundle('mine') == path
    assert find_bundle(path) == path
    assert find_bundle(tmp_path / 'run').name == 'bundle'
    assert load_bundle(find_bundle(tmp_path / 'run')).name == 'run'
    assert 'mine' in known_bundles()
    with pytest.raises(IbcError, match=r"unknown model 'mime'; known: .*mine") as error:
        find_bundle('mime')
    one_line(error.value)


def test_results_enter_the_model_card(tmp_path):
    path, _ = make_bundle(tmp_path / 'mine')
    assert 'Not evaluated yet' in (path / 'README.md').read_text()
    add_result(path, 'push_red', SUMMARY)
    card = (path / 'README.md').read_text()
    assert card.startswith('# mine\n')
    assert '| push_red | 90.0% | 69.9% to 97.2% | 0.950 | 20 | 0 |' in card
    assert load_bundle(path).description['results']['push_red']['episodes'] == 20


def test_observations_that_do_not_fit_are_named(tmp_path, one_line):
    policy = load_bundle(make_bundle(tmp_path / 'm')[0]).policy
    rng = np.random.default_rng(0)
    for wrong, expected in [
        ({'state': np.zeros(3)}, "observes 'image', this observation has 'state'"),
        ({'image': np.zeros((1, 90, 120, 3), np.uint8)}, '(1, 90, 120, 3) uint8'),
        ({'image': np.zeros((2, 90, 120, 3))}, 'float64'),
    ]:
        with pytest.raises(IbcError) as error:
            policy.act(wrong, rng)
        assert expected in one_line(error.value)


def test_saving_again_replaces_a_bundle(tmp_path):
    make_bundle(tmp_path / 'm', seed=0)
    path, model = make_bundle(tmp_path / 'm', seed=1)
    weights = load_bundle(path).policy.model.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
    assert [p.name for p in tmp_path.iterdir()] == ['m']
