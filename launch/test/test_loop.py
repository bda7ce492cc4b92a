import dataclasses
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ibc_bringup import loop
from ibc_bringup.loop import ATTEMPTS, PLAN, Loop, open_loop
from ibc_bringup.loop_plan import LEAST, MOST_RECORDED, LoopPlan
from ibc_bringup.loop_report import RIVALS, loop_table, training_section
from ibc_bringup.main import main, parser
from ibc_bringup.training_run import TrainingRun
from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.episode_writer import DISCARDED, EpisodeWriter
from ibc_contract.errors import IbcError
from implicit_bc.training.config import load_config
from implicit_bc.training.run_log import METRICS
from implicit_bc.wilson import wilson_interval
from xarm_twin.tasks import DEMONSTRATION_SEED, TASK_NAMES

EVALUATION = {
    'score': 0.8, 'success_rate': 0.8, 'wilson95': [0.58, 0.92], 'episodes': 20, 'seed': 7,
    'seconds': 60.0, 'steps': 1500,
}  # fmt: skip
RESULTS = {
    'record': {'episodes': 3, 'seconds': 70.2},
    'generate': {'episodes': 100, 'seconds': 200.0},
    'verify': {'episodes': 103, 'seconds': 20.0},
    'train': {
        'episodes': 103, 'seconds': 240.0, 'data_steps': {'recorded': 150, 'generated': 5000},
        'steps': 4000,
    },
    **dict.fromkeys(('trained', *RIVALS), EVALUATION),
    'run': {'episodes': 2, 'successes': 1, 'seconds': 60.0},
}  # fmt: skip


def test_the_table_has_a_row_per_part_with_its_interval():
    table = loop_table(RESULTS)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows['recorded through ROS 2'] == ('3', '150', '70', '')
    assert rows['training'] == ('103', '4000 updates', '240', '')
    assert rows['random moves, evaluated'] == ('20', '1500', '60', '0.80 [0.58, 0.92]')
    assert rows['trained policy through ROS 2'][-1] == '1 of 2'
    assert len(rows) == len(RESULTS)
    nothing = {'episodes': 0, 'successes': 0, 'seconds': 70.0}
    assert loop_table({**RESULTS, 'run': nothing}).rows[-1][-1] == 'none was finished'


def test_the_report_shows_the_validation(tmp_path):
    metrics = {'validation/loss': 1.5, 'validation/action_error_mm': 3.0}
    rows = [{'step': 50, 'loss': 2.0}, {'step': 100, **metrics}]
    (tmp_path / METRICS).write_text(''.join(json.dumps(row) + '\n' for row in rows))
    run = TrainingRun(tmp_path, (), load_config('cpu_small'))
    section = training_section(run, {'steps': 100, 'seconds': 120.0, 'metrics': metrics})
    assert section.text.startswith('100 steps in 2.0 min. Guessing among')
    for label in ('InfoNCE loss', 'guessing', 'validation', 'action error [mm]'):
        assert f'<!-- {label} -->' in section.figure_svg


def measured(successes, episodes=20):
    low, high = wilson_interval(successes, episodes)
    return {**EVALUATION, 'success_rate': successes / episodes, 'wilson95': [low, high]}


@pytest.mark.parametrize(
    ('trained', 'random', 'expected'),
    [
        (0, 0, 'no better than random moves: success 0.00 [0.00, 0.16] against 0.00 [0.00, 0.16]'),
        (2, 3, 'no better than random moves: success 0.10'),
        (1, 0, 'not clearly better than random moves: success 0.05'),
        (4, 0, 'not clearly better'),
        (5, 0, ''),
        (20, 0, ''),
    ],
)
def test_the_loop_says_when_nothing_was_learned(
    tmp_path, monkeypatch, capsys, trained, random, expected
):
    results = RESULTS | {
        'trained': measured(trained), 'random': measured(random), 'nothing': measured(0)
    }  # fmt: skip
    (tmp_path / PLAN).write_text(json.dumps(dataclasses.asdict(LoopPlan())))
    (tmp_path / loop.RESULTS).write_text(json.dumps(results))
    monkeypatch.setattr(loop, 'write_loop_report', lambda *_: tmp_path / 'report.html')
    assert run('--resume', str(tmp_path)) == 0
    told = capsys.readouterr()
    assert run('--resume', str(tmp_path), '--json') == 0
    assert json.loads(capsys.readouterr().out)['better_than_baselines'] == (not expected)
    for text in (told.out, told.err):
        assert expected in text
        assert ('better than' in text) == bool(expected)


