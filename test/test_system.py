"""Everything together: record through ROS, train a few steps, run what was trained through ROS."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from geometry_msgs.msg import Vector3Stamped
from mcap.reader import make_reader
from rclpy.node import Node

from ibc_bringup.ports import free_twin_ports
from ibc_contract import topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from xarm_twin.generate import generate_episodes
from xarm_twin.recipe import Recipe

IBC = [sys.executable, '-m', 'ibc_bringup.main']
TIMEOUT_S = 240
TINY = [
    'steps=5', 'batch_size=8', 'method.negatives=8', 'holdout=0',
    'network.image.widths=[4,4,4,4]', 'network.value.width=8', 'method.sampler.samples=16',
]  # fmt: skip
DECISIONS = 10

pytestmark = pytest.mark.system


def ibc(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*IBC, *words], env=env, capture_output=True, text=True, timeout=TIMEOUT_S
    )


def stack(name: str, **values: str) -> list[str]:
    return ['up', name, *(f'{key}:={value}' for key, value in (values | free_twin_ports()).items())]


def record(root: Path, env: dict[str, str]) -> None:
    done = ibc(*stack('teleop_record', demonstrator='true', episodes='1', root=str(root)), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    (episode,) = find_episodes(root)
    reader = EpisodeReader(episode)
    assert reader.info.outcome == 'success', done.stdout + done.stderr
    assert reader.info.source == 'ros'
    assert reader.info.contract_hash == load_contract().hash
    assert set(reader.counts) >= set(topics.EPISODE_TOPICS) - {topics.POLICY_DELTA}
    assert reader.counts[topics.TELEOP_DELTA] > 10
    verified = ibc('bags', 'verify', str(root))
    assert verified.returncode == 0, verified.stdout


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


def compare_with_twin(recorded: Path, root: Path) -> None:
    """What is generated must not differ in form from what is recorded through ROS."""
    (episode,) = find_episodes(recorded)
    (generated,) = generate_episodes(Recipe('push_red', root), 1)
    assert form(generated) == form(episode)
    ros, twin = EpisodeReader(episode).info, EpisodeReader(generated).info
    assert (twin.contract_name, twin.contract_hash) == (ros.contract_name, ros.contract_hash)
    assert (ros.source, twin.source) == ('ros', 'twin')


def train(root: Path, run: Path) -> Path:
    changes = [word for field in TINY for word in ('--set', field)]
    done = ibc('train', str(root), '--run', str(run), *changes, '--json')
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result['steps'] == 5
    assert result['episodes'] == 1
    return Path(result['bundle'])


def run_policy(bundle: Path, ros) -> None:
    probe = Node('probe', context=ros.context)
    moves: list[Vector3Stamped] = []
    probe.create_subscription(Vector3Stamped, topics.POLICY_DELTA, moves.append, 10)
    process = subprocess.Popen(
        [*IBC, *stack('run_policy', model=str(bundle))],
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


def test_record_train_run(tmp_path, ros):
    record(tmp_path / 'bags', ros.env)
    compare_with_twin(tmp_path / 'bags', tmp_path / 'generated')
    bundle = train(tmp_path / 'bags', tmp_path / 'run')
    run_policy(bundle, ros)
