"""A dataset cache: every frame once as uint8 on disk, and which frames belong to which action.

observations.npy  (K, h, w, 3) uint8 RGB, or (K, D) float32   each sample once
index.npy         (N, T) int64     rows of `observations` that a step sees, oldest first
actions.npy       (N, 2) float32   moves of the setpoint [m]
episode.npy       (N,) int32       which episode a step comes from
meta.json         `DatasetMeta`

An export (`dataset_export`) has observations.npy.xz instead of observations.npy.
"""

import json
import lzma
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydantic

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from implicit_bc.spaces import Spaces
from implicit_bc.training.data import split_episodes

SCHEMA = 1
META = 'meta.json'
PACKED = 'observations.npy.xz'


@pydantic.dataclasses.dataclass(frozen=True)
class EpisodeEntry:
    """One episode in a dataset."""

    path: str
    task: str
    outcome: str
    steps: int
    samples: int
    trimmed: int
    """Idle steps left out at the start."""
    skipped: int
    """Steps left out because a sample was stale or missing."""
    shortened: int
    """Actions longer than the contract allows, scaled down to it."""
    digest: str
    """Hash of its arrays."""


@pydantic.dataclasses.dataclass(frozen=True)
class DatasetMeta:
    """What a cache was made from."""

    contract: dict[str, Any]
    contract_hash: str
    hash: str
    """Changes with any sample, action or order of episodes."""
    fingerprint: str
    """Changes with any source file or option: tells whether the cache is up to date."""
    episodes: tuple[EpisodeEntry, ...]
    excluded: dict[str, str]
    """Path of each episode that was left out -> reason."""
    latency_s: float | None = None
    """From a tick to where its action begins [s]; none if it is not set."""
    schema: int = SCHEMA

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that occur, most frequent first."""
        names = [episode.task for episode in self.episodes]
        return tuple(sorted(set(names), key=lambda name: (-names.count(name), name)))

    def save(self, folder: Path) -> None:
        """Write `meta.json`."""
        (folder / META).write_text(json.dumps(asdict(self), indent=1))


@dataclass(frozen=True)
class Dataset:
    """Steps of many episodes; observations of a cache are memory-mapped."""

    contract: Contract
    meta: DatasetMeta
    observations: np.ndarray
    index: np.ndarray
    actions: np.ndarray
    episode: np.ndarray

    def __len__(self) -> int:
        return len(self.actions)

    @property
    def spaces(self) -> Spaces:
        """Shapes of observations and actions."""
        return Spaces.of_contract(self.contract)

    @property
    def hash(self) -> str:
        """Changes with any sample, action or order of episodes."""
        return self.meta.hash

    @property
    def action_limits(self) -> tuple[float, float]:
        """What the arm accepts, per axis [m]."""
        return -self.contract.max_delta_m, self.contract.max_delta_m

    def batch(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Observations (B, T, ...) and actions (B, 2) [m] of `rows` (B,), copied into memory."""
        return np.asarray(self.observations[self.index[rows]]), self.actions[rows]

    def split(self, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows for training and for validation; whole episodes go to one side."""
        return split_episodes(self.episode, len(self.meta.episodes), holdout, seed)


def load_dataset(folder: Path) -> Dataset:
    """Open what `build_dataset` or `export_dataset` wrote; IbcError says what is wrong with it."""
    meta = read_meta(folder)
    if meta is None:
        raise IbcError(f'{folder}: no dataset here (no readable {META}): build it from bags first')
    try:
        arrays = {
            name: np.load(folder / f'{name}.npy', mmap_mode='r', allow_pickle=False)
            for name in ('index', 'actions', 'episode')
        } | {'observations': _observations(folder)}
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        raise IbcError(f'{folder}: damaged dataset, build it again: {error}') from None
    contract = Contract.from_dict(meta.contract)
    wrong = _misfit(Spaces.of_contract(contract), **arrays)
    if wrong:
        raise IbcError(f'{folder}: damaged dataset, build it again: {wrong}')
    return Dataset(
        contract=contract,
        meta=meta,
        observations=arrays['observations'],
        index=np.asarray(arrays['index']),
        actions=np.asarray(arrays['actions']),
        episode=np.asarray(arrays['episode']),
    )


def _observations(folder: Path) -> np.ndarray:
    """Those of a cache, or of an export into memory."""
    if not (folder / PACKED).is_file():
        return np.load(folder / 'observations.npy', mmap_mode='r', allow_pickle=False)
    with lzma.open(folder / PACKED) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _misfit(
    spaces: Spaces,
    observations: np.ndarray,
    index: np.ndarray,
    actions: np.ndarray,
    episode: np.ndarray,
) -> str:
    """Say what in the shapes of a dataset does not fit; empty if all of it does."""
    if not len(index) == len(actions) == len(episode) > 0:
        return 'lengths differ'
    shapes = {
        'observations': (observations.shape[1:], spaces.observation[1:]),
        'index': (index.shape[1:], (spaces.history,)),
        'actions': (actions.shape[1:], (spaces.action,)),
    }
    for name, (found, expected) in shapes.items():
        if found != expected:
            return f'{name} hold {found} per row, not {expected}'
    if index.min() < 0 or index.max() >= len(observations):
        return f'index points outside the {len(observations)} observations'
    return ''


def read_meta(folder: Path) -> DatasetMeta | None:
    """Read `meta.json` of a cache; None where there is none of this schema."""
    try:
        data = json.loads((folder / META).read_text())
        meta = pydantic.TypeAdapter(DatasetMeta).validate_python(data)
    except (OSError, ValueError):
        return None
    return meta if meta.schema == SCHEMA else None
