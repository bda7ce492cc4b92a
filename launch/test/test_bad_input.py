"""Every command answers bad input with one line on stderr and an exit code that is not 0."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import yaml

from ibc_bringup.main import main
from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import EpisodeWriter
from implicit_bc.bundle import save_bundle
from implicit_bc.dataset_builder import build_dataset
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers import DerivativeFreeConfig
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

RGB, STATE = load_contract('planar_rgb'), load_contract('planar_state')


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(capsys):
    """Run a command that fails; return its exit code and the one line on stderr."""

    def run(*words):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capsys.readouterr()
        lines = said.err.strip().splitlines()
        assert len(lines) == 1, said.err
        assert lines[0].startswith('error: ')
        assert said.out == ''
        return ended.value.code, lines[0]

    return run


def record(root, contract, steps=12, outcome='success'):
    start = 1_700_000_000_000_000_000
    writer = EpisodeWriter(root, new_episode_info('push_red', contract, 'twin', start))
    for step in range(steps):
        stamp = start + step * contract.period_ns
        pose = messages.pose_stamped_cdr(stamp, (0.3 + 0.01 * step, 0, 0.03), (1, 0, 0, 0))
        writer.write(topics.TCP_SETPOINT, stamp, pose)
        objects = np.tile([0.4, 0.1, 0.04, 0, 0, 0, 1.0], (4, 1))
        writer.write(topics.TWIN_OBJECTS, stamp, messages.pose_array_cdr(stamp, objects))
        if step == steps // 2:
            writer.sync()  # ends a chunk
    return writer.close(outcome)


@pytest.fixture
def bags(tmp_path):
    """A folder with one episode of poses."""
    record(tmp_path / 'bags', STATE)
    return tmp_path / 'bags'


@pytest.fixture
def model(tmp_path):
    """A model that was never trained, for poses."""
    width = STATE.observation.width
    scaling = Scaling(
        Affine((0.0,) * width, (1.0,) * width),
        Affine((0.0, 0.0), (0.01, 0.01)),
        ActionBounds((-0.04, -0.04), (0.04, 0.04)),
    )
    method = DerivativeFree(sampler=DerivativeFreeConfig(samples=8))
    network = NetworkConfig(value=ValueConfig(8, 1))
    model = method.model(Spaces.of_contract(STATE), network, scaling)
    return save_bundle(tmp_path / 'model', STATE, model, ['push_red'], {})


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
        ['up', 'run_policy', 'model:=model'],
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
    assert f'planar_state ({STATE.hash})' in line
    assert f'planar_rgb ({RGB.hash})' in line


def test_a_folder_of_episodes_with_other_options(refused, tmp_path):
    words = ['generate', '--episodes', '1', '--workers', '1', '--contract', 'planar_state']
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
    before = sorted(tmp_path.rglob('*'))
    code, line = refused(*words, '--noise', '0.5')
    assert code == 1
    assert 'was made with other options (push_red; generated, noise 0,' in line
    assert sorted(tmp_path.rglob('*')) == before


def no_images(root):
    record(root, RGB)


def cut_off(root):
    file = next(record(root, RGB).glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:2000])


def another_contract(root):
    record(root, replace(RGB, period_s=0.1))


@pytest.mark.parametrize(
    ('make', 'named'),
    [
        (no_images, 'has no messages on camera/color/image_raw/compressed'),
        (cut_off, 'truncated or damaged'),
        (another_contract, f'but this is planar_rgb ({RGB.hash})'),
    ],
)
def test_bags_that_cannot_be_used(refused, capsys, tmp_path, make, named):
    make(tmp_path / 'bags')
    code, line = refused('train', 'bags', '--run', 'run')
    assert code == 1
    assert named in line
    assert [path.name for path in tmp_path.iterdir()] == ['bags']
    with pytest.raises(SystemExit) as ended:
        main(['bags', 'verify', 'bags'])
    said = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1
    assert [line for line in said if line.startswith('error: ') and named in line]
    assert said[-1] == '1 episodes, 1 cannot be used'


def test_a_damaged_bag_among_sound_ones_is_refused_or_left_out(refused, tmp_path, capsys):
    good, bad = record(tmp_path / 'bags', STATE), record(tmp_path / 'bags', STATE)
    cut(bad, 2000)
    words = ['train', 'bags', '--preset', 'state_small', '--run', 'run', '--steps', '2']
    code, line = refused(*words)
    assert code == 1
    assert bad.name in line
    assert good.name + ',' not in line
    assert line.endswith('--leave-out-damaged')
    assert [path.name for path in tmp_path.iterdir()] == ['bags']
    with pytest.raises(SystemExit) as ended:
        main([*words, '--leave-out-damaged'])
    assert ended.value.code == 0
    kept = yaml.safe_load((tmp_path / 'run' / 'run.yaml').read_text())
    assert kept['leave_out_damaged'] is True


def test_folders_without_episodes(refused, tmp_path):
    (tmp_path / 'a').mkdir()
    (tmp_path / 'b').mkdir()
    code, line = refused('train', 'a', 'b', '--run', 'run')
    assert code == 1
    assert 'there are no episodes below a, b: ' in line
    assert '`ibc up teleop_record root:=a` or `ibc generate --root a`' in line


def test_only_failures(refused, tmp_path):
    record(tmp_path / 'bags', STATE, outcome='failure')
    code, line = refused('train', 'bags', '--preset', 'state_small', '--run', 'run')
    assert code == 1
    assert '1 marked as failure (--failures takes these too), 0 unusable' in line


@pytest.mark.parametrize('as_json', [False, True])
def test_an_unreadable_bag_does_not_hide_the_others(capsys, tmp_path, as_json):
    good = record(tmp_path / 'bags', STATE)
    bad = record(tmp_path / 'bags', STATE)
    file = next(bad.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(SystemExit) as ended:
        main(['bags', 'info', str(tmp_path / 'bags'), *(['--json'] if as_json else [])])
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert good.name in said.out
    assert str(bad) in (said.out if as_json else said.err)


def cut(bag, size, killed=False):
    """Shorten a bag's file; what a killed recorder leaves has no metadata and another name."""
    os.truncate(next(bag.glob('*.mcap')), size)
    if killed:
        (bag / 'metadata.yaml').unlink()
        bag = bag.rename(bag.with_name(f'{bag.name}.partial'))
    return bag


