"""Many episodes in step, so that a policy decides for all of them at once."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ibc_contract.errors import IbcError
from ibc_studies.pushing.config import PushingConfig
from ibc_studies.pushing.env import PushingEnv
from implicit_bc.rollout import Episode

Decide = Callable[[npt.NDArray[np.float32], npt.NDArray[np.int64]], npt.ArrayLike]
"""(b, D) observations of the episodes still running and their indices (b,) -> (b, 2) moves [m]."""


def roll_out_pushing(
    act: Decide, config: PushingConfig, seeds: Sequence[int], progress: bool = True
) -> list[Episode]:
    """Run the episodes of `seeds` side by side.

    A network takes much longer for many single observations than for all of them at once.

    Args:
        act: Decides; the indices count from 0 and stay the same through an episode.
        config: Which environment.
        seeds: One episode for each.
        progress: Show a progress bar of finished episodes if there is a terminal.

    Raises:
        IbcError: No seeds; or what the environment raises.
    """
    if len(seeds) == 0:
        raise IbcError('no seeds to roll pushing out for: at least 1 is needed')
    envs = [PushingEnv(config.task, config.form, config.tolerance) for _ in seeds]
    try:
        return _run(act, envs, seeds, progress)
    finally:
        for env in envs:
            env.close()


def _run(
    act: Decide, envs: list[PushingEnv], seeds: Sequence[int], progress: bool
) -> list[Episode]:
    latest = [env.reset(seed=seed)[0] for env, seed in zip(envs, seeds, strict=True)]
    ended: dict[int, Episode] = {}
    step = 0
    with tqdm(
        total=len(envs), desc='evaluate', unit='episode', disable=None if progress else True
    ) as bar:
        while len(ended) < len(envs):
            running = [index for index in range(len(envs)) if index not in ended]
            moves = np.asarray(act(np.stack([latest[i] for i in running]), np.array(running)))
            step += 1
            for index, move in zip(running, moves, strict=True):
                latest[index], _, terminated, truncated, info = envs[index].step(move)
                if terminated or truncated:
                    ended[index] = Episode(seeds[index], info['score'], info['success'], step)
                    bar.update()
    return [ended[index] for index in range(len(envs))]
