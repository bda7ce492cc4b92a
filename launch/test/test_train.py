"""`ibc train`: what a run keeps, what resuming may change, what bad data leaves behind."""

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from ibc_bringup.main import main
from ibc_bringup.training_run import TrainingRun
from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import EpisodeWriter
from implicit_bc.bundle import load_bundle
from implicit_bc.training.trainer import TrainingInterrupted

TINY = """
contract: planar_state
steps: 4
batch_size: 8
network: {value: {width: 8, depth: 1}}
method: {negatives: 8, sampler: {samples: 16}}
holdout: 0
threads: 1
device: cpu
"""
STEP_NS = 200_000_000


@pytest.fixture
def bags(tmp_path, monkeypatch):
    """Work in an empty folder with two episodes in `bags` and a preset `tiny.yaml`."""
    monkeypatch.chdir(tmp_path)
    # Two episodes of twelve steps are read before a process for them has begun.
    monkeypatch.setattr('os.cpu_count', lambda: 1)
    (tmp_path / 'tiny.yaml').write_text(TINY)
    for speed in (0.01, 0.02):
        record(tmp_path / 'bags', speed)
    return tmp_path / 'bags'


def record(root, speed, outcome='success'):
    start = 1_700_000_000_000_000_000
    info = new_episode_info('push_red', load_contract('planar_state'), 'twin', start)
    writer = EpisodeWriter(root, info)
    for step in range(12):
        stamp = start + step * STEP_NS
        place = (0.3 + step * speed, 0.0, 0.03)
        pose = messages.pose_stamped_cdr(stamp, place, (1.0, 0.0, 0.0, 0.0))
        writer.write(topics.TCP_SETPOINT, stamp, pose)
        objects = np.tile([0.4 + 0.01 * step, 0.1, 0.04, 0, 0, 0, 1.0], (4, 1))
        writer.write(topics.TWIN_OBJECTS, stamp, messages.pose_array_cdr(stamp, objects))
    writer.close(outcome)


def train(capsys, *words):
    """Run `ibc train`: exit code, the JSON object on stdout (None after an error), stderr."""
    with pytest.raises(SystemExit) as ended:
        main(['train', '--json', *words])
    said = capsys.readouterr()
    return ended.value.code, json.loads(said.out) if said.out else None, said.err


@pytest.fixture
def finished(bags, capsys):
    code, result, _ = train(capsys, 'bags', '--preset', 'tiny.yaml', '--run', 'run')
    assert code == 0
    return result


def test_a_latency_is_learned_and_told(bags, capsys):
    words = ['--preset', 'tiny.yaml', '--set', 'latency_s=0.1']
    code, result, _ = train(capsys, 'bags', *words, '--run', 'late')
    assert code == 0
    card = yaml.safe_load((Path(result['bundle']) / 'policy.yaml').read_text())
    assert card['provenance']['training']['latency_s'] == 0.1
    code, _, said = train(capsys, 'late/dataset', '--preset', 'tiny.yaml', '--run', 'other')
    assert code == 1
    assert 'was made with latency_s 0.1, not None: train with --set latency_s=0.1' in said
    assert train(capsys, 'late/dataset', *words, '--run', 'other')[0] == 0


def test_a_file_where_the_bundle_belongs_is_refused_before_anything_is_made(bags, capsys):
    (bags.parent / 'here').write_text('mine')
    words = ['--preset', 'tiny.yaml', '--run', 'run', '--bundle', 'here']
    code, _, said = train(capsys, 'bags', *words)
    assert code == 1
    assert said == 'error: --bundle here is a file: name a folder, such as models/NAME\n'
    assert not (bags.parent / 'run').exists()
    assert (bags.parent / 'here').read_text() == 'mine'


def test_resuming_takes_more_steps_and_remembers_them(finished, bags, capsys):
    words = ['--steps', '9', '--set', 'time_limit_s=600', '--set', 'log_every=3']
    code, result, _ = train(capsys, '--resume', 'run', *words)
    assert code == 0
    assert result['steps'] == 9
    config = yaml.safe_load((bags.parent / 'run' / 'run.yaml').read_text())['config']
    assert (config['steps'], config['time_limit_s'], config['log_every']) == (9, 600, 3)
    assert config['batch_size'] == 8
    assert train(capsys, '--resume', 'run')[1]['steps'] == 9


