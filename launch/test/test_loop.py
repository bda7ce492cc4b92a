import json

import pytest

from ibc_bringup.loop import PLAN, Loop, LoopPlan, open_loop
from ibc_bringup.loop_report import RIVALS, loop_table
from ibc_contract.errors import IbcError

EVALUATION = {
    'score': 0.8, 'success_rate': 0.8, 'wilson95': [0.58, 0.92], 'episodes': 20, 'seed': 7,
    'seconds': 60.0, 'steps': 1500,
}  # fmt: skip
RESULTS = {
    'record': {'episodes': 3, 'seconds': 70.2},
    'generate': {'episodes': 100, 'seconds': 200.0},
    'verify': {'episodes': 103, 'seconds': 20.0},
    'train': {
        'episodes': 103, 'seconds': 240.0, 'data_steps': {'recorded': 150, 'generated': 5000}
    },
    **dict.fromkeys(('trained', *RIVALS), EVALUATION),
    'run': {'episodes': 2, 'successes': 1, 'seconds': 60.0},
}  # fmt: skip


def test_the_table_has_a_row_per_part_with_its_interval():
    table = loop_table(RESULTS, train_steps=4000)
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
