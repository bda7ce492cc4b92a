"""`ibc models report`: figures of the cards and films of the models at work."""

import re
from dataclasses import replace

import pytest

from ibc_bringup.bundles import read_card
from ibc_bringup.main import main
from xarm_twin.tasks import get_task
from xarm_twin.tasks.registry import TASKS

MODEL = 'push_red_then_green'


@pytest.fixture
def brief(tmp_path, monkeypatch):
    """Work in an empty folder where the task is over after a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(TASKS, MODEL, replace(get_task(MODEL), horizon_s=1.0))
    return tmp_path


def test_a_page_has_figures_and_films(brief, capsys):
    words = ('--episodes', '2', '--seed', '7', '--workers', '1', '--folder', 'here')
    with pytest.raises(SystemExit) as ended:
        main(('models', 'report', MODEL, *words))
    assert ended.value.code == 0
    assert capsys.readouterr().out == 'here/report.html\n'
    page = (brief / 'here' / 'report.html').read_text()
    assert len(re.findall('data:video/mp4;base64,[A-Za-z0-9+/]{1000}', page)) == 2
    assert 'push_red_then_green, layout 8: score 0.00 after 1 s' in page
    rate = read_card(MODEL).results[MODEL]['success_rate']
    assert f'{100 * rate:.0f} %' in page
    assert '85.0' in page  # the paper's
    assert {film.name for film in brief.glob('here/*.mp4')} == {f'{MODEL}-{i}.mp4' for i in (7, 8)}


def test_an_unknown_model_is_named(brief, capsys):
    with pytest.raises(SystemExit) as ended:
        main(('models', 'report', 'nobody'))
    assert ended.value.code == 1
    assert "unknown model 'nobody'" in capsys.readouterr().err
    assert not list(brief.iterdir())
