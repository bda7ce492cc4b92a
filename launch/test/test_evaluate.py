"""Steadiness and hand in `ibc eval`: they reach the policy, and are refused for another one."""

import pytest

from ibc_bringup.main import main
from ibc_bringup.policies import contestant
from ibc_contract.errors import IbcError
from implicit_bc.steadiness import Steadiness


def refused(capsys, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(('eval', *words))
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_it_reaches_the_policy():
    asked = {'warm_start': 32, 'mode_margin': 0.5}
    policy = contestant('push_red_then_green', steadiness=asked).policy()
    assert policy.steadiness == Steadiness(32, 0.5)
    assert contestant('push_red_then_green').policy().steadiness == Steadiness()


def test_scripted_policies_have_none(capsys):
    line = refused(capsys, 'nothing', '--task', 'push_red', '--warm-start', '3')
    assert line == 'error: nothing is no model: leave out warm_start'


def test_a_result_with_other_steadiness_is_not_noted_in_the_card(capsys):
    line = refused(capsys, 'push_red_then_green', '--mode-margin', '0.5', '--save')
    assert '--save' in line
    assert 'policy.yaml' in line


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