@pytest.mark.parametrize(
    ('words', 'named'),
    [
        (['bags'], 'data'),
        (['--run', 'other'], '--run'),
        (['--preset', 'cpu_small'], '--preset'),
        (['--seed', '0'], '--seed'),
        (['--failures'], '--failures'),
        (['--set', 'method.negatives=16'], 'method.negatives'),
        (['--set', 'learning_rate.initial=0.1'], 'learning_rate.initial'),
        (['--set', 'steps=none'], "'steps'"),
        (['--set', 'steps=0'], "'steps'"),
    ],
)
def test_resuming_refuses_what_would_make_another_run(finished, bags, capsys, words, named):
    description = (bags.parent / 'run' / 'run.yaml').read_bytes()
    code, _, said = train(capsys, '--resume', 'run', *words)
    assert code == 1
    assert said.startswith('error: ')
    assert said.count('\n') == 1
    assert named in said
    assert (bags.parent / 'run' / 'run.yaml').read_bytes() == description


def test_a_resumed_run_goes_on_with_the_bags_that_it_began_with(finished, bags, capsys, caplog):
    caplog.set_level(logging.WARNING)  # where ROS's launch is installed, the default is INFO
    assert train(capsys, '--resume', 'run', '--steps', '5')[0] == 0
    assert not caplog.records
    record(bags, 0.03)
    code, result, _ = train(capsys, '--resume', 'run', '--steps', '6')
    assert code == 0
    assert (result['steps'], result['episodes']) == (6, 2)
    assert result['dataset_hash'] == finished['dataset_hash']
    assert 'without newer ones' in caplog.text
    code, result, _ = train(capsys, 'bags', '--preset', 'tiny.yaml', '--run', 'another')
    assert result['episodes'] == 3


def test_a_resumed_run_does_not_need_its_bags(finished, bags, capsys):
    bags.rename(bags.with_name('moved'))
    code, result, _ = train(capsys, '--resume', 'run', '--steps', '5')
    assert (code, result['steps']) == (0, 5)


@pytest.mark.parametrize('data', ['nowhere', 'empty', 'failed'])
def test_bad_data_leaves_nothing_behind(bags, capsys, data):
    root = bags.parent
    (root / 'empty').mkdir()
    record(root / 'failed', 0.01, 'failure')
    before = sorted(root.iterdir())
    words = ['--preset', 'tiny.yaml', '--run', 'runs/run']
    code, _, said = train(capsys, data, *words)
    assert code == 1
    assert data in said.splitlines()[-1]
    assert sorted(root.iterdir()) == before
    assert train(capsys, 'bags', *words)[0] == 0


def test_a_folder_that_holds_a_run_is_refused_before_any_bag_is_read(finished, bags, capsys):
    code, _, said = train(capsys, 'nowhere', '--preset', 'tiny.yaml', '--run', 'run')
    assert code == 1
    assert 'run already holds a run' in said


@pytest.fixture
def held_out(bags):
    """A preset that keeps one of the two episodes for validation."""
    (bags.parent / 'tiny.yaml').write_text(TINY.replace('holdout: 0', 'holdout: 0.5'))


def test_several_seeds_share_the_dataset_and_are_averaged(bags, held_out, capsys):
    words = ['bags', '--preset', 'tiny.yaml']
    code, told, _ = train(capsys, *words, '--run', 'many', '--seeds', '3', '0', '1')
    assert code == 0
    assert [run['seed'] for run in told['runs']] == [3, 0, 1]
    assert [run['run'] for run in told['runs']] == ['many/seed-3', 'many/seed-0', 'many/seed-1']
    root = bags.parent
    assert [path.parent for path in sorted(root.rglob('meta.json'))] == [root / 'many' / 'dataset']
    errors = [run['metrics']['validation/action_error_mm'] for run in told['runs']]
    assert len(set(errors)) == 3
    assert told['metrics']['validation/action_error_mm'] == pytest.approx(
        {'mean': np.mean(errors), 'median': np.median(errors), 'std': np.std(errors, ddof=1)}
    )
    _, alone, _ = train(capsys, *words, '--run', 'one', '--seed', '1')
    assert alone['metrics'] == told['runs'][2]['metrics']


def test_several_seeds_go_on_where_they_were_interrupted(bags, held_out, capsys, monkeypatch):
    def interrupt(run, resume=False):
        if run.config.seed == 1:
            raise TrainingInterrupted('stopped')
        return really(run, resume)

    really = TrainingRun.train
    monkeypatch.setattr(TrainingRun, 'train', interrupt)
    words = ['bags', '--preset', 'tiny.yaml', '--run', 'many', '--seeds', '0', '1', '2']
    code, _, said = train(capsys, *words)
    assert (code, said) == (130, 'stopped; go on with: ibc train --resume many\n')
    monkeypatch.undo()
    monkeypatch.chdir(bags.parent)
    first = bags.parent / 'many' / 'seed-0' / 'bundle' / 'policy.yaml'
    before = first.stat().st_mtime_ns
    code, told, _ = train(capsys, '--resume', 'many')
    assert (code, [run['steps'] for run in told['runs']]) == (0, [4, 4, 4])
    assert first.stat().st_mtime_ns == before  # it was done
    code, told, _ = train(capsys, '--resume', 'many', '--steps', '6')
    assert (code, [run['steps'] for run in told['runs']]) == (0, [6, 6, 6])