@pytest.fixture
def damaged(tmp_path):
    """A sound bag, one past help, two that have lost their ends."""
    bags = [record(tmp_path / 'bags', STATE) for _ in range(3)]
    bags.append(record(tmp_path / 'bags', STATE, outcome='failure'))
    content = next(bags[0].glob('*.mcap')).read_bytes()
    second_chunk = content.index(b'zstd', content.index(b'zstd') + 1)
    hopeless = cut(bags[1], 50, killed=True)
    return [bags[0], hopeless, cut(bags[2], second_chunk), cut(bags[3], second_chunk)]


def test_what_cannot_be_repaired_does_not_keep_the_others(capsys, damaged):
    sound, hopeless, *others = damaged
    with pytest.raises(SystemExit) as ended:
        main(['bags', 'repair', 'bags'])
    assert ended.value.code == 1
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert hopeless.name in line
    assert line.endswith('delete it, or move it elsewhere')
    first, second = said.out.splitlines()
    assert f'{others[0].name}_repaired: unlabelled; repaired: ' in first
    assert first.endswith('the end is missing; was marked as success')
    assert f'{others[1].name}_repaired: failure; repaired: ' in second
    assert sound.is_dir()
    assert hopeless.is_dir()
    hopeless.rename(hopeless.with_name('elsewhere.damaged'))
    with pytest.raises(SystemExit) as ended:
        main(['bags', 'repair', 'bags'])
    assert ended.value.code == 0
    assert capsys.readouterr().out == 'there is nothing to repair\n'


def test_repairs_as_json(capsys, damaged):
    with pytest.raises(SystemExit) as ended:
        main(['bags', 'repair', 'bags', '--json'])
    assert ended.value.code == 1
    entries = json.loads(capsys.readouterr().out)
    assert sorted(entry.get('outcome', entry.get('error', '')[-9:]) for entry in entries) == [
        'elsewhere', 'failure', 'unlabelled'
    ]  # fmt: skip


