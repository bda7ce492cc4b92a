"""`ibc demo`: which model, and a report whatever happened."""

import errno
import json
from pathlib import Path

import numpy as np
import pytest

from ibc_bringup import demo
from ibc_bringup.bundles import ModelCard
from ibc_bringup.demo import DemoPlan, best_card, run_demo
from ibc_bringup.ros_trials import RESULTS, VIDEO
from ibc_bringup.session import private_environment
from ibc_bringup.trials import Trial, write_trials
from ibc_bringup.video import Mp4Writer
from ibc_contract.errors import IbcError

RESULT = {'success_rate': 0.8, 'wilson95': [0.6, 0.9]}


def card(name: str, task: str) -> ModelCard:
    return ModelCard(name, Path('/models') / name, (task,), 'planar_rgb', {task: RESULT})


@pytest.fixture(autouse=True)
def cards(monkeypatch):
    known = [card('first', 'push_red'), card('second', 'insert_blue')]
    monkeypatch.setattr(demo, 'list_cards', lambda: known)
    monkeypatch.setattr(demo, 'has_display', lambda: False)
    monkeypatch.setattr(demo, 'check_bundle', lambda _: None)
    made = {'created': '2026-11-01', 'steps': 8000, 'training': {'seed': 3}}
    monkeypatch.setattr(demo, 'read_description', lambda _: {'provenance': made})


def film(folder: Path) -> None:
    with Mp4Writer(folder / VIDEO, 10) as writer:
        for _ in range(5):
            writer.add(np.zeros((90, 160, 3), np.uint8))


def test_the_best_model_of_the_task_is_chosen():
    assert best_card(None).name == 'first'
    assert best_card('insert_blue').name == 'second'
    with pytest.raises(IbcError, match='no trained model for push_red_then_green') as caught:
        best_card('push_red_then_green')
    assert 'ibc generate --task push_red_then_green' in str(caught.value)


def test_the_report_counts_only_what_was_finished(tmp_path, monkeypatch):
    trials = [
        Trial(1.0, True, 20.0, seed=7),
        Trial(0.0, False, 30.0),
        Trial(0.5, False, 9.0, stopped=True),
    ]

    def tried(model, task, folder, *_):
        film(folder)
        return trials

    monkeypatch.setattr(demo, 'try_model', tried)
    shown = run_demo(DemoPlan(tmp_path))
    page = shown.report.read_text()
    assert 'data:video/mp4;base64,' in page
    assert '1 of 2 trials succeeded, 1 stopped before the end.' in page
    assert 'layout seeds 7' in page
    assert '<dt>training seed</dt><dd>3</dd>' in page
    told = json.loads(json.dumps(shown.to_dict()))
    assert told == {
        'model': '/models/first', 'task': 'push_red', 'episodes': 2, 'successes': 1, 'stopped': 1,
        'seconds': 59.0, 'video': str(tmp_path / VIDEO), 'report': str(tmp_path / 'report.html'),
    }  # fmt: skip


def test_an_interrupt_leaves_a_report_with_what_was_filmed(tmp_path, monkeypatch):
    def interrupted(model, task, folder, *_):
        film(folder)
        write_trials(folder / RESULTS, [Trial(0.5, False, 9.0, stopped=True)])
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, 'try_model', interrupted)
    shown = run_demo(DemoPlan(tmp_path))
    assert shown.interrupted
    assert shown.to_dict()['episodes'] == 0
    page = shown.report.read_text()
    assert 'No trial was finished, 1 stopped before the end.' in page
    assert 'data:video/mp4;base64,' in page


def test_a_failure_leaves_a_report_with_what_was_filmed(tmp_path, monkeypatch):
    def failed(model, task, folder, *_):
        film(folder)
        write_trials(folder / RESULTS, [Trial(1.0, True, 20.0)])
        raise IbcError('run_policy: trials ended with code 1: arm/home refused')

    monkeypatch.setattr(demo, 'try_model', failed)
    with pytest.raises(IbcError) as caught:
        run_demo(DemoPlan(tmp_path))
    reason = 'run_policy: trials ended with code 1: arm/home refused'
    assert str(caught.value) == f'{reason}; report: {tmp_path / "report.html"}'
    page = (tmp_path / 'report.html').read_text()
    assert f'Cut short: {reason}.' in page
    assert '1 of 1 trials succeeded.' in page
    assert 'data:video/mp4;base64,' in page


def test_a_full_disk_is_said_in_one_line(tmp_path, monkeypatch):
    def no_space(report, path):
        path.write_text('<html>')
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(demo, 'try_model', lambda *_: [])
    monkeypatch.setattr(demo.Report, 'write', no_space)
    with pytest.raises(IbcError, match=r'report\.html: No space left on device; no report: what'):
        run_demo(DemoPlan(tmp_path))
    assert not (tmp_path / 'report.html').exists()


@pytest.mark.parametrize(
    ('model', 'task', 'named'),
    [
        ('nobody', None, "unknown model 'nobody'"),
        (None, 'juggle', 'juggle'),
        (None, None, 'no weights'),
    ],
)
def test_what_cannot_be_shown_is_refused_before_anything(
    tmp_path, monkeypatch, capsys, model, task, named
):
    def no_weights(path):
        raise IbcError(f'{path}: no weights')

    monkeypatch.setattr(demo, 'check_bundle', no_weights)
    with pytest.raises(IbcError, match=named):
        run_demo(DemoPlan(tmp_path / 'demo', model, task))
    assert not (tmp_path / 'demo').exists()
    assert capsys.readouterr().err == ''


def test_a_display_that_keeps_the_window_out_is_told_one_that_is_not_there_is_not(
    monkeypatch, capsys
):
    monkeypatch.undo()
    monkeypatch.setenv('DISPLAY', ':9876')
    assert not demo.has_display()
    assert 'no X server answers at DISPLAY=:9876' in capsys.readouterr().err
    monkeypatch.delenv('DISPLAY')
    assert not demo.has_display()
    assert capsys.readouterr().err == ''


def test_no_time_is_refused(tmp_path):
    with pytest.raises(IbcError, match='no time for a trial'):
        DemoPlan(tmp_path, seconds=0.0)


def test_two_commands_have_graphs_of_their_own(monkeypatch):
    monkeypatch.delenv('ROS_DOMAIN_ID', raising=False)
    with private_environment() as one, private_environment() as other:
        assert int(one['ROS_DOMAIN_ID']) != int(other['ROS_DOMAIN_ID'])


def test_a_domain_that_was_chosen_by_hand_stays(monkeypatch):
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    with private_environment() as one, private_environment() as other:
        assert one['ROS_DOMAIN_ID'] == other['ROS_DOMAIN_ID'] == '7'
