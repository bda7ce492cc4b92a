"""A small episode, written the way the recorder and the twin write theirs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ibc_contract import messages, topics
from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import EpisodeWriter
from ibc_contract.images import encode_jpeg

START_NS = 1_700_000_000_000_000_000
TOOL_DOWN = (1.0, 0.0, 0.0, 0.0)


def setpoint_at(time_s: float) -> tuple[float, float]:
    """Where the setpoint is at a time since the start [m]: slow along x, faster along y."""
    return 0.3 + 0.01 * time_s, 0.05 * time_s


def frame(number: int) -> np.ndarray:
    """A 64x48 frame that shows its number as a grey level."""
    rgb = np.full((48, 64, 3), (number * 7) % 256, np.uint8)
    cv2.circle(rgb, (10 + number % 40, 24), 6, (250, 40, 10), -1)
    return rgb


@dataclasses.dataclass
class EpisodeMaker:
    """Writes episodes into `root`."""

    root: Path

    def begin(self, contract_name: str = 'planar_rgb', **facts) -> EpisodeWriter:
        info = new_episode_info('push_red', load_contract(contract_name), 'twin', START_NS)
        return EpisodeWriter(self.root, dataclasses.replace(info, **facts))

    def fill(self, writer: EpisodeWriter, seconds: float, images: bool = True) -> None:
        for tick in range(int(seconds * 100) + 1):
            stamp = START_NS + tick * 10_000_000
            position = (*setpoint_at(tick / 100), 0.03)
            pose = messages.pose_stamped_cdr(stamp, position, TOOL_DOWN)
            writer.write(topics.TCP_SETPOINT, stamp, pose)
            writer.write(topics.TCP_POSE, stamp, pose)
            if tick % 20 == 0:
                number = tick // 20
                if images:
                    jpeg = encode_jpeg(frame(number))
                    writer.write(
                        topics.CAMERA_COMPRESSED, stamp, messages.compressed_image_cdr(stamp, jpeg)
                    )
                poses = np.tile([0.4, 0.1, 0.04, 0.0, 0.0, 0.0, 1.0], (4, 1))
                poses[0, 0] += 0.01 * number
                writer.write(topics.TWIN_OBJECTS, stamp, messages.pose_array_cdr(stamp, poses))

    def make(self, seconds: float = 2.0, images: bool = True, **facts) -> Path:
        writer = self.begin(**facts)
        self.fill(writer, seconds, images)
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
