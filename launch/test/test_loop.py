import dataclasses
import json
from types import SimpleNamespace

import pytest

from ibc_bringup import loop
from ibc_bringup.loop import PLAN, Loop, open_loop
from ibc_bringup.loop_plan import LEAST, MOST_RECORDED, LoopPlan
from ibc_bringup.loop_report import RIVALS, loop_table
from ibc_bringup.main import main, parser
from ibc_contract.errors import IbcError
from implicit_bc.preset_files import preset_names
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
    assert rows['training'] == ('103', '4000', '240', '')
    assert rows['random policy, evaluated'] == ('20', '1500', '60', '0.80 [0.58, 0.92]')
    assert rows['trained policy through ROS 2'][-1] == '1 of 2'
    assert len(rows) == len(RESULTS)


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
        (['--preset', 'nosuch'], "unknown training preset 'nosuch'; known: cpu_base"),
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
    for name in (*TASK_NAMES, *preset_names()):
        assert name in text
    for field in dataclasses.fields(LoopPlan):
        if field.name != 'lead_in_s':
            assert f'--{field.name.replace("_", "-")}' in text
            shown = f'{field.default:g}' if isinstance(field.default, float) else field.default
            assert f'({shown})' in text
    assert set(LEAST) < {field.name for field in dataclasses.fields(LoopPlan)}


def test_no_layout_is_shown_twice_even_when_recording_goes_on_later(tmp_path, monkeypatch):
    asked, there = [], []
    monkeypatch.setattr(loop, 'run_to_end', lambda _, given, *a, **k: asked.append(given))
    monkeypatch.setattr(loop, 'find_episodes', lambda root: list(there))
    monkeypatch.setattr(
        loop, 'EpisodeReader', lambda seed: SimpleNamespace(info=SimpleNamespace(seed=seed))
    )
    begun = Loop(tmp_path, LoopPlan(recorded=3, seed=4))
    (tmp_path / 'bags' / 'recorded').mkdir(parents=True)
    first = DEMONSTRATION_SEED + 4
    begun._record()
    assert (asked[-1]['seed'], asked[-1]['episodes']) == (str(first - 1), '3')
    there += [first, first + 1]
    begun._record()
    assert (asked[-1]['seed'], asked[-1]['episodes']) == (str(first + 1), '1')
    made = []
    monkeypatch.setattr(loop, 'generate_episodes', lambda *given: made.append(given) or [])
    begun._generate()
    assert made[0][2] == first + MOST_RECORDED


def test_what_is_not_wanted_is_left_out(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr(Loop, '_part', lambda self, name, *_: done.append(name))
    monkeypatch.setattr(loop, 'write_loop_report', lambda *_: None)
    Loop(tmp_path / 'a', LoopPlan(recorded=0)).run()
    assert done == ['generate', 'verify', 'train', 'trained', *RIVALS, 'run']
