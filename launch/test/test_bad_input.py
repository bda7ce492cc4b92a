"""Every command answers bad input with one line on stderr and an exit code that is not 0."""

import pytest
import yaml

from ibc_bringup.main import main
from ibc_contract.contract import load_contract
from implicit_bc.bundle import save_bundle
from implicit_bc.model import ImplicitModel, Scaling
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import DerivativeFreeConfig

RGB, STATE = load_contract('planar_rgb'), load_contract('planar_state')


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys):
    """Run a command that fails; return its exit code and the one line on stderr."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capsys.readouterr()
        lines = said.err.strip().splitlines()
        assert len(lines) == 1, said.err
        assert lines[0].startswith('error: ')
        assert said.out == ''
        return ended.value.code, lines[0]

    return run


@pytest.fixture
def model(tmp_path):
    """A model that was never trained, for poses."""
    width = STATE.observation.width
    scaling = Scaling(
        Affine((0.0,) * width, (1.0,) * width),
        Affine((0.0, 0.0), (0.01, 0.01)),
        ActionBounds((-0.04, -0.04), (0.04, 0.04)),
    )
    network = ImplicitModel(STATE, NetworkConfig(value=ValueConfig(8, 1)), scaling)
    sampler = DerivativeFreeConfig(samples=8)
    return save_bundle(tmp_path / 'model', network, sampler, ['push_red'], {})


def change_contract(model):
    file = model / 'policy.yaml'
    changed = {**yaml.safe_load(file.read_text()), 'contract_hash': '0123456789abcdef'}
    file.write_text(yaml.safe_dump(changed))


def remove_weights(model):
    (model / 'policy.safetensors').unlink()


def cut_weights(model):
    file = model / 'policy.safetensors'
    file.write_bytes(file.read_bytes()[:50])


@pytest.mark.parametrize(
    ('damage', 'named'),
    [
        (change_contract, 'was made under contract'),
        (remove_weights, 'policy.safetensors: is missing'),
        (cut_weights, 'policy.safetensors: damaged'),
    ],
)
@pytest.mark.parametrize(
    'words',
    [
        ['eval', 'model', '--episodes', '2', '--workers', '2'],
        ['generate', '--contract', 'planar_state', '--lead-in', '1', '--lead-in-model', 'model'],
    ],
    ids=lambda words: words[0],
)
def test_a_model_that_cannot_be_used(refused, model, tmp_path, words, damage, named):
    damage(model)
    code, line = refused(*words)
    assert code == 1
    assert named in line
    assert [path.name for path in tmp_path.iterdir()] == ['model']


def test_a_player_of_another_contract(refused, model):
    code, line = refused('generate', '--lead-in', '1', '--lead-in-model', model)
    assert code == 1
    assert RGB.hash in line
    assert STATE.hash in line
