"""Demonstrations of pushing as pictures: a dataset cache, as bags are decoded into."""

import dataclasses
import hashlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydantic
from tqdm import tqdm

from ibc_contract.contract import Contract
from ibc_contract.errors import IbcError
from ibc_contract.process_pool import spawn_pool
from ibc_studies.demonstrations import DEMONSTRATION_SEED
from ibc_studies.pushing.camera import PushingCamera
from ibc_studies.pushing.config import PushingConfig
from ibc_studies.pushing.demonstrations import Demonstrator
from implicit_bc.dataset import SCHEMA, Dataset, EpisodeEntry, load_dataset, read_meta
from implicit_bc.dataset_files import join_parts, part_file, save_part

_ARRAYS = ('observations', 'index', 'actions')


def pushing_pixels(
    config: PushingConfig,
    contract: Contract,
    episodes: int,
    folder: Path,
    seed: int = DEMONSTRATION_SEED,
    workers: int = 1,
    progress: bool = True,
) -> Dataset:
    """Let the oracle do `episodes` episodes and write what the camera sees, or open what is there.

    Beside `folder` an unfinished one keeps the episodes that are done; the next call goes on there.

    Args:
        config: Which environment; without a tolerance of its own, that of the form's
            demonstrations.
        contract: What pictures to make, and how many an observation holds.
        episodes: How many, of seeds `seed`, `seed` + 1, ... Failures are kept, as the paper's are.
        folder: Where the dataset goes; another one that is there is replaced.
        seed: Seed of the first one.
        workers: Processes; with one, it runs in this one. The result does not depend on it.
        progress: Show a progress bar if there is a terminal.

    Raises:
        IbcError: No episodes; the contract observes no images; a full disk.
    """
    if episodes < 1:
        raise IbcError(f'{episodes} pushing demonstrations: at least 1 is needed')
    config, folder = config.for_demonstrations(), Path(folder)
    made_from = json.dumps([SCHEMA, contract.hash, dataclasses.asdict(config), episodes, seed])
    fingerprint = hashlib.sha256(made_from.encode()).hexdigest()[:16]
    known = read_meta(folder)
    if known is not None and known.fingerprint == fingerprint:
        return load_dataset(folder)
    new = folder.with_name(f'{folder.name}.{fingerprint}.partial')
    try:
        new.mkdir(parents=True, exist_ok=True)
        jobs = [_Job(seed + i, new / f'{i:06d}') for i in range(episodes)]
        made = _make_all(config, contract, jobs, workers)
        shown = None if progress else True
        entries = tuple(tqdm(made, 'demonstrate', episodes, unit='episode', disable=shown))
        join_parts(new, range(episodes), entries, contract, fingerprint, {})
        for job in jobs:
            job.entry_file.unlink()
        if folder.exists():
            shutil.rmtree(folder)
        new.rename(folder)
    except OSError as error:
        raise IbcError(f'{new}: cannot write the dataset: {error.strerror or error}') from None
    return load_dataset(folder)


def task_name(config: PushingConfig) -> str:
    """Name of the task in datasets and models."""
    return f'pushing_{config.task}'


@dataclass(frozen=True)
class _Job:
    """One episode to demonstrate."""

    seed: int
    stem: Path
    """Its files begin with it."""

    @property
    def entry_file(self) -> Path:
        """Written last, so that it says the episode is done."""
        return self.stem.with_name(f'{self.stem.name}.json')

    def done(self) -> EpisodeEntry | None:
        """What an earlier call has made of it, if it was complete."""
        if not all(part_file(self.stem, name).exists() for name in _ARRAYS):
            return None
        try:
            data = json.loads(self.entry_file.read_text())
            return pydantic.TypeAdapter(EpisodeEntry).validate_python(data)
        except (OSError, ValueError):
            return None


def _make_all(
    config: PushingConfig, contract: Contract, jobs: list[_Job], workers: int
) -> Iterator[EpisodeEntry]:
    if workers <= 1:
        with closing(_Filmer(config, contract)) as filmer:
            yield from map(filmer.make, jobs)
        return
    pool = spawn_pool(min(workers, len(jobs)), _begin_worker, (config, contract))
    try:
        yield from pool.map(_make_in_worker, jobs, chunksize=4)
    finally:
        pool.shutdown(cancel_futures=True)


class _Filmer:
    """Environment, oracle and camera of one process, episode after episode."""

    def __init__(self, config: PushingConfig, contract: Contract) -> None:
        self._config, self._history = config, contract.history
        self._camera = PushingCamera(config, contract)
        self._demonstrator = Demonstrator(config)

    def close(self) -> None:
        """Free the PyBullet clients."""
        self._demonstrator.close()
        self._camera.close()

    def make(self, job: _Job) -> EpisodeEntry:
        """Write the episode of a job, unless it is there."""
        known = job.done()
        if known is not None:
            return known
        states, actions, success = self._demonstrator.demonstrate(job.seed)
        ages = np.arange(self._history - 1, -1, -1)
        arrays = {
            'observations': self._camera.observe(states),
            'index': np.maximum(np.arange(len(actions))[:, None] - ages, 0),
            'actions': actions,
        }
        task = task_name(self._config)
        entry = EpisodeEntry(
            path=f'{task}, {self._config.form}, seed {job.seed}',
            task=task,
            outcome='success' if success else 'failure',
            steps=len(actions),
            samples=len(states),
            trimmed=0,
            skipped=0,
            shortened=0,
            digest=save_part(job.stem, arrays),
        )
        unfinished = job.entry_file.with_suffix('.partial')
        unfinished.write_text(json.dumps(dataclasses.asdict(entry)))
        os.replace(unfinished, job.entry_file)
        return entry


_worker: _Filmer | None = None
"""What a worker process makes episodes with, made by its initializer."""


def _begin_worker(config: PushingConfig, contract: Contract) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops, and the workers with it
    _worker = _Filmer(config, contract)


def _make_in_worker(job: _Job) -> EpisodeEntry:
    if _worker is None:
        raise RuntimeError('the worker was not initialised')
    return _worker.make(job)
