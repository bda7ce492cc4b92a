"""Bags -> dataset cache, decoded by several processes."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ibc_contract.contract import Contract
from ibc_contract.episode_arrays import EpisodeSteps, read_steps
from ibc_contract.episode_reader import EpisodeReader, find_episodes
from ibc_contract.errors import BadEpisode, DamagedEpisode, IbcError
from ibc_contract.process_pool import spawn_pool
from implicit_bc.dataset import SCHEMA, Dataset, EpisodeEntry, load_dataset, read_meta
from implicit_bc.dataset_files import join_parts, save_part

log = logging.getLogger(__name__)

FAILURE = 'failure'
MOST_NAMED = 5
"""So many damaged bags are named in an error."""


@dataclass(frozen=True)
class BuildOptions:
    """Which steps of which episodes enter a dataset."""

    include_failures: bool = False
    """Keep episodes that a person or a checker marked as failed."""
    idle_m: float = 0.0005
    """Moves shorter than this [m] at the start of an episode are trimmed; a policy that has seen
    many of them stalls. 0 keeps everything."""
    latency_s: float | None = None
    """From a tick to where its action begins [s], for `read_steps`."""


@dataclass(frozen=True)
class LeftOut:
    """An episode that does not enter a dataset."""

    reason: str
    """`failure`, or what is wrong with it."""
    damaged: bool = False
    """Its file is: a repair may save the better part of it."""


def build_dataset(
    bag_roots: Sequence[Path],
    contract: Contract,
    cache_dir: Path,
    options: BuildOptions = BuildOptions(),
    workers: int | None = None,
    leave_out_damaged: bool = False,
) -> Dataset:
    """Decode the episodes below `bag_roots` into `cache_dir`, or open it if it is up to date.

    Args:
        bag_roots: Folders that hold episodes, at any depth.
        contract: How to turn them into observations and actions.
        cache_dir: Folder of the cache; replaced when its sources or options have changed.
        options: What to leave out.
        workers: Processes; one per CPU by default.
        leave_out_damaged: Do without truncated and damaged bags instead of refusing them.

    Raises:
        IbcError: A damaged bag; no usable episode, with the reasons; a full disk.
        ContractMismatch: An episode was recorded under another contract.
    """
    cache_dir = Path(cache_dir)
    paths = _episodes(bag_roots)
    fingerprint = _fingerprint(paths, contract, options)
    known = read_meta(cache_dir)
    if known is not None and known.fingerprint == fingerprint:
        return load_dataset(cache_dir)
    new = cache_dir.with_name(f'{cache_dir.name}.partial')
    with _scratch(new):
        results = _convert_all(paths, contract, options, new, workers)
        pairs = zip(paths, results, strict=True)
        left_out = {str(path): result for path, result in pairs if isinstance(result, LeftOut)}
        _report(left_out, len(results), bag_roots, leave_out_damaged)
        excluded = {path: result.reason for path, result in left_out.items()}
        _join(new, results, contract, fingerprint, excluded, options.latency_s)
        if cache_dir.exists():
            shutil.rmtree(cache_dir)
        new.rename(cache_dir)
    return load_dataset(cache_dir)


def is_up_to_date(
    bag_roots: Sequence[Path],
    contract: Contract,
    cache_dir: Path,
    options: BuildOptions = BuildOptions(),
) -> bool:
    """Tell whether `cache_dir` was made from just what is below `bag_roots` now."""
    known = read_meta(Path(cache_dir))
    try:
        paths = _episodes(bag_roots)
    except IbcError:  # a folder is gone
        return False
    return known is not None and known.fingerprint == _fingerprint(paths, contract, options)


def _episodes(bag_roots: Iterable[Path]) -> list[Path]:
    """Find episodes, in an order that does not depend on how their folders were spelled."""
    return sorted({path.resolve() for root in bag_roots for path in find_episodes(Path(root))})


def _fingerprint(paths: Iterable[Path], contract: Contract, options: BuildOptions) -> str:
    files = [
        (str(file), file.stat().st_size, file.stat().st_mtime_ns)
        for path in paths
        for file in sorted(path.iterdir())
    ]
    # What is not set does not count: caches outlast the options that come after them.
    chosen = {name: value for name, value in asdict(options).items() if value is not None}
    text = json.dumps([SCHEMA, contract.hash, chosen, files])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def _scratch(folder: Path) -> Iterator[None]:
    """Give an empty `folder`, and leave nothing of it behind if the build fails."""
    shutil.rmtree(folder, ignore_errors=True)
    new_parents = [parent for parent in folder.parents if not parent.exists()]
    try:
        folder.mkdir(parents=True)
        yield
    except OSError as error:
        raise IbcError(f'{folder}: cannot write the dataset: {error.strerror or error}') from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not empty: the build went well
            for parent in new_parents:
                parent.rmdir()


def _convert_all(
    paths: Sequence[Path],
    contract: Contract,
    options: BuildOptions,
    folder: Path,
    workers: int | None,
) -> list[EpisodeEntry | LeftOut]:
    convert = partial(_convert, contract=contract, options=options)
    jobs = [(path, folder / f'{i:06d}') for i, path in enumerate(paths)]
    workers = min(workers or os.cpu_count() or 1, len(jobs))
    bar = partial(tqdm, total=len(jobs), desc='bags', unit='episode', disable=None)
    if workers <= 1:
        return list(bar(map(convert, jobs)))
    with spawn_pool(workers) as pool:
        return list(bar(pool.map(convert, jobs, chunksize=4)))


def _convert(
    job: tuple[Path, Path], contract: Contract, options: BuildOptions
) -> EpisodeEntry | LeftOut:
    """Decode one episode to files that begin with the job's stem, or say why it is left out."""
    path, stem = job
    try:
        if not options.include_failures and EpisodeReader(path).info.outcome == FAILURE:
            return LeftOut(FAILURE)
        steps = read_steps(path, contract, options.latency_s or 0.0)
    except BadEpisode as error:
        return LeftOut(str(error), isinstance(error, DamagedEpisode))
    if not np.isfinite(steps.actions).all():
        return LeftOut(f'{path}: the setpoint is not finite')
    if steps.observations.dtype != np.uint8 and not np.isfinite(steps.observations).all():
        return LeftOut(f'{path}: an observation is not finite')
    return _save_part(path, stem, steps, contract, options)