def test_the_table_of_seeds(bags, held_out, capsys):
    words = ['bags', '--preset', 'tiny.yaml', '--run', 'many', '--seeds', '0', '1']
    with pytest.raises(SystemExit) as ended:
        main(['train', *words])
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:7] == ['seed', 'steps', 'seconds', 'loss', 'action', 'error', 'mm']
    assert [line.split()[0] for line in lines[2:7]] == ['0', '1', 'mean', 'median', 'std']
    assert lines[-2] == 'on episodes held out, for every seed others'
    assert lines[-1] == 'bundles: many/seed-*/bundle'


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['bags', '--seeds', '0'], '--seeds needs two or more different seeds'),
        (['bags', '--seeds', '0', '0'], '--seeds needs two or more different seeds'),
        (['bags', '--seeds', '0', '1', '--bundle', 'here'], '--bundle takes one bundle'),
        (['bags', '--seeds', '0', '1', '--seed', '2'], '--seed: not allowed with'),
        (['nowhere', '--seeds', '0', '1'], 'nowhere: there is no such folder'),
    ],
)
def test_seeds_that_cannot_be_trained_leave_nothing_behind(bags, capsys, words, expected):
    before = sorted(bags.parent.rglob('*'))
    code, _, said = train(capsys, *words, '--preset', 'tiny.yaml', '--run', 'many')
    assert code != 0
    assert expected in said
    assert said.count('\n') == 1
    assert sorted(bags.parent.rglob('*')) == before


def test_a_folder_of_seeds_is_no_place_for_another_run(bags, capsys):
    words = ['bags', '--preset', 'tiny.yaml', '--run', 'many']
    assert train(capsys, *words, '--seeds', '0', '1')[0] == 0
    for more in ([], ['--seeds', '2', '3']):
        code, _, said = train(capsys, *words, *more)
        assert (code, said.count('\n')) == (1, 1)
        assert 'many already holds a run' in said
    code, _, said = train(capsys, '--resume', 'many', '--seeds', '0', '1')
    assert (code, '--seeds' in said) == (1, True)


TORCHRUN = [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']


def test_two_processes_write_one_run(bags):
    (bags.parent / 'tiny.yaml').write_text(TINY + 'micro_batch: 4\n')
    words = ['train', 'bags', '--preset', 'tiny.yaml', '--run', 'two', '--json']
    ended = subprocess.run(
        [*TORCHRUN, '-m', '--', 'ibc_bringup.main', *words],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)  # one object, of the first process
    assert (told['steps'], told['bundle']) == (4, 'two/bundle')
    assert (bags.parent / 'two' / 'bundle' / 'policy.safetensors').is_file()


def test_an_export_trains_like_the_bags(bags, capsys):
    with pytest.raises(SystemExit) as ended:
        main(['bags', 'export', 'bags', '--to', 'carried', '--contract', 'planar_state', '--json'])
    made = json.loads(capsys.readouterr().out)
    assert ended.value.code == 0
    assert made['episodes'] == 2
    assert made['size_bytes'] == sum(f.stat().st_size for f in Path('carried').iterdir())
    _, here, _ = train(capsys, 'bags', '--preset', 'tiny.yaml', '--run', 'here')
    _, there, _ = train(capsys, 'carried', '--preset', 'tiny.yaml', '--run', 'there')
    assert made['steps'] == here['dataset_steps'] == there['dataset_steps']
    weights = [Path(run, 'bundle', 'policy.safetensors').read_bytes() for run in ('here', 'there')]
    assert weights[0] == weights[1]


def test_a_model_is_tuned_with_its_own_network(finished, bags, capsys):
    words = ['--init', 'run', '--set', 'learning_rate.initial=1e-9', '--run', 'tuned']
    preset = bags.parent / 'wide.yaml'
    preset.write_text(TINY.replace('width: 8', 'width: 16'))
    code, result, _ = train(capsys, 'bags', '--preset', 'wide.yaml', *words)
    assert code == 0
    made = load_bundle(Path(result['bundle'])).policy.model
    before = load_bundle(Path(finished['bundle'])).policy.model
    assert made.network_config.value.width == 8
    for name, weights in before.state_dict().items():
        assert torch.allclose(made.state_dict()[name], weights, atol=1e-6), name
    assert '`run`' in (Path(result['bundle']) / 'README.md').read_text()
    code, _, said = train(capsys, '--resume', 'tuned', '--init', 'run')
    assert code == 1
    assert 'leave out --init' in said
