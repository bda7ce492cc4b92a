"""Table 3 of the paper, columns "States": pushing a block to one target, or to two in turn."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ibc_studies.comparison import Decide, Row, compare
from ibc_studies.preset import StudyPreset
from ibc_studies.pushing import PushingConfig, pushing_demonstrations, roll_out_pushing
from implicit_bc.batched import History

PAPER = {
    'single': 'implicit 100 %, mixture 100 %, MSE 98.3 %, nearest neighbor 4 % (Table 3)',
    'multi': 'implicit 99 %, mixture 99.7 %, MSE 89.7 %, nearest neighbor 0 % (Table 3)',
}
PAPER_RATES = {
    'single': {
        'derivative_free': 1.0,
        'mixture_density': 1.0,
        'mean_squared_error': 0.983,
        'nearest_neighbor': 0.04,
    },
    'multi': {
        'derivative_free': 0.99,
        'mixture_density': 0.997,
        'mean_squared_error': 0.897,
        'nearest_neighbor': 0.0,
    },
}
"""Means of 3 seeds of 100 episodes."""
LARGEST_MOVE = np.inf
"""The released environment accepts any move of the setpoint; its workspace bounds where it ends."""


def study_pushing(
    config: PushingConfig, preset: StudyPreset, seeds: Sequence[int], episodes: int, folder: Path
) -> list[Row]:
    """Train the policies of `preset` and count their successes; arguments as `study_particle`."""
    demonstrations = pushing_demonstrations(
        config, preset.demonstrations, workers=os.cpu_count() or 1
    )

    def judge(decide: Decide, layouts: Sequence[int]) -> np.ndarray:
        history = History(preset.history)

        def act(
            observations: npt.NDArray[np.float32], episode: npt.NDArray[np.int64]
        ) -> np.ndarray:
            return decide(history.push(observations, episode))

        return np.array([e.success for e in roll_out_pushing(act, config, layouts)])

    data = demonstrations.to_train_on(preset.history, (-LARGEST_MOVE, LARGEST_MOVE))
    paper = PAPER_RATES[config.task]
    return compare(preset, data, judge, seeds, episodes, folder, paper)
