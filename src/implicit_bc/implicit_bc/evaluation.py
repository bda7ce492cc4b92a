"""Roll policies out in Gymnasium environments: in parallel, the same for a seed everywhere."""

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

import numpy as np
from tqdm import tqdm

from ibc_contract.errors import IbcError
from ibc_contract.process_pool import spawn_pool
from implicit_bc.evaluation_summary import Summary, summarize
from implicit_bc.interface import Policy
from implicit_bc.rollout import Environment, Episode, Spectator, rollout

PolicyFactory = Callable[[], Policy]
EnvFactory = Callable[[], Environment]
SpectatorFactory = Callable[[int], Spectator]
"""Makes the spectator of the episode with this seed."""


def evaluate(
    policy_factory: PolicyFactory,
    env_factory: EnvFactory,
    episodes: int,
    seed: int = 0,
    workers: int = 1,
    progress: bool = True,
) -> Summary:
    """Roll out `episodes` episodes with seeds `seed`, `seed` + 1, ... and sum up.

    Raises:
        IbcError: No episodes; or what the factories raise, before any process is started.
    """
    if episodes < 1:
        raise IbcError(f'{episodes} episodes: at least 1 is needed')
    start = time.monotonic()
    seeds = range(seed, seed + episodes)
    done = list(roll_out(policy_factory, env_factory, seeds, workers, progress))
    return summarize(done, time.monotonic() - start)


def roll_out(
    policy_factory: PolicyFactory,
    env_factory: EnvFactory,
    seeds: Sequence[int],
    workers: int = 1,
    progress: bool = True,
    spectator_factory: SpectatorFactory | None = None,
) -> Iterator[Episode]:
    """Yield the episodes of `seeds`, in their order.

    Those that an interrupt lets through are the first ones then, not the quick ones, among which
    there are more successes.

    Args:
        policy_factory: Makes the policy; with several workers it must be picklable.
        env_factory: Makes the environment; likewise.
        seeds: One episode for each.
        workers: Processes; with one, or for one episode, it runs in this one. The episodes do not
            depend on it.
        progress: Show a progress bar with the running score if there is a terminal.
        spectator_factory: Who watches each episode, in its process; picklable.

    Raises:
        IbcError: What the factories raise, before any process is started.
        KeyboardInterrupt: It was interrupted; the processes have ended.
    """
    workers = min(workers, len(seeds))
    # Made here in any case: what a pool's initializer raises only shows as a broken pool.
    seat = _Seat(policy_factory(), env_factory(), spectator_factory)
    try:
        with _one_thread():
            if workers <= 1:
                yield from _with_bar(map(seat.run, seeds), len(seeds), progress)
                return
            factories = (policy_factory, env_factory, spectator_factory)
            yield from _with_bar(_in_processes(factories, seeds, workers), len(seeds), progress)
    finally:
        seat.env.close()


@dataclass(frozen=True)
class _Seat:
    """Policy and environment of one process, episode after episode."""

    policy: Policy
    env: Environment
    spectator_factory: SpectatorFactory | None
    stop: Event | None = None
    """Ends an episode early."""

    def run(self, seed: int) -> Episode:
        spectator = self.spectator_factory(seed) if self.spectator_factory else None

        def on_step(observation: Any, action: np.ndarray, info: dict[str, Any]) -> None:
            if self.stop is not None and self.stop.is_set():
                raise KeyboardInterrupt
            if spectator is not None:
                spectator.step(observation, action, info)

        episode = rollout(self.policy, self.env, seed, on_step)
        if spectator is not None:
            spectator.end(episode)
        return episode


def _with_bar(episodes: Iterator[Episode], total: int, progress: bool) -> Iterator[Episode]:
    hidden = None if progress else True
    with tqdm(total=total, desc='evaluate', unit='episode', disable=hidden) as bar:
        score = successes = 0.0
        for done, episode in enumerate(episodes, start=1):
            score, successes = score + episode.score, successes + episode.success
            bar.set_postfix_str(
                f'success {successes / done:.2f}, score {score / done:.2f}', refresh=False
            )
            bar.update()
            yield episode


def _in_processes(
    factories: tuple[PolicyFactory, EnvFactory, SpectatorFactory | None],
    seeds: Sequence[int],
    workers: int,
) -> Iterator[Episode]:
    stop = multiprocessing.get_context('spawn').Event()
    pool = spawn_pool(workers, _begin_worker, (factories, stop))
    try:
        with _interrupts_held_back():  # of a terminal they reach every process: this one says stop
            futures = [pool.submit(_run_in_worker, seed) for seed in seeds]
        for future in futures:
            yield future.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Hold back SIGINT; processes started meanwhile never get it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for PyTorch, if it is loaded: several add up in another order.

    And the workers share the cores among themselves.
    """
    torch = sys.modules.get('torch')
    threads = torch.get_num_threads() if torch else 1
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(threads)


_seat: _Seat | None = None
"""That of a worker process, made once."""


def _begin_worker(
    factories: tuple[PolicyFactory, EnvFactory, SpectatorFactory | None], stop: Event
) -> None:
    global _seat
    policy_factory, env_factory, spectator_factory = factories
    _seat = _Seat(policy_factory(), env_factory(), spectator_factory, stop)


def _run_in_worker(seed: int) -> Episode:
    if _seat is None:
        raise RuntimeError('the worker was not initialised')
    with _one_thread():
        return _seat.run(seed)
