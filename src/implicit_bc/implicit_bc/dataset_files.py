"""The arrays of a dataset cache on disk: one file each per episode, then joined."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from ibc_contract.contract import Contract
from implicit_bc.dataset import DatasetMeta, EpisodeEntry


def part_file(stem: Path, name: str) -> Path:
    """Name the file of one array of one episode."""
    return stem.with_name(f'{stem.name}-{name}.npy')


def save_part(stem: Path, arrays: Mapping[str, np.ndarray]) -> str:
    """Write `observations`, `index` and `actions` of one episode; return the hash of them."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(np.ascontiguousarray(array).data)
        write_array(part_file(stem, name), array.dtype, array.shape, [array])
    return digest.hexdigest()[:16]


def join_parts(
    folder: Path,
    numbers: Sequence[int],
    entries: Sequence[EpisodeEntry],
    contract: Contract,
    fingerprint: str,
    excluded: dict[str, str],
    latency_s: float | None = None,
) -> None:
    """Make one dataset of the files of single episodes, and remove them.

    Args:
        folder: Where they are, each below the stem of its number, `000000` and so on.
        numbers: Which of them, in order.
        entries: What each of these is.
        contract: What they were made under.
        fingerprint: Tells later whether this dataset is up to date.
        excluded: What was left out, and why.
        latency_s: As in `DatasetMeta`.
    """
    stems = [folder / f'{i:06d}' for i in numbers]
    steps, samples = [e.steps for e in entries], [e.samples for e in entries]
    first_samples = np.cumsum([0, *samples[:-1]]).tolist()
    nothing = [0] * len(entries)
    for name, lengths, offsets in (
        ('observations', samples, nothing),
        ('index', steps, first_samples),
        ('actions', steps, nothing),
    ):
        files = [part_file(stem, name) for stem in stems]
        first = np.load(files[0], mmap_mode='r')
        shape = (sum(lengths), *first.shape[1:])
        write_array(folder / f'{name}.npy', first.dtype, shape, _parts(files, offsets))
    numbering = np.repeat(np.arange(len(steps), dtype=np.int32), steps)
    write_array(folder / 'episode.npy', numbering.dtype, numbering.shape, [numbering])
    digests = ''.join([contract.hash, *(entry.digest for entry in entries)])
    DatasetMeta(
        contract=contract.to_dict(),
        contract_hash=contract.hash,
        hash=hashlib.sha256(digests.encode()).hexdigest()[:16],
        fingerprint=fingerprint,
        episodes=tuple(entries),
        excluded=excluded,
        latency_s=latency_s,
    ).save(folder)


def _parts(files: Sequence[Path], offsets: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the array in each file plus its offset; remove the file once it has been used."""
    for file, offset in zip(files, offsets, strict=True):
        part = np.load(file)
        yield part + offset if offset else part
        file.unlink()


def write_array(
    path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], parts: Iterable[np.ndarray]
) -> None:
    """Write an .npy file of `shape` whose rows come in `parts`.

    By plain writes: on a full disk a memory map dies of SIGBUS, and `np.save` does not say why.
    """
    with path.open('wb') as file:
        npy_header(file, dtype, shape)
        for part in parts:
            file.write(np.ascontiguousarray(part).data)


def npy_header(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Write what stands before the rows of an .npy file."""
    described = np.lib.format.dtype_to_descr(dtype)
    header = {'descr': described, 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, header)
