"""The recorder killed at random moments: what was closed is whole, what was open is saved.

The real session, background thread and writer, fed with serialized messages at full speed and
forked from one warm process, so that fifty kills take seconds. What was sent is known to the byte.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mcap.exceptions import EndOfFile
from mcap.records import Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk

from demo_recorder.repair import is_sound, repair_episode
from demo_recorder.verify import Severity, verify_episode
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.errors import BadEpisode

KILLS = 50
LONGEST_S = 0.4
"""About two episodes."""


class Recorder:
    """A warm process that forks a recorder whenever it is told to."""

    def __init__(self, everything: Path) -> None:
        """Record all that it sends into the folder `everything`, once, unharmed."""
        program = Path(__file__).with_name('recording_until_killed.py')
        self._process = subprocess.Popen(
            [sys.executable, str(program), str(everything)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._said() == 'ready'
        (whole,) = find_episodes(everything)
        assert not [f for f in verify_episode(whole) if f.severity is Severity.ERROR]
        self.sent = messages(whole)

    def _said(self) -> str:
        return self._process.stdout.readline().strip()

    def record_and_kill(self, root: Path, seed: int, after_s: float) -> dict[str, int]:
        """Let one record until it is killed; return the episodes that it closed, with counts."""
        self._process.stdin.write(f'{root} {seed}\n')
        child = int(self._said())
        time.sleep(after_s)
        os.kill(child, signal.SIGKILL)
        closed = {}
        while (line := self._said()) != 'ended':
            entry = json.loads(line)
            closed[entry['name']] = entry['messages']
        return closed

    def stop(self) -> None:
        self._process.stdin.close()
        assert self._process.wait(20) == 0


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / 'everything')
    yield recorder
    recorder.stop()


def on_disk(partial: Path) -> int:
    """Messages in the whole chunks of a file that ends anywhere."""
    count = 0
    for file in partial.glob('*.mcap'):
        with file.open('rb') as stream:
            try:
                for record in StreamReader(stream, emit_chunks=True).records:
                    if isinstance(record, Chunk):
                        inside = breakup_chunk(record, validate_crc=True)
                        count += sum(isinstance(r, Message) for r in inside)
            except EndOfFile:
                pass
    return count


def messages(path: Path) -> list:
    return list(EpisodeReader(path).raw())


def repaired(partial: Path) -> tuple[Path | None, str]:
    """The repaired episode, or why there is none."""
    try:
        return repair_episode(partial), ''
    except BadEpisode as refusal:
        return None, str(refusal)


def test_fifty_kills_at_random_moments_lose_nothing_that_reached_the_disk(recorder, tmp_path):
    root, sent = tmp_path / 'bags', recorder.sent
    draw = random.Random(7)
    closed: dict[str, int] = {}
    saved = []
    for seed in range(KILLS):
        closed |= recorder.record_and_kill(root, seed, draw.uniform(0.0, LONGEST_S))
        for partial in root.glob('*.partial'):
            kept = on_disk(partial)
            path, refusal = repaired(partial)
            if path is None:  # killed before anything was written
                assert kept == 0
                assert 'delete it' in refusal
                assert '\n' not in refusal
                shutil.rmtree(partial)
                continue
            assert messages(path) == sent[:kept]
            saved.append(path)

    found = set(find_episodes(root)) - set(saved)
    # One that was killed between closing an episode and saying so has closed one more.
    assert closed.keys() <= {path.name for path in found}
    for path in found:
        count = closed.get(path.name, len(messages(path)))
        assert messages(path) == sent[:count]
        assert EpisodeReader(path).info.outcome == 'success'
    assert all(is_sound(path) for path in (*found, *saved))
    # The moments were worth it, on a slow machine too.
    assert len(closed) >= 3
    assert len(saved) >= 3
