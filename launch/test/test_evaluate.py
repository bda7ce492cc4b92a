"""`ibc eval`: what reaches the policy, what is refused, measured, filmed, compared and kept."""

import csv
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from ibc_bringup import evaluation
from ibc_bringup.episode_films import EpisodeFilms
from ibc_bringup.episode_table import read_episodes, write_episodes
from ibc_bringup.main import main
from ibc_bringup.policies import contestant, player
from ibc_bringup.recorded_delays import recorded_delays
from ibc_bringup.trials import Trial, write_trials
from ibc_contract.errors import IbcError
from ibc_contract.images import encode_jpeg
from implicit_bc.evaluation import roll_out
from implicit_bc.rollout import Episode
from implicit_bc.steadiness import Steadiness
from xarm_twin.config import load_scene
from xarm_twin.delays import GRAPH

sys.path.insert(0, str(Path(__file__).parent))  # worker processes get this path
from short_episodes import short_env

MODEL = 'push_red_then_green'
DEMONSTRATOR = ('demonstrator', '--task', 'push_red')


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(('eval', *words))
    return ended.value.code


def refused(capsys, *words: str) -> str:
    assert run(*words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert not Path('runs').exists()
    return line


def test_steadiness_reaches_the_policy():
    asked = {'warm_start': 32, 'mode_margin': 0.5}
    policy = contestant(MODEL, steadiness=asked).policy()
    assert policy.steadiness == Steadiness(32, 0.5)
    assert contestant(MODEL).policy().steadiness == Steadiness()


def test_scripted_policies_have_none(capsys):
    line = refused(capsys, 'nothing', '--task', 'push_red', '--warm-start', '3')
    assert line == 'error: nothing is no model: leave out warm_start'


def test_a_model_can_be_held_against_itself_as_it_is(capsys, monkeypatch):
    asked = []

    def rolled(self, seeds, *_):
        asked.append(self.policy.args[-1])
        return iter([Episode(seed, 1.0, True, 9) for seed in seeds])

    monkeypatch.setattr('ibc_bringup.policies.Contestant.roll_out', rolled)
    words = (MODEL, '--warm-start', '8', '--compare', MODEL, '--episodes', '3', '--folder', 'kept')
    assert run(*words) == 0
    assert asked == [{'warm_start': 8}, {}]
    assert {file.name for file in Path('kept').glob('*.csv')} == {f'{MODEL}.csv', f'{MODEL}-2.csv'}
    assert 'no significant difference' in capsys.readouterr().out


def test_a_result_with_other_steadiness_is_not_noted_in_the_card(capsys):
    line = refused(capsys, MODEL, '--mode-margin', '0.5', '--save')
    assert '--save' in line
    assert 'policy.yaml' in line


def test_a_result_of_other_scenes_is_not_noted_in_the_card(capsys):
    assert 'leave out --delays and --randomize' in refused(capsys, MODEL, '--randomize', '--save')


@pytest.mark.parametrize('policy', ['demonstrator', MODEL])
def test_scenes_are_drawn_only_if_asked_for(policy):
    task = 'push_red_then_green'
    for randomize in (False, True):
        env = contestant(policy, task, 'tiny', randomize=randomize).env()
        env.reset(seed=3)
        assert (env.scene != load_scene()) == randomize
        env.close()


def test_the_hand_of_the_demonstrator_is_as_asked_for(capsys, monkeypatch):
    hands = []

    def make(*style):
        hands.append(style)
        raise IbcError('made')

    monkeypatch.setattr('ibc_bringup.policies.make_demonstrator', make)
    words = ('demonstrator', '--task', 'insert_blue', '--noise', '0.5', '--multimodal')
    assert refused(capsys, *words) == 'error: made'
    ((task, _, *style),) = hands
    assert (task, style) == ('insert_blue', [0.5, True])


def test_only_the_demonstrator_has_a_hand(capsys):
    line = refused(capsys, 'random', '--task', 'push_red', '--noise', '0.5', '--multimodal')
    assert line == 'error: random is not the demonstrator: leave out noise, multimodal'


@pytest.mark.parametrize(
    ('words', 'named'),
    [
        ((MODEL, '--task', 'insert_blue'), f'was trained for {MODEL}, not for insert_blue'),
        ((*DEMONSTRATOR, '--compare', MODEL), f'was trained for {MODEL}, not for push_red'),
        ((*DEMONSTRATOR, '--compare', 'nobody'), "unknown model 'nobody'"),
        ((*DEMONSTRATOR, '--compare', 'none.csv'), 'none.csv: No such file'),
        ((*DEMONSTRATOR, '--delays', 'none.yaml'), 'none.yaml'),
        ((*DEMONSTRATOR, '--all-videos'), 'add --videos FOLDER'),
    ],
    ids=lambda value: ' '.join(value) if isinstance(value, tuple) else '',
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(capsys, monkeypatch, words, named):
    monkeypatch.setattr(evaluation, '_measure', None)
    assert named in refused(capsys, *words)


def test_the_same_rows_with_one_and_two_workers():
    policy = player(MODEL, 'planar_rgb')
    here = list(roll_out(policy, short_env, range(3), 1, progress=False))
    there = list(roll_out(policy, short_env, range(3), 2, progress=False))
    assert here == there
    assert len({episode.steps for episode in here}) == 1


def test_an_evaluation_is_told_and_kept(capsys):
    words = (*DEMONSTRATOR, '--episodes', '2', '--seed', '5', '--workers', '1')
    assert run(*words, '--compare', 'nothing', '--json', '--folder', 'kept') == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(Path('kept/results.json').read_text())
    assert (said['policy'], said['task'], said['seed'], said['episodes']) == (
        'demonstrator', 'push_red', 5, 2,
    )  # fmt: skip
    assert said['success_rate'] == 1.0
    assert 2 < said['time_to_success_s']['median'] < 30
    assert said['compared']['failures'] == {'red not in its tray': 2}
    assert said['compared']['endings'] == {'stalled': 2}
    paired = said['paired']
    assert (paired['first_only'], paired['second_only'], paired['both']) == (2, 0, 0)
    assert (paired['p_value'], paired['score_difference']) == (0.5, 1.0)
    rows = list(csv.DictReader(Path('kept/nothing.csv').read_text().splitlines()))
    assert [row['seed'] for row in rows] == ['5', '6']
    assert [row['success'] for row in rows] == ['0', '0']

    # Again, against the table of before, for people.
    assert run(*words, '--compare', 'kept/nothing.csv') == 0
    text = capsys.readouterr().out
    assert 'success         1.00 [0.34, 1.00]' in text
    assert 'failed          2: red not in its tray (seeds 5, 6)' in text
    assert 'demonstrator alone in 2' in text
    assert 'demonstrator scores significantly higher than nothing' in text
    (folder,) = Path('runs').glob('eval-demonstrator-*')
    assert text.endswith(f'{folder}\n')


def test_an_interrupt_tells_and_keeps_the_first_episodes(capsys, monkeypatch):
    def interrupted(*_):
        yield Episode(0, 1.0, True, 10, 2.0)
        yield Episode(1, 0.0, False, 60, 12.0, {}, 'red not in its tray', 'stalled')
        raise KeyboardInterrupt

    monkeypatch.setattr('ibc_bringup.policies.Contestant.roll_out', interrupted)
    assert run(*DEMONSTRATOR, '--compare', 'nothing', '--folder', 'kept') == 130
    text = capsys.readouterr().out
    assert 'demonstrator on push_red: 2 episodes from seed 0' in text
    assert 'interrupted' in text
    assert len(read_episodes(Path('kept/demonstrator.csv'))) == 2
    assert not Path('kept/nothing.csv').exists()


def test_episodes_come_back_from_their_table(tmp_path):
    episodes = [
        Episode(3, 0.625, False, 300, 60.0, {'setpoint_slowed': 2, 'a': 1}, 'x, y', 'stalled'),
        Episode(4, 1.0, True, 12, 2.4),
        Episode(5, 1.0, True, 12),
    ]
    write_episodes(tmp_path / 'new' / 'one.csv', episodes)
    assert read_episodes(tmp_path / 'new' / 'one.csv') == episodes


@pytest.mark.parametrize('text', ['', 'seed,score\n1,2\n', 'seed,success\nx,y\n', '\0\0'])
def test_another_table_is_refused(tmp_path, text):
    file = tmp_path / 'other.csv'
    file.write_text(text)
    with pytest.raises(IbcError, match=r'other\.csv'):
        read_episodes(file)


@pytest.mark.parametrize(('success', 'everything'), [(False, False), (True, False), (True, True)])
def test_failures_are_filmed(tmp_path, success, everything):
    film = EpisodeFilms(tmp_path, 'model', 0.2, everything)(7)
    for step in range(5):
        picture = np.full((360, 640, 3), 40 * step, np.uint8)
        info = {'jpeg': encode_jpeg(picture), 'seconds': 0.2 * step, 'score': 0.5}
        film.step({}, np.zeros(2), info)
    film.end(Episode(7, float(success), success, 5, 1.0, {}, 'red not in', 'stalled'))
    files = list(tmp_path.iterdir())
    if success and not everything:
        assert not files
        return
    assert [file.name for file in files] == ['model-7.mp4']
    video = cv2.VideoCapture(str(files[0]))
    assert video.get(cv2.CAP_PROP_FPS) == 5
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 5 + 2 * 5


def test_delays_of_a_site_become_spans(tmp_path):
    stored = {
        'setpoint_s': 0.02, 'arm_s': 0.05, 'camera_s': 0.03, 'arrival_s': 0.02, 'loop_s': 0.12,
        'spread_s': {'setpoint': 0.004, 'camera': 0.005}, 'steps': 20, 'step_mm': 20.0, 'date': '',
    }  # fmt: skip
    file = tmp_path / 'latency.yaml'
    file.write_text(yaml.safe_dump(stored))
    delays = recorded_delays(str(file))
    assert delays.frame_age_s == pytest.approx((0.04, 0.06 + 1 / 30))
    assert delays.command_s == pytest.approx((0.012, 0.028))
    assert recorded_delays('graph') is GRAPH


def test_through_ros_the_same_seeds_are_told_in_the_same_shape(capsys, monkeypatch, tmp_path):
    stacks = []

    def played(stack, given, log, timeout_s, relay=''):
        stacks.append((stack, given, timeout_s))
        trials = [
            Trial(1.0, True, 20.0, seed=1000, interventions={'setpoint_slowed': 4}),
            Trial(0.5, False, 60.0, False, 1001, {}, 'green not in its tray', 'stalled'),
            Trial(0.0, False, 7.0, stopped=True, seed=1002),
        ]
        write_trials(Path(given['results']), trials)

    def in_process(self, seeds, *_):
        return iter([Episode(seed, 1.0, True, 90, 18.0) for seed in seeds])

    monkeypatch.setattr('ibc_bringup.ros_trials.run_to_end', played)
    monkeypatch.setattr('ibc_bringup.policies.Contestant.roll_out', in_process)
    words = (MODEL, '--ros', '--seed', '1000', '--episodes', '3', '--folder', 'kept')
    assert run(*words, '--compare', MODEL, '--json') == 0
    said = json.loads(capsys.readouterr().out)
    assert (said['ros'], said['episodes'], said['seed'], said['score']) == (True, 2, 1000, 0.75)
    assert said['failures'] == {'green not in its tray': 1}
    assert said['interventions'] == {'setpoint_slowed': 2.0}
    assert said['time_to_success_s'] == {'mean': 20.0, 'median': 20.0}
    assert said['rates_agree'] is True
    assert (said['paired']['episodes'], said['paired']['second_only']) == (2, 1)
    assert said.keys() - {'ros', 'paired', 'compared', 'rates_agree', 'folder'} <= (
        said['compared'].keys()
    )
    assert {file.name for file in Path('kept').iterdir()} == {
        'results.json', 'trials.json', f'{MODEL}-ros.csv', f'{MODEL}.csv',
    }  # fmt: skip
    ((stack, given, timeout_s),) = stacks
    assert stack == 'run_policy'
    assert (given['seed'], given['trials']) == ('1000', '3')
    assert timeout_s > 3 * 60


def test_rates_that_do_not_agree_are_said(capsys, monkeypatch):
    def failing(*_, **__):
        return iter([Episode(seed, 0.0, False, 300, 60.0) for seed in range(20)])

    def winning(self, seeds, *_):
        return iter([Episode(seed, 1.0, True, 90, 18.0) for seed in seeds])

    monkeypatch.setattr(evaluation, 'roll_out_through_ros', failing)
    monkeypatch.setattr('ibc_bringup.policies.Contestant.roll_out', winning)
    assert run(MODEL, '--ros', '--episodes', '20', '--compare', MODEL) == 0
    assert 'through ROS and in-process do not agree' in capsys.readouterr().out


@pytest.mark.parametrize(
    'words',
    [
        (*DEMONSTRATOR, '--ros'),
        (MODEL, '--ros', '--delays', 'graph'),
        (MODEL, '--ros', '--save'),
        (MODEL, '--ros', '--warm-start', '3'),
    ],
    ids=' '.join,
)
def test_what_the_ros_graph_does_not_do_is_refused(capsys, words):
    assert '--ros runs a model as it is' in refused(capsys, *words)
