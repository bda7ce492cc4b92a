"""Everything together, as small as it gets: `ibc loop`, what it recorded, and what it trained."""

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import pytest
import yaml
from geometry_msgs.msg import Vector3Stamped
from mcap.reader import make_reader
from rclpy.node import Node

from ibc_bringup.loop import PLAN, RESULTS
from ibc_bringup.loop_report import ORDER, RIVALS
from ibc_bringup.ports import free_twin_ports
from ibc_bringup.ros_trials import VIDEO
from ibc_command import IBC, TIMEOUT_S, ibc
from ibc_contract import topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_reader import EpisodeReader, find_episodes

TINY = {
    'steps': 5, 'batch_size': 8, 'holdout': 0, 'log_every': 1,
    'network': {'image': {'widths': [4, 4, 4, 4]}, 'value': {'width': 8}},
    'method': {'negatives': 8, 'sampler': {'samples': 16}},
}  # fmt: skip
DECISIONS = 10

pytestmark = pytest.mark.system


@dataclass
class Loop:
    """What `ibc loop --json` has left behind and said."""

    folder: Path
    told: dict
    said: str

    def episode(self, source: str) -> Path:
        """The first episode that came this way: `ros`, or `twin` for one that was generated."""
        found = find_episodes(self.folder / 'bags')
        return next(path for path in found if EpisodeReader(path).info.source == source)


@pytest.fixture(scope='module')
def loop(tmp_path_factory, make_ros) -> Iterator[Loop]:
    root = tmp_path_factory.mktemp('loop')
    preset, folder = root / 'tiny.yaml', root / 'loop'
    preset.write_text(yaml.safe_dump(TINY))
    counts = ('--recorded', '1', '--generated', '1', '--evaluated', '1', '--run-seconds', '15')
    words = ('loop', '--preset', str(preset), '--folder', str(folder), *counts, '--json')
    done = ibc(make_ros().env, *words)
    return Loop(folder, json.loads(done.stdout), done.stderr)


def test_the_whole_way_is_told_and_shown(loop):
    told, results = loop.told, loop.told['results']
    assert told['plan'] == json.loads((loop.folder / PLAN).read_text())
    assert not told['better_than_baselines']  # one episode shows nothing, even where it succeeds
    assert 'warning: the trained policy is no' in loop.said
    assert results == json.loads((loop.folder / RESULTS).read_text())
    assert set(results) == set(ORDER)
    assert {name: results[name]['episodes'] for name in ORDER if name != 'run'} == {
        'record': 1, 'generate': 1, 'verify': 2, 'train': 2, 'trained': 1,
        **dict.fromkeys(RIVALS, 1),
    }  # fmt: skip
    assert results['train']['steps'] == 5
    assert min(results['train']['data_steps'].values()) > 10
    assert results['demonstrator']['success_rate'] == 1.0
    assert results['nothing']['success_rate'] == 0.0
    page = Path(told['report']).read_text()
    for cell in ('recorded through ROS 2', 'random moves, evaluated', 'data:video/mp4;base64,'):
        assert cell in page
    assert page.count('<svg') == 2
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(loop.folder / VIDEO))
    assert frames > 10
    assert seconds > 1.0
    assert 'episode 1/1: success' in loop.said


def test_what_is_done_is_not_done_again(loop, ros):
    again = ibc(ros.env, 'loop', '--resume', str(loop.folder))
    assert 'recorded through ROS 2' in again.stdout
    assert again.stderr.count('done before') == len(ORDER)


def form(episode: Path) -> dict[str, tuple]:
    """Topic -> type, its definition, encodings and frames, as any MCAP reader sees them."""
    reader = EpisodeReader(episode)
    frames: dict[str, set[str]] = {}
    for topic, _, message in reader.messages():
        header = getattr(message, 'header', None)
        frames.setdefault(f'/{topic}', set()).add(header.frame_id if header else '')
    with reader.file.open('rb') as file:
        summary = make_reader(file).get_summary()
    channels = {channel.topic: channel for channel in summary.channels.values()}
    schemas = {topic: summary.schemas[channels[topic].schema_id] for topic in frames}
    return {
        topic: (
            schemas[topic].name,
            schemas[topic].encoding,
            schemas[topic].data.split(),
            channels[topic].message_encoding,
            frames[topic],
        )
        for topic in sorted(frames)
    }


def test_what_is_recorded_is_whole_and_has_the_form_of_what_is_generated(loop):
    recorded, generated = loop.episode('ros'), loop.episode('twin')
    reader, twin = EpisodeReader(recorded), EpisodeReader(generated).info
    assert reader.info.outcome == 'success', loop.said
    assert reader.info.contract_hash == load_contract().hash == twin.contract_hash
    assert reader.info.contract_name == twin.contract_name
    assert set(reader.counts) >= set(topics.EPISODE_TOPICS) - {topics.POLICY_DELTA}
    assert reader.counts[topics.TELEOP_DELTA] > 10
    assert form(generated) == form(recorded)


def test_what_was_trained_decides_in_a_stack_until_ctrl_c(loop, ros):
    probe = Node('probe', context=ros.context)
    moves: list[Vector3Stamped] = []
    probe.create_subscription(Vector3Stamped, topics.POLICY_DELTA, moves.append, 10)
    given = {**free_twin_ports(), 'model': str(loop.folder / loop.told['plan']['task'] / 'bundle')}
    process = subprocess.Popen(
        [*IBC, 'up', 'run_policy', *(f'{name}:={value}' for name, value in given.items())],
        env=ros.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        ros.spin_until(
            lambda: len(moves) >= DECISIONS or process.poll() is not None, probe, timeout=TIMEOUT_S
        )
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=TIMEOUT_S)
    finally:
        process.kill()
        probe.destroy_node()
    assert process.returncode == 0, said
    assert len(moves) >= DECISIONS, said
    limit = load_contract().max_delta_m
    assert all(max(abs(m.vector.x), abs(m.vector.y)) <= limit + 1e-9 for m in moves)
    assert all(m.header.frame_id == topics.LINK_BASE and m.vector.z == 0.0 for m in moves)