def test_data_of_another_contract_than_the_preset(refused, bags):
    code, line = refused('train', 'bags', '--preset', 'cpu_small', '--run', 'run')
    assert code == 1
    assert f'planar_state ({STATE.hash})' in line
    assert f'planar_rgb ({RGB.hash})' in line
    build_dataset([bags], STATE, bags.with_name('cache'), workers=1)
    code, line = refused('train', 'cache', '--preset', 'cpu_small', '--run', 'run')
    assert code == 1
    assert 'dataset cache was made under contract planar_state' in line


@pytest.mark.parametrize(
    ('words', 'named'),
    [
        ('eval random --task push_red --seed -5', "--seed: '-5' is not a whole number from 0"),
        (
            'eval random --task push_red --episodes 0',
            "--episodes: '0' is not a whole number from 1",
        ),
        ('eval random --task push_red --workers -2', '--workers'),
        ('eval random --task push_red --renderer crayon', 'auto'),
        ('eval', 'required: policy'),
        ('generate --episodes -1', '--episodes'),
        ('generate --episodes many', "'many' is not a whole number"),
        ('generate --seed -3', '--seed'),
        ('generate --lead-in -3', "--lead-in: '-3' is not a number from 0"),
        ('generate --noise nan', '--noise'),
        ('train bags --seed -1', '--seed'),
        ('train bags --steps 0', '--steps'),
        ('dance', "'dance'"),
        ('models', 'ACTION'),
    ],
)
def test_arguments_out_of_range(refused, words, named):
    code, line = refused(*words.split())
    assert code == 2
    assert named in line
    assert line.endswith(' --help')


@pytest.mark.parametrize(
    ('words', 'named'),
    [
        ('generate --root /proc/nope --contract planar_state', '/proc/nope: No such file'),
        ('generate --contract planar_sound', "unknown contract 'planar_sound'"),
        ('train bags --run /proc/nope', '/proc/nope'),
        ('train /proc/nope', '/proc/nope: there is no such folder'),
        ('train bags --set steps=[', '--set steps=[: the value is not YAML'),
        ('train bags --set steps.foo=3', "no training field 'steps.foo'"),
        ('train bags --set stesp=3', "'stesp'"),
        ('train bags --set seed=-1', "'seed'"),
        ('train bags --set method=langevin', "not 'langevin': to choose a method, give method.k"),
        ('train bags --set method.kind=guess', 'unknown kind; known: derivative_free'),
        ('train bags --preset cut.yaml', 'cut.yaml: cannot be read'),
        ('train bags --preset binary.yaml', 'binary.yaml: cannot be read'),
        ('train bags --preset list.yaml', 'list.yaml: is not a training preset'),
        ('train bags --preset numbers.yaml', 'numbers.yaml: is not a training preset'),
        ('train bags --preset none.yaml', "unknown training preset 'none.yaml'"),
        ('train bags --preset missing', "unknown training preset 'missing'"),
        ('train --resume run', 'run.yaml cannot be read'),
    ],
)
def test_values_that_cannot_be_used(refused, bags, tmp_path, words, named):
    (tmp_path / 'cut.yaml').write_text('steps: [1,\n')
    (tmp_path / 'binary.yaml').write_bytes(b'\xff\xfe\x00')
    (tmp_path / 'list.yaml').write_text('- steps\n- seed\n')
    (tmp_path / 'numbers.yaml').write_text('1: 2\n')
    (tmp_path / 'run').mkdir()
    (tmp_path / 'run' / 'run.yaml').write_bytes(b'\xff')
    before = sorted(tmp_path.iterdir())
    code, line = refused(*words.split())
    assert code == 1
    assert named in line
    assert sorted(tmp_path.iterdir()) == before


def test_a_place_for_the_bundle_is_made_before_training(refused, bags):
    code, line = refused('train', 'bags', '--preset', 'state_small', '--bundle', '/proc/x')
    assert code == 1
    assert '/proc/x: No such file' in line
