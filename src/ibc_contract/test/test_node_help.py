import re
from typing import Annotated

import pydantic
import pytest
from pydantic import Field

from ibc_contract.runner import run


@pydantic.dataclasses.dataclass(frozen=True)
class ArmConfig:
    robot_ip: Annotated[str, Field(description='address of the controller')]
    speed: Annotated[float, Field(ge=0.01, le=0.25, description='speed [m/s]')] = 0.1
    wait: Annotated[float, Field(ge=0, description='how long to wait [s]')] = 3
    operator: Annotated[str, Field(description='who leads')] = ''
    autostart: Annotated[bool, Field(description='moves by itself')] = True
    topics: Annotated[tuple[str, ...], Field(description='what is heard')] = ('a', 'b')


def no_node():
    pytest.fail('the node was made')


@pytest.mark.parametrize('word', ['--help', '-h'])
def test_help_lists_the_parameters_and_starts_nothing(capsys, word):
    ros_arguments = ['--ros-args', '-p', 'robot_ip:=10.0.0.5']
    assert run(no_node, [word, *ros_arguments], [ArmConfig]) == 0
    usage, _, _, *lines = capsys.readouterr().out.splitlines()
    assert usage.startswith('usage: ')
    assert [re.sub(' +', ' ', line) for line in lines] == [
        ' robot_ip address of the controller (required)',
        ' speed speed [m/s] (0.01 to 0.25, default 0.1)',
        ' wait how long to wait [s] (default 3)',
        " operator who leads (default '')",
        ' autostart moves by itself (default true)',
        ' topics what is heard (default a b)',
    ]


def test_a_word_that_ros_would_ignore_starts_nothing(capsys):
    assert run(no_node, ['robot_ip:=10.0.0.5'], [ArmConfig]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: unknown argument 'robot_ip:=10.0.0.5': parameters are given as")
