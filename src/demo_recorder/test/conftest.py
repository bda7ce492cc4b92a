"""Small episodes, written the way the recorder and the twin write theirs."""

import dataclasses
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import EpisodeWriter
from ibc_contract.images import encode_jpeg

START_NS = 1_700_000_000_000_000_000
TOOL_DOWN = (1.0, 0.0, 0.0, 0.0)
MS = 1_000_000

Path2 = Callable[[float], tuple[float, float]]


def curve(time_s: float) -> tuple[float, float]:
    """A curved path within the workspace [m]."""
    return 0.3 + 0.05 * np.sin(time_s), 0.08 * np.sin(0.7 * time_s)


@dataclasses.dataclass
class EpisodeMaker:
    """Writes episodes into `root`."""

    root: Path

    def begin(self, contract: str = 'planar_rgb', **facts) -> EpisodeWriter:
        info = new_episode_info('push_red', load_contract(contract), 'ros', START_NS)
        return EpisodeWriter(self.root, dataclasses.replace(info, **facts))

    def driver(
        self,
        writer,
        times_ms: Iterable[int],
        path: Path2 = curve,
        delay_ms=0,
        tool: Path2 | None = None,
    ) -> None:
        for time_ms in times_ms:
            stamp = START_NS + time_ms * MS
            pose = messages.pose_stamped_cdr(stamp, (*path(time_ms / 1e3), 0.03), TOOL_DOWN)
            measured = (tool or path)(time_ms / 1e3)
            reached = messages.pose_stamped_cdr(stamp, (*measured, 0.03), TOOL_DOWN)
            joints = messages.joint_state_cdr(stamp, ['joint1'], [time_ms / 1e3], [1.0])
            for topic, data in (
                (topics.TCP_SETPOINT, pose),
                (topics.TCP_POSE, reached),
                (topics.JOINT_STATES, joints),
            ):
                writer.write(topic, stamp + delay_ms * MS, data)

    def camera(self, writer, times_ms: Iterable[int], delay_ms=0) -> None:
        for time_ms in times_ms:
            stamp = START_NS + time_ms * MS
            jpeg = encode_jpeg(np.full((36, 64, 3), time_ms % 250, np.uint8))
            image = messages.compressed_image_cdr(stamp, jpeg)
            writer.write(topics.CAMERA_COMPRESSED, stamp + delay_ms * MS, image)

    def make(self, seconds: float = 2.0, path: Path2 = curve, **facts) -> Path:
        writer = self.begin(**facts)
        end = int(seconds * 1000) + 1
        self.driver(writer, range(0, end, 10), path)
        self.camera(writer, range(0, end, 100))
        return writer.close('success')


@pytest.fixture
def episodes(tmp_path: Path) -> EpisodeMaker:
    return EpisodeMaker(tmp_path / 'bags')


@pytest.fixture
def one_line() -> Callable[[BaseException], str]:
    """Check that an error's text is one line and return it."""

    def check(error: BaseException) -> str:
        text = str(error)
        assert '\n' not in text
        assert text
        return text

    return check
