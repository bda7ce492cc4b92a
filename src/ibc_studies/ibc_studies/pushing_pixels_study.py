"""Table 3 of the paper, column "Single Target, Pixels": pushing a block, seen by a camera."""

import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ibc_contract.contract import Contract, load_contract
from ibc_contract.errors import IbcError
from ibc_studies.comparison import Decide, Row, compare
from ibc_studies.preset import StudyPreset, require_history
from ibc_studies.pushing import PushingConfig, roll_out_pushing
from ibc_studies.pushing.camera import PushingCamera
from ibc_studies.pushing.pixels import pushing_pixels, task_name
from ibc_studies.pushing.pixels_env import PushingPixelsEnv
from implicit_bc.batched import History
from implicit_bc.bundle import load_bundle
from implicit_bc.bundle_files import add_result, find_bundle, read_description
from implicit_bc.evaluation import evaluate
from implicit_bc.evaluation_summary import Summary
from implicit_bc.policy import LearnedPolicy

PAPER = {
    'single': 'implicit 100 %, MSE 87.0 %, mixture 10.0 %, nearest neighbor 4 % (Table 3)',
    'multi': 'not in the paper, which has two targets from states only (Table 3)',
}
PAPER_RATES = {
    'single': {
        'derivative_free': 1.0,
        'mean_squared_error': 0.87,
        'mixture_density': 0.1,
        'nearest_neighbor': 0.04,
    },
    'multi': {},
}
"""Means of 3 seeds of 100 episodes."""
DATASET = 'dataset'


def study_pushing_pixels(
    config: PushingConfig, preset: StudyPreset, seeds: Sequence[int], episodes: int, folder: Path
) -> list[Row]:
    """Train the policies of `preset` and count their successes; arguments as `study_particle`.

    Demonstrations go into `folder` as a dataset cache, which `ibc train` takes as well.

    Raises:
        IbcError: The policies of the preset do not see the same pictures, or it has another
            history than their contract.
    """
    contract = _contract(preset)
    require_history(preset, contract.history, f'pushing-pixels by contract {contract.name}')
    data = pushing_pixels(
        config, contract, preset.demonstrations, folder / DATASET, workers=os.cpu_count() or 1
    )

    def judge(decide: Decide, layouts: Sequence[int]) -> np.ndarray:
        history = History(contract.history)

        def act(states: npt.NDArray[np.float32], episode: npt.NDArray[np.int64]) -> np.ndarray:
            return decide(history.push(camera.observe(states), episode))

        with closing(PushingCamera(config, contract)) as camera:
            return np.array([e.success for e in roll_out_pushing(act, config, layouts)])

    paper = PAPER_RATES[config.task]
    return compare(preset, data, judge, seeds, episodes, folder, paper)


def measure_model(
    model: str | Path,
    config: PushingConfig,
    episodes: int,
    seed: int = 0,
    workers: int = 1,
    save: bool = False,
) -> Summary:
    """Let a trained model act in episodes of seeds `seed`, `seed` + 1, ...

    Args:
        model: Folder of a bundle or of its run, or the name of one.
        config: Which environment.
        episodes: How many.
        seed: Of the first one.
        workers: Processes. The result does not depend on it.
        save: Note the result in the model card.

    Raises:
        IbcError: No such model, or one of another task.
    """
    path = find_bundle(model)
    description = read_description(path)
    if task_name(config) not in description['tasks']:
        raise IbcError(
            f'model {path} was trained for {", ".join(description["tasks"]) or "no named task"}, '
            f'not for {task_name(config)}: choose another model or another --task'
        )
    contract = Contract.from_dict(description['contract'])
    env = partial(PushingPixelsEnv, config.task, config.form, config.tolerance, contract)
    summary = evaluate(partial(_policy, path), env, episodes, seed, workers)
    if save:
        add_result(path, task_name(config), summary.to_dict())
    return summary


def _policy(path: Path) -> LearnedPolicy:
    return load_bundle(path).policy


def _contract(preset: StudyPreset) -> Contract:
    names = {config.contract for config in preset.policies.values()}
    if len(names) > 1:
        raise IbcError(
            f'the policies of the preset learn from {", ".join(sorted(names))}: they must see the '
            'same pictures to be compared'
        )
    return load_contract(names.pop())
