"""Demonstrator episodes as bags, faster than real time: in parallel, resumable, reproducible."""

import logging
import multiprocessing
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ibc_contract.contract import load_contract
from ibc_contract.episode_info import new_episode_info
from ibc_contract.episode_writer import DISCARDED, PARTIAL, EpisodeWriter
from ibc_contract.errors import IbcError
from ibc_contract.process_pool import spawn_pool
from xarm_twin.camera import TwinCamera, choose_renderer
from xarm_twin.cell import TICK
from xarm_twin.demonstrators import PERIOD, make_demonstrator
from xarm_twin.envs import PlanarTaskEnv
from xarm_twin.lead_in import (
    BLIND_CONTRACT,
    FRAME_AGE_S,
    UnsteadyHand,
    play_lead_in,
)
from xarm_twin.recipe import Recipe
from xarm_twin.recording import CellRecorder
from xarm_twin.tasks import DEMONSTRATION_SEED

log = logging.getLogger(__name__)

OPERATOR = 'demonstrator'
_SPARE_SEEDS = 10
_MANY_FAILED = 5
"""Worth a warning, where fewer succeeded."""
_SHORTEST_S = 1.0
"""Shorter demonstrations are put aside [s]."""


def generate_episodes(
    recipe: Recipe, episodes: int, seed: int = DEMONSTRATION_SEED, workers: int = 1
) -> list[Path]:
    """Record the scripted demonstrator until there are `episodes` episodes, and return them.

    Seeds count up from `seed`; what an earlier run has finished is not made again. Failures go to
    `discarded/` and are replaced by further seeds.

    Args:
        recipe: What to record, and where.
        episodes: How many to have in the end, those of earlier runs included.
        seed: First layout.
        workers: Processes.

    Raises:
        IbcError: The folder has episodes of another recipe; too many demonstrations failed; the
            player cannot be made.
    """
    recipe = _prepared(recipe)
    kept: dict[int, Path] = {}
    failed = 0
    upcoming, end = seed, seed + 2 * episodes + _SPARE_SEEDS
    with tqdm(total=episodes, desc=recipe.task, unit='episode', disable=None) as progress:
        while len(kept) < episodes and upcoming < end:
            batch = range(upcoming, min(upcoming + episodes - len(kept), end))
            upcoming = batch.stop
            for done, path in _record_all(recipe, batch, workers):
                if path is not None:
                    kept[done] = path
                    progress.update()
                else:
                    failed += 1
                    if failed == _MANY_FAILED and failed > len(kept):
                        _warn(recipe, failed, len(kept))
    if len(kept) < episodes:
        raise IbcError(
            f'{recipe.task}: only {len(kept)} of {end - seed} demonstrations succeeded; '
            f'{recipe.root} has them'
        )
    return [kept[number] for number in sorted(kept)]


def _prepared(recipe: Recipe) -> Recipe:
    """Make the folder, settle the renderer; IbcError for what would fail in every worker."""
    if recipe.has_camera:
        recipe = replace(recipe, renderer=choose_renderer(recipe.renderer))
    if recipe.player is not None:
        recipe.player()  # what a pool's initializer raises only shows as a broken pool
    recipe.root.mkdir(parents=True, exist_ok=True)
    recipe.require_only_its_own()
    return recipe


def _warn(recipe: Recipe, failed: int, kept: int) -> None:
    hand = f' --noise {recipe.noise:g}' * (recipe.noise > 0) + ' --multimodal' * recipe.multimodal
    log.warning(
        '%s: %d of the first %d demonstrations came to nothing and lie in %s; how often such a '
        'hand succeeds: ibc eval demonstrator --task %s%s',
        recipe.task,
        failed,
        failed + kept,
        recipe.root / DISCARDED,
        recipe.task,
        hand,
    )


def _record_all(
    recipe: Recipe, seeds: Iterable[int], workers: int
) -> Iterator[tuple[int, Path | None]]:
    """Yield each seed, as it is finished, with its episode if that was kept."""
    missing = []
    for seed in seeds:
        finished, path = recipe.finished(seed)
        if finished:
            yield seed, path
        else:
            missing.append(seed)
    if not missing:
        return
    if workers <= 1 or len(missing) <= 1:
        with _studio(recipe) as studio:
            for seed in missing:
                yield seed, studio.record(seed)
        return
    stop = multiprocessing.get_context('spawn').Event()
    pool = spawn_pool(min(workers, len(missing)), _begin_worker, (recipe, stop))
    try:
        futures = {pool.submit(_record_in_worker, seed): seed for seed in missing}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


