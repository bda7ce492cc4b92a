"""Two processes as torchrun starts them train what one process trains."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from ibc_contract.errors import IbcError
from implicit_bc.tensors import load_tensors
from implicit_bc.training.checkpoint import checkpoints
from implicit_bc.training.config import config_from_dict
from implicit_bc.training.data import ArrayData
from implicit_bc.training.processes import Processes
from implicit_bc.training.run_log import read_metrics
from implicit_bc.training.trainer import fit

STEPS = 12


def config(steps):
    return config_from_dict(
        {
            'contract': 'none',
            'method': {'negatives': 8, 'sampler': {'samples': 32}},
            'network': {'value': {'width': 16, 'depth': 3, 'dropout': 0.1}},
            'steps': steps,
            'batch_size': 16,
            'micro_batch': 4,
            'average_decay': 0.9,
            'holdout': 0.2,
            'log_every': 4,
            'threads': 1,
            'device': 'cpu',
        },
        'test',
    )


def data():
    states = np.random.default_rng(0).uniform(-1, 1, (100, 3)).astype(np.float32)
    return ArrayData(states, states[:, :2] * 0.5, np.arange(100) // 10)


SCRIPT = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from test_processes import STEPS, config, data
from implicit_bc.training.processes import joined_processes
from implicit_bc.training.trainer import fit

with joined_processes() as processes:
    run = Path(sys.argv[2])
    fit(config(STEPS // 2), data(), run, progress=False, processes=processes)
    fit(config(STEPS), data(), run, resume=True, progress=False, processes=processes)
    print('rank', processes.rank, 'of', processes.count)
threads = [comm.read_text() for comm in Path('/proc/self/task').glob('*/comm')]
print('threads of gloo left:', sum('gloo' in name for name in threads))
"""


def as_torchrun_sets(rank, port):
    """The environment of one of two processes on this machine."""
    return {
        'RANK': str(rank),
        'LOCAL_RANK': str(rank),
        'WORLD_SIZE': '2',
        'MASTER_ADDR': '127.0.0.1',
        'MASTER_PORT': str(port),
    }


def test_two_processes_resumed_end_with_the_weights_of_one(tmp_path):
    script = tmp_path / 'script.py'
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(Path(__file__).parent), str(tmp_path / 'two')]
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    both = [
        subprocess.Popen(
            command,
            env={**os.environ, **as_torchrun_sets(rank, port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(line for out, _ in said for line in out.splitlines()) == [
        'rank 0 of 2',
        'rank 1 of 2',
        'threads of gloo left: 0',
        'threads of gloo left: 0',
    ]

    fit(config(STEPS), data(), tmp_path / 'one', progress=False)
    for name in ('model', 'average'):
        one = load_tensors(checkpoints(tmp_path / 'one')[-1], name)
        two = load_tensors(checkpoints(tmp_path / 'two')[-1], name)
        for key, tensor in one.items():
            if key.endswith('value.head.bias'):
                continue  # energies count up to a constant: its gradient is rounding alone
            torch.testing.assert_close(two[key], tensor, rtol=1e-3, atol=1e-5)
    logged = [[r for r in read_metrics(tmp_path / run) if 'loss' in r] for run in ('one', 'two')]
    assert [r['step'] for r in logged[0]] == [4, 8, 12]
    assert [r['step'] for r in logged[1]] == [4, 8, 12]  # written once


def test_a_process_that_is_gone_is_said_in_one_line(monkeypatch, one_line):
    def refuse(*arguments, **options):
        raise RuntimeError('Connection closed by peer [127.0.0.1]:1234')

    monkeypatch.setattr(torch.distributed, 'all_reduce', refuse)
    with pytest.raises(IbcError, match='another process of this training has ended') as error:
        Processes(0, 2).wait()
    one_line(error.value)
