"""Small datasets with known answers, and episodes written the way the recorder writes them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ibc_contract import messages, topics
from ibc_contract.contract import Contract, ImageObservation, StateObservation, load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import EpisodeWriter
from ibc_contract.images import encode_jpeg
from implicit_bc.dataset import Dataset, DatasetMeta, EpisodeEntry

# Networks this small gain nothing from a second thread, and lose much on a busy machine.
torch.set_num_threads(1)

START_NS = 1_700_000_000_000_000_000

TINY_IMAGES = Contract('tiny_rgb', 1, 0.2, 2, ImageObservation(32, 24, 0.25), 0.04)
TINY_STATES = Contract('tiny_state', 1, 0.2, 2, StateObservation(0, 0.25), 0.04)


def make_dataset(
    contract: Contract, observations: np.ndarray, actions: np.ndarray, episodes: int = 5
) -> Dataset:
    """Dataset in memory whose steps see one sample `history` times."""
    count = len(actions)
    episode = np.sort(np.arange(count, dtype=np.int32) % episodes)
    entries = tuple(
        EpisodeEntry(f'/bags/{i}', 'push_red', 'success', 0, 0, 0, 0, 0, '')
        for i in range(episodes)
    )
    meta = DatasetMeta(contract.to_dict(), contract.hash, 'feed', 'f', entries, {})
    index = np.repeat(np.arange(count)[:, None], contract.history, axis=1)
    return Dataset(contract, meta, observations, index, actions.astype(np.float32), episode)


def dot_images(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Frames (N, 24, 32, 3) with a red dot on noise, and its position in [-1, 1] x [-1, 1]."""
    y, x = np.mgrid[0:24, 0:32]
    centre = rng.uniform((4, 4), (28, 20), size=(count, 2))
    distance = np.hypot(x - centre[:, 0, None, None], y - centre[:, 1, None, None])
    dot = np.clip(3.0 - distance, 0, 1)[..., None]
    frames = rng.normal(120, 10, (count, 24, 32, 3)) * (1 - dot) + np.array([220, 30, 30]) * dot
    where = np.stack((centre[:, 0] / 15.5 - 1, centre[:, 1] / 11.5 - 1), axis=1)
    return frames.clip(0, 255).astype(np.uint8), where


@pytest.fixture
def dots() -> Dataset:
    """Images with a dot; the action is 3 cm times the position of the dot."""
    frames, where = dot_images(1200, np.random.default_rng(0))
    return make_dataset(TINY_IMAGES, frames, 0.03 * where)


@pytest.fixture
def points() -> Dataset:
    """States x (N, 2) in the unit square; the action is 3 cm times (sin 3 x0, x1)."""
    x = np.random.default_rng(0).uniform(-1, 1, (1000, 2)).astype(np.float32)
    return make_dataset(TINY_STATES, x, 0.03 * np.stack((np.sin(3 * x[:, 0]), x[:, 1]), axis=1))


def frame(number: int) -> np.ndarray:
    """A 160x120 frame whose grey level tells its number."""
    rgb = np.full((120, 160, 3), 40 + number % 160, np.uint8)
    rgb[40:80, 20 + number % 100 : 40 + number % 100] = (220, 40, 30)
    return rgb


@dataclasses.dataclass
class EpisodeMaker:
    """Writes episodes below `root`: camera at 5 Hz, setpoint at 100 Hz moving 1 cm a step."""

    root: Path

    def make(
        self,
        steps: int = 10,
        outcome: str = 'success',
        contract: str = 'planar_rgb',
        idle_steps: int = 0,
        speed_m_s: float = 0.05,
        images: bool = True,
        task: str = 'push_red',
    ) -> Path:
        info = new_episode_info(task, load_contract(contract), 'twin', START_NS)
        writer = EpisodeWriter(self.root, info)
        for tick in range((idle_steps + steps) * 20 + 1):
            stamp = START_NS + tick * 10_000_000
            moved = max(0.0, tick / 100 - idle_steps * 0.2) * speed_m_s
            pose = messages.pose_stamped_cdr(stamp, (0.3 + moved, 0.1 - moved, 0.03), (1, 0, 0, 0))
            writer.write(topics.TCP_SETPOINT, stamp, pose)
            if tick % 20:
                continue
            if images:
                jpeg = encode_jpeg(frame(tick // 20))
                image = messages.compressed_image_cdr(stamp, jpeg)
                writer.write(topics.CAMERA_COMPRESSED, stamp, image)
            objects = np.tile([0.4 + 0.001 * tick, 0.1, 0.04, 0, 0, 0, 1.0], (4, 1))
            writer.write(topics.TWIN_OBJECTS, stamp, messages.pose_array_cdr(stamp, objects))
        return writer.close(outcome)


@pytest.fixture
def episodes(tmp_path: Path) -> EpisodeMaker:
    return EpisodeMaker(tmp_path / 'bags')


@pytest.fixture
def one_line() -> Callable[[BaseException], str]:
    """Check that an error's text is one line and return it."""

    def check(error: BaseException) -> str:
        text = str(error)
        assert text
        assert '\n' not in text
        return text

    return check
