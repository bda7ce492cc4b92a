"""The README's `ibc demo`, and `ibc bench driver`, with a model that was never trained."""

import json
import signal
import subprocess
import time
from pathlib import Path

import imageio_ffmpeg
import pytest
import torch

from ibc_bringup.trials import read_trials
from ibc_command import IBC, TIMEOUT_S, headless, ibc
from ibc_contract.contract import load_contract
from implicit_bc.bundle import save_bundle
from implicit_bc.methods import DerivativeFree
from implicit_bc.networks.conv_maxpool import ConvMaxPoolConfig
from implicit_bc.networks.energy import NetworkConfig
from implicit_bc.networks.mlp import ValueConfig
from implicit_bc.normalization import ActionBounds, Affine
from implicit_bc.samplers.derivative_free import DerivativeFreeConfig
from implicit_bc.scaling import Scaling
from implicit_bc.spaces import Spaces

pytestmark = pytest.mark.system


def assert_film(path: Path) -> None:
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert frames > 10
    assert seconds > 1.0


def make_bundle(folder: Path) -> Path:
    """A model that was never trained."""
    scaling = Scaling(
        Affine((0.4,) * 3, (0.2,) * 3),
        Affine((0.0, 0.0), (0.01, 0.01)),
        ActionBounds((-0.03, -0.03), (0.03, 0.03)),
    )
    network = NetworkConfig(
        image=ConvMaxPoolConfig((4, 8), (True, False), stem_stride=2, keypoints=4),
        value=ValueConfig(16, 2),
    )
    method = DerivativeFree(sampler=DerivativeFreeConfig(samples=64))
    model = method.model(Spaces.of_contract(load_contract()), network, scaling)
    return save_bundle(folder, load_contract(), model, ['push_red'], {})


def test_demo(tmp_path, ros):
    torch.manual_seed(0)
    model, folder = make_bundle(tmp_path / 'tiny'), tmp_path / 'demo'
    words = ('--model', str(model), '--seconds', '8', '--folder', str(folder), '--json')
    done = ibc(ros.env, 'demo', *words)
    told = json.loads(done.stdout)
    assert told['task'] == 'push_red'
    assert told['episodes'] + told['stopped'] == len(read_trials(folder / 'trials.json')) == 1
    assert told['stopped'] == 1
    assert 'trial 1: stopped' in done.stderr
    assert_film(Path(told['video']))
    page = Path(told['report']).read_text()
    assert 'data:video/mp4;base64,' in page
    assert 'No trial was finished, 1 stopped' in page


def test_demo_leaves_film_and_report_when_it_is_interrupted(tmp_path, ros):
    model, folder = make_bundle(tmp_path / 'tiny'), tmp_path / 'demo'
    with (tmp_path / 'said').open('w') as said:
        demo = subprocess.Popen(
            [*IBC, 'demo', '--model', str(model), '--folder', str(folder), '--json'],
            env=headless(ros.env),
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
        try:
            deadline = time.monotonic() + TIMEOUT_S
            while 'trial 1 begins' not in (tmp_path / 'said').read_text():
                assert demo.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.1)
            time.sleep(3.0)
            demo.send_signal(signal.SIGINT)
            out, _ = demo.communicate(timeout=TIMEOUT_S)
        finally:
            demo.kill()
    assert demo.returncode == 130
    told = json.loads(out)
    assert (told['episodes'], told['stopped']) == (0, 1)
    assert_film(Path(told['video']))
    assert 'data:video/mp4;base64,' in Path(told['report']).read_text()


def test_bench_driver(tmp_path, ros):
    torch.manual_seed(0)
    model, folder = make_bundle(tmp_path / 'tiny'), tmp_path / 'bench'
    words = ('--model', str(model), '--seconds', '3', '--folder', str(folder), '--json')
    told = json.loads(ibc(ros.env, 'bench', 'driver', *words).stdout)
    assert 10 < told['ticks'] <= 301
    assert told['commands'] >= 1
    assert 0.0 <= told['tick_p50_ms'] <= told['tick_p99_ms'] <= told['tick_max_ms']
    assert told['late_ticks'] <= told['ticks']
    assert 0.0 < told['command_to_wire_p50_ms'] <= told['command_to_wire_p99_ms']
    assert told['realtime_granted'] == (told['realtime_priority'] == 'granted')