def test_parts_that_are_done_are_not_done_again(tmp_path):
    done = []

    def work(name):
        def run():
            done.append(name)
            if name == 'second' and done.count(name) == 1:
                raise KeyboardInterrupt
            return {'episodes': 1}

        return run

    begun = Loop(tmp_path, LoopPlan())
    begun._part('first', '', work('first'))
    with pytest.raises(KeyboardInterrupt):
        begun._part('second', '', work('second'))
    again = Loop(tmp_path, LoopPlan())
    for name in ('first', 'second'):
        again._part(name, '', work(name))
    assert done == ['first', 'second', 'second']
    assert set(again.results) == {'first', 'second'}


def test_a_loop_goes_on_with_its_own_plan(tmp_path):
    (tmp_path / PLAN).write_text(json.dumps({'task': 'insert_blue', 'recorded': 1}))
    assert open_loop(tmp_path).plan == LoopPlan(task='insert_blue', recorded=1)
    (tmp_path / PLAN).write_text('{"horses": 2}')
    with pytest.raises(IbcError, match='no loop to go on with'):
        open_loop(tmp_path)


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(('loop', *words))
    return ended.value.code


@pytest.mark.parametrize(
    ('words', 'expected'),
    [
        (['--task', 'juggle'], "unknown task 'juggle'; known: push_red"),
        (
            ['--preset', 'nosuch'],
            'records: cpu_base, cpu_small, gpu_base, real_insert, real_push, or the path',
        ),
        (
            ['--preset', 'state_small'],
            'preset state_small learns from contract planar_state, the loop records planar_rgb: '
            'use one of cpu_base, cpu_small, gpu_base, real_insert, real_push, or `ibc generate',
        ),
        (['--evaluated', '0'], 'evaluated is 0, at least 1'),
        (['--recorded', '-1'], 'recorded is -1, at least 0'),
        (['--recorded', '2000'], f'at most {MOST_RECORDED}'),
        (['--train-seconds', 'nan'], 'train_seconds is nan, at least 1'),
        (['--recorded', '0', '--generated', '0'], 'nothing to learn from'),
        (['--resume', '.', '--task', 'insert_blue', '--seed', '1'], 'leave out --task, --seed'),
    ],
    ids=' '.join,
)
def test_a_wrong_plan_is_refused_before_anything_begins(
    words, expected, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
    assert list(tmp_path.iterdir()) == []


def test_a_folder_belongs_to_one_plan(tmp_path, monkeypatch):
    folder = tmp_path / 'loop'
    begun = Loop(folder, LoopPlan())
    begun._claim_folder()
    Loop(folder, LoopPlan())._claim_folder()
    before = (folder / PLAN).read_text()
    with pytest.raises(IbcError, match=r'task push_red, not insert_blue.*--resume'):
        Loop(folder, LoopPlan(task='insert_blue')).run()
    assert (folder / PLAN).read_text() == before
    with pytest.raises(IbcError, match='holds no loop: choose another --folder'):
        Loop(tmp_path, LoopPlan()).run()


def test_the_help_lists_defaults_and_choices():
    (subparsers,) = (a for a in parser()._actions if hasattr(a, 'choices') and a.choices)
    text = ' '.join(subparsers.choices['loop'].format_help().split())
    for name in (*TASK_NAMES, 'cpu_small', 'real_push'):
        assert name in text
    assert 'state_small' not in text
    for field in dataclasses.fields(LoopPlan):
        if field.name != 'lead_in_s':
            assert f'--{field.name.replace("_", "-")}' in text
            shown = f'{field.default:g}' if isinstance(field.default, float) else field.default
            assert f'({shown})' in text
    assert set(LEAST) < {field.name for field in dataclasses.fields(LoopPlan)}


def record(root, seed, outcome):
    """A bag in `root`, as the recorder leaves it; without a picture, which nobody looks at here."""
    start = 1_700_000_000_000_000_000 + seed
    info = new_episode_info('push_red', load_contract(), 'ros', start)
    writer = EpisodeWriter(root, dataclasses.replace(info, seed=seed))
    pose = messages.pose_stamped_cdr(start, (0.3, 0.0, 0.03), (1.0, 0.0, 0.0, 0.0))
    writer.write(topics.TCP_SETPOINT, start, pose)
    return writer.close(outcome)


@pytest.fixture
def showing(monkeypatch):
    """A stack that records one episode per word in `outcomes`, up to as many as were asked for."""

    def show(_, given, *a, **k):
        asked.append((int(given['seed']), int(given['episodes'])))
        for i in range(1, 1 + asked[-1][1]):
            if not outcomes:
                raise KeyboardInterrupt
            record(Path(given['root']), asked[-1][0] + i, outcomes.pop(0))

    asked, outcomes = [], []
    monkeypatch.setattr(loop, 'run_to_end', show)
    return SimpleNamespace(asked=asked, outcomes=outcomes)


def seeds(root):
    return [EpisodeReader(path).info.seed for path in find_episodes(root)]


def test_only_successes_are_demonstrations_and_no_layout_is_shown_twice(
    tmp_path, showing, monkeypatch
):
    first = DEMONSTRATION_SEED + 4
    bags = tmp_path / 'bags'
    begun = Loop(tmp_path, LoopPlan(recorded=3, seed=4))
    showing.outcomes += ['success', 'unlabelled']
    with pytest.raises(KeyboardInterrupt):
        begun._record()
    assert showing.asked == [(first - 1, 3)]
    showing.outcomes += ['failure', 'success', 'success']
    assert begun._record() == {'episodes': 3}
    assert showing.asked[1:] == [(first + 1, 2), (first + 3, 1)]
    assert seeds(bags) == [first, first + 3, first + 4]
    assert seeds(bags / 'recorded' / DISCARDED) == [first + 1, first + 2]
    made = []
    monkeypatch.setattr(loop, 'generate_episodes', lambda *given: made.append(given) or [])
    begun._generate()
    assert made[0][2] == first + MOST_RECORDED


def test_a_demonstrator_that_never_succeeds_ends_the_recording(tmp_path, showing):
    showing.outcomes += ['failure'] * 2
    with pytest.raises(IbcError, match=r'none of 2 demonstrations succeeded: see .*record\.log'):
        Loop(tmp_path, LoopPlan(recorded=2))._record()


def test_the_time_of_interrupted_attempts_counts(tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(loop.time, 'time', lambda: now[0])

    def work(seconds, interrupted):
        def run():
            now[0] += seconds
            if interrupted:
                raise KeyboardInterrupt
            return {'episodes': 1}

        return run

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            Loop(tmp_path, LoopPlan())._part('record', '', work(20.0, True))
    resumed = Loop(tmp_path, LoopPlan())
    resumed._part('record', '', work(5.0, False))
    resumed._part('verify', '', work(3.0, False))
    assert resumed.results['record'] == {'episodes': 1, 'seconds': 45.0}
    assert resumed.results['verify']['seconds'] == 3.0


def test_the_time_until_a_kill_counts(tmp_path):
    begin = 1_700_000_000.0
    (tmp_path / 'bags').mkdir()
    for file, after in ((ATTEMPTS, 1.0), ('record.log', 12.0), ('bags/a.mcap', 11.0)):
        (tmp_path / file).write_text(json.dumps({'record': [[begin]]}))
        os.utime(tmp_path / file, times=(begin + after, begin + after))
    resumed = Loop(tmp_path, LoopPlan())
    resumed._part('record', '', lambda: {'episodes': 1})
    assert resumed.results['record']['seconds'] == pytest.approx(12.0, abs=5.0)


def test_what_is_not_wanted_is_left_out(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(Loop, '_part', lambda self, name, *_: done.append(name))
    monkeypatch.setattr(loop, 'write_loop_report', lambda *_: None)
    Loop(tmp_path / 'a', LoopPlan(recorded=0)).run()
    assert done == ['generate', 'verify', 'train', 'trained', *RIVALS, 'run']
