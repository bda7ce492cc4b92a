"""Demonstrations of pushing, by several processes."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ibc_contract.errors import IbcError
from ibc_contract.process_pool import spawn_pool
from ibc_studies.demonstrations import DEMONSTRATION_SEED, Demonstrations, concatenate
from ibc_studies.pushing.config import PushingConfig
from ibc_studies.pushing.env import PushingEnv
from ibc_studies.pushing.oracle import PushingOracle

_Episode = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], bool]
_EPISODES_PER_JOB = 10


def pushing_demonstrations(
    config: PushingConfig,
    episodes: int,
    seed: int = DEMONSTRATION_SEED,
    workers: int = 1,
    progress: bool = True,
) -> Demonstrations:
    """Let the oracle do `episodes` episodes, of seeds `seed`, `seed` + 1, ...

    Args:
        config: Which environment; without a tolerance of its own, that of the form's
            demonstrations.
        episodes: How many.
        seed: Seed of the first one.
        workers: Processes; with one, it runs in this one. The result does not depend on it.
        progress: Show a progress bar if there is a terminal.

    Raises:
        IbcError: No episodes.
    """
    if episodes < 1:
        raise IbcError(f'{episodes} pushing demonstrations: at least 1 is needed')
    made = _demonstrate_all(config.for_demonstrations(), range(seed, seed + episodes), workers)
    bar = tqdm(made, 'demonstrate', episodes, unit='episode', disable=None if progress else True)
    return concatenate(list(bar))


def _demonstrate_all(
    config: PushingConfig, seeds: Sequence[int], workers: int
) -> Iterator[_Episode]:
    if workers <= 1:
        with closing(Demonstrator(config)) as demonstrator:
            yield from map(demonstrator.demonstrate, seeds)
        return
    pool = spawn_pool(min(workers, len(seeds)), _begin_worker, (config,))
    try:
        yield from pool.map(_demonstrate_in_worker, seeds, chunksize=_EPISODES_PER_JOB)
    finally:
        pool.shutdown(cancel_futures=True)


class Demonstrator:
    """Environment and oracle of one process, episode after episode."""

    def __init__(self, config: PushingConfig) -> None:
        self._env = PushingEnv(config.task, config.form, config.tolerance)
        self._oracle = PushingOracle()

    def close(self) -> None:
        """Free the PyBullet client."""
        self._env.close()

    def demonstrate(self, seed: int) -> _Episode:
        """Return observations (t, D), actions (t, 2) and success of an episode."""
        observation, info = self._env.reset(seed=seed)
        self._oracle.reset()
        observations, actions, over = [], [], False
        while not over:
            action = self._oracle.act(observation)
            observations.append(observation)
            actions.append(action)
            observation, _, terminated, truncated, info = self._env.step(action)
            over = terminated or truncated
        return np.stack(observations), np.stack(actions), info['success']


_worker: Demonstrator | None = None
"""The demonstrator of a worker process, made by its initializer."""


def _begin_worker(config: PushingConfig) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops, and the workers with it
    _worker = Demonstrator(config)


def _demonstrate_in_worker(seed: int) -> _Episode:
    if _worker is None:
        raise RuntimeError('the worker was not initialised')
    return _worker.demonstrate(seed)
