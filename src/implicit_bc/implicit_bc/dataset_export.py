"""A dataset cache in a few megabytes, to be carried to a machine that trains.

The folder of a cache, with `observations.npy.xz` instead of `observations.npy`: pictures of a fixed
camera repeat themselves, so that a frame of 32 kB takes 1.7 kB without losing a bit. `xz -d` makes
the cache itself of it.
"""

import lzma
import shutil
from pathlib import Path
from typing import IO

import numpy as np
from tqdm import tqdm

from ibc_contract.errors import IbcError
from implicit_bc.dataset import PACKED, Dataset
from implicit_bc.dataset_files import npy_header

PRESET = 1
"""Of xz. Higher ones take six times as long for three quarters of the bytes."""
AT_ONCE = 64
"""Observations that are compressed at a time, between two moves of the progress bar."""


def export_dataset(dataset: Dataset, folder: Path, progress: bool = True) -> int:
    """Write `dataset` to a new `folder`, completely or not at all; return its size [bytes].

    `load_dataset` opens it like a cache, and `ibc train` trains on it.

    Raises:
        IbcError: The folder is there already; a full disk.
    """
    require_new(folder)
    new = folder.with_name(f'{folder.name}.partial')
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir(parents=True)
        for name in ('index', 'actions', 'episode'):
            np.save(new / f'{name}.npy', getattr(dataset, name))
        with lzma.open(new / PACKED, 'wb', preset=PRESET) as file:
            _write_observations(file, dataset.observations, progress)
        dataset.meta.save(new)
        new.rename(folder)
    except OSError as error:
        raise IbcError(f'{folder}: cannot be written: {error.strerror or error}') from None
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return sum(file.stat().st_size for file in folder.iterdir())


def require_new(folder: Path) -> None:
    """Raise IbcError if `folder` is there already."""
    if folder.exists():
        raise IbcError(f'{folder} is there already: choose another folder, or remove it')


def _write_observations(file: IO[bytes], observations: np.ndarray, progress: bool) -> None:
    npy_header(file, observations.dtype, observations.shape)
    starts = range(0, len(observations), AT_ONCE)
    for start in tqdm(starts, 'packing', disable=None if progress else True):
        file.write(np.ascontiguousarray(observations[start : start + AT_ONCE]).data)
