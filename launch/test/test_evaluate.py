"""Steadiness in `ibc eval`: it reaches the policy, and is refused where it means nothing."""

import pytest

from ibc_bringup.main import main
from ibc_bringup.policies import contestant
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
