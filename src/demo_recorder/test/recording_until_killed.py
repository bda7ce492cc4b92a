"""Records episode after episode as fast as it can: a process for tests to kill.

It records all of what it has into the folder of its argument, once. Then each line on stdin, a
folder and a seed, forks a recorder from this warm process. On stdout: its process id, one JSON line
per episode that it has closed, and `ended` once it is dead.
"""

import json
import os
import random
import sys
from pathlib import Path

import numpy as np

from demo_recorder.session import RecordingSession, SessionLimits
from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.images import encode_jpeg

START_NS = 1_700_000_000_000_000_000
TICK_NS = 50_000_000
TICKS = 60
LIMITS = SessionLimits(expected=(), silent_s=0.5, min_free_bytes=10**6, queue_bytes=10**9)
TOOL_DOWN = (1.0, 0.0, 0.0, 0.0)

Message = tuple[str, int, bytes]
"""Topic, time [ns], CDR."""


def three_seconds() -> list[Message]:
    """What driver and camera send at 20 Hz; frames of noise, which do not compress."""
    draw = np.random.default_rng(0)
    stream: list[Message] = []
    for tick in range(TICKS):
        stamp = START_NS + tick * TICK_NS
        pose = messages.pose_stamped_cdr(stamp, (0.3 + 1e-3 * tick, 0.0, 0.03), TOOL_DOWN)
        joints = messages.joint_state_cdr(stamp, ['joint1'], [0.0])
        jpeg = encode_jpeg(draw.integers(0, 255, (180, 320, 3), np.uint8))
        frame = messages.compressed_image_cdr(stamp, jpeg)
        for topic, data in (
            (topics.TCP_SETPOINT, pose),
            (topics.TCP_POSE, pose),
            (topics.JOINT_STATES, joints),
            (topics.CAMERA_COMPRESSED, frame),
        ):
            stream.append((topic, stamp + len(stream), data))
    return stream


def make_session(root: Path) -> RecordingSession:
    contract = load_contract()
    return RecordingSession(
        root, LIMITS, lambda started_ns: new_episode_info('push_red', contract, 'ros', started_ns)
    )


def record(session: RecordingSession, stream: list[Message]) -> str:
    """Record a success and return its name."""
    name = session.start().split()[-1]
    for message in stream:
        session.receive(*message)
    session.mark('success')
    session.stop()
    return name


def record_until_killed(root: Path, seed: int, stream: list[Message]) -> None:
    """Record the first so many messages of `stream`, again and again."""
    draw = random.Random(seed)
    session = make_session(root)
    while True:
        count = draw.randint(len(stream) // 3, len(stream))
        name = record(session, stream[:count])
        say(json.dumps({'name': name, 'messages': count}))


def say(line: str) -> None:
    os.write(1, f'{line}\n'.encode())  # at once and whole, whatever happens next


def main() -> None:
    stream = three_seconds()
    record(make_session(Path(sys.argv[1])), stream)
    say('ready')
    for line in sys.stdin:
        root, seed = line.rsplit(maxsplit=1)
        child = os.fork()
        if not child:
            record_until_killed(Path(root), int(seed), stream)
        say(str(child))
        os.waitpid(child, 0)
        say('ended')


if __name__ == '__main__':
    main()