def _save_part(
    path: Path, stem: Path, steps: EpisodeSteps, contract: Contract, options: BuildOptions
) -> EpisodeEntry | LeftOut:
    moving = np.flatnonzero(np.linalg.norm(steps.actions, axis=1) >= options.idle_m)
    if not moving.size:
        return LeftOut(f'{path}: the setpoint never moves')
    first = int(moving[0])
    actions, shortened = _shorten(steps.actions[first:], contract.max_delta_m)
    arrays = {
        'observations': steps.observations,
        'index': steps.index[first:],
        'actions': actions,
    }
    digest = save_part(stem, arrays)
    return EpisodeEntry(
        path=str(path),
        task=steps.info.task,
        outcome=steps.info.outcome,
        steps=len(actions),
        samples=len(steps.observations),
        trimmed=first,
        skipped=steps.skipped,
        shortened=shortened,
        digest=digest,
    )


def _shorten(actions: np.ndarray, limit: float) -> tuple[np.ndarray, int]:
    """Scale `actions` (N, 2) down to at most `limit` per axis, keeping direction; count them."""
    excess = np.abs(actions).max(axis=1, keepdims=True) / limit
    return (actions / np.maximum(excess, 1.0)).astype(np.float32), int((excess > 1 + 1e-6).sum())


def _join(
    folder: Path,
    results: Sequence[EpisodeEntry | LeftOut],
    contract: Contract,
    fingerprint: str,
    excluded: dict[str, str],
    latency_s: float | None,
) -> None:
    """Make one dataset of the files of single episodes."""
    used = [(i, result) for i, result in enumerate(results) if isinstance(result, EpisodeEntry)]
    entries = tuple(entry for _, entry in used)
    numbers = [i for i, _ in used]
    join_parts(folder, numbers, entries, contract, fingerprint, excluded, latency_s)


def _refuse_damaged(left_out: Mapping[str, LeftOut], roots: Sequence[Path]) -> None:
    damaged = [path for path, result in left_out.items() if result.damaged]
    if damaged:
        more = f' and {len(damaged) - MOST_NAMED} more' if len(damaged) > MOST_NAMED else ''
        raise IbcError(
            f'truncated or damaged: {", ".join(damaged[:MOST_NAMED])}{more}: save what is left by '
            f'`ibc bags repair {" ".join(map(str, roots))}`, or train without: --leave-out-damaged'
        )


def _report(
    left_out: Mapping[str, LeftOut], episodes: int, roots: Sequence[Path], leave_out_damaged: bool
) -> None:
    if not leave_out_damaged:
        _refuse_damaged(left_out, roots)
    unusable = [result.reason for result in left_out.values() if result.reason != FAILURE]
    where = ', '.join(str(root) for root in roots)
    if not episodes:
        raise IbcError(
            f'there are no episodes below {where}: name the folder that was recorded into, or make '
            f'some: `ibc up teleop_record root:={roots[0]}` or `ibc generate --root {roots[0]}`'
        )
    if len(left_out) == episodes:
        failed = len(left_out) - len(unusable)
        taken = ' (--failures takes these too)' if failed else ''
        first = f'; the first: {unusable[0]}' if unusable else ''
        raise IbcError(
            f'no usable episode below {where}: {failed} marked as failure{taken}, '
            f'{len(unusable)} unusable{first}'
        )
    for reason in unusable:
        log.warning('left out: %s', reason)
