"""`ibc twin`: a process that emulates an arm, and the commands that talk to it."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from ibc_bringup.main import main
from ibc_contract.ending_signals import SIGNALS
from waiting import PATIENCE_S

IBC = [sys.executable, '-m', 'ibc_bringup.main', 'twin']
ANY_PORTS = ['--port', '0', '--reports', '0', '--faults', '0', '--scene', '0']

Serve = Callable[..., tuple[subprocess.Popen[str], dict[str, int]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    running: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], dict[str, int]]:
        command = [*IBC, 'serve', *ANY_PORTS, '--json', *words]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        return process, json.loads(line)['ports']

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ibc_twin(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(['twin', *words])
    said = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 1, said.out, said.err


@pytest.mark.parametrize('number', SIGNALS)
def test_it_serves_until_a_signal_and_takes_faults(
    serve: Serve, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    process, ports = serve()
    assert {'control', 'normal', 'rich', 'real', 'developer', 'faults'} == set(ports)
    port = ['--faults', str(ports['faults'])]
    code, out, _ = ibc_twin(capsys, 'fault', 'error', '24', *port)
    assert code == 0
    assert 'error 24' in out
    code, out, _ = ibc_twin(capsys, 'fault', 'freeze', '--seconds', '60', *port)
    assert 'link: frozen' in out
    code, out, _ = ibc_twin(capsys, 'state', '--json', *port)
    assert json.loads(out)['error'] == 24
    code, _, err = ibc_twin(capsys, 'guide', '300', '0', '-20.5', *port)
    assert (code, 'not in manual mode' in err) == (1, True)
    code, _, err = ibc_twin(capsys, 'fault', 'gremlins', *port)
    assert (code, err.count('\n')) == (1, 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out, err) == (0, '', '')
    code, _, err = ibc_twin(capsys, 'state', *port)
    assert code == 1
    assert 'ibc twin serve' in err


def test_with_a_task_the_arm_has_a_world(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    process, ports = serve('--task', 'push_red', '--seed', '3')
    assert 'scene' in ports
    _, out, _ = ibc_twin(capsys, 'state', '--faults', str(ports['faults']))
    assert '240.' in out  # the tool waits at home
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


def test_what_cannot_be_served_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (['--task', 'juggle'], 'juggle'),
        (['--host', '203.0.113.1'], 'not an address of this machine'),
    ):
        code, _, err = ibc_twin(capsys, 'serve', *ANY_PORTS, *words)
        assert (code, err.count('\n')) == (1, 1)
        assert said in err


def test_faults_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ibc_twin(capsys, 'fault')
    assert code == 0
    assert 'press-estop' in out
    with pytest.raises(SystemExit):
        main(['twin', 'fault', '--help'])
    assert 'freeze-reports' in capsys.readouterr().out