class Studio:
    """Cell and camera of one process, episode after episode."""

    def __init__(self, recipe: Recipe, stop: Event | None = None) -> None:
        """Set up; recording ends early when `stop` is set."""
        self._recipe = recipe
        self._stop = stop
        self._contract = load_contract(recipe.contract)
        self._player = recipe.player() if recipe.player else UnsteadyHand(recipe.task)
        # The unsteady hand needs no pictures, a policy does.
        seen = recipe.contract if recipe.player else BLIND_CONTRACT
        self._env = PlanarTaskEnv(
            recipe.task, seen, recipe.renderer, FRAME_AGE_S, randomization=recipe.randomization
        )
        self._cell = self._env.cell
        self._camera = TwinCamera(recipe.task, recipe.renderer) if recipe.has_camera else None

    def close(self) -> None:
        """Free the PyBullet clients."""
        self._env.close()
        if self._camera is not None:
            self._camera.close()

    def record(self, seed: int) -> Path | None:
        """Record one episode; return it if it is kept."""
        recipe = self._recipe
        name = recipe.name(seed)
        # What a killed run left of this episode is made again.
        shutil.rmtree(recipe.root / f'{name}{PARTIAL}', ignore_errors=True)
        info = replace(
            new_episode_info(recipe.task, self._contract, 'twin', time.time_ns()),
            operator=OPERATOR,
            note=recipe.note,
            seed=seed,
        )
        writer = EpisodeWriter(recipe.root, info, name)
        try:
            shown_s = self._play(seed, writer)
        except BaseException:
            shutil.rmtree(writer.path, ignore_errors=True)
            raise
        if shown_s is None:
            writer.update(outcome='failure')
        # After a lead-in that all but did the task, there was next to nothing to show.
        if shown_s is None or shown_s < _SHORTEST_S:
            writer.discard()
            return None
        return writer.close('success')

    def _play(self, seed: int, writer: EpisodeWriter) -> float | None:
        """Let the demonstrator do the task; return how long it took [s], None if it failed."""
        recipe, cell = self._recipe, self._cell
        rng = np.random.default_rng((seed, 1))  # not the layout's
        demonstrator = make_demonstrator(recipe.task, rng, recipe.noise, recipe.multimodal)
        before = np.random.default_rng((seed, 2))
        state = play_lead_in(self._env, self._player, seed, recipe.lead_in_s, before)
        latency, command_tick = before.uniform(*recipe.frame_latency_s), 0
        if recipe.randomization is not None:
            command_tick = round(recipe.randomization.delays.draw(seed)[1] / TICK)
            if self._camera is not None:
                self._camera.set_scene(self._env.scene)
        recorder = CellRecorder(cell, writer, self._camera, recipe.camera_hz, latency)
        recorder.state(state)
        task = cell.world.task
        for period in range(1, 1 + round(task.horizon_s / PERIOD)):
            if self._stop is not None and self._stop.is_set():
                raise KeyboardInterrupt
            delta = demonstrator.act(state.setpoint_xy, state.objects)
            recorder.command(delta)
            for tick in range(round(PERIOD / TICK)):
                if tick == command_tick:
                    cell.command(delta, PERIOD)
                state = cell.tick()
                recorder.state(state)
            if task.is_success(state.objects):
                return period * PERIOD
        return None


@contextmanager
def _studio(recipe: Recipe) -> Iterator[Studio]:
    studio = Studio(recipe)
    try:
        yield studio
    finally:
        studio.close()


_worker: Studio | None = None
"""The studio of a worker process, made by its initializer."""


def _begin_worker(recipe: Recipe, stop: Event) -> None:
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    _worker = Studio(recipe, stop)


def _record_in_worker(seed: int) -> Path | None:
    if _worker is None:
        raise RuntimeError('the worker was not initialised')
    return _worker.record(seed)
