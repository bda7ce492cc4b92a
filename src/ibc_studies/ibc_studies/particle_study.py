"""Fig. 6 of the paper: which policies lead a particle to two goals, in 1 to 32 dimensions."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ibc_studies.comparison import Decide, Row, compare
from ibc_studies.particle import ParticleConfig, particle_demonstrations, roll_out_particles
from ibc_studies.preset import StudyPreset
from implicit_bc.batched import History

PAPER = 'implicit at least 95 % up to 16 dimensions, explicit (MSE) up to 8 (section 4.2, Fig. 6)'
"""As text: the curves of the figure give no numbers."""


def study_particle(
    dims: int, preset: StudyPreset, seeds: Sequence[int], episodes: int, folder: Path
) -> list[Row]:
    """Train the policies of `preset` in `dims` dimensions and count their successes.

    Args:
        dims: Dimensions of the space, 1 to 32.
        preset: What to train.
        seeds: Of training.
        episodes: To judge each policy by.
        folder: Takes the runs.
    """
    config = ParticleConfig(dims)
    demonstrations = particle_demonstrations(config, preset.demonstrations)

    def judge(decide: Decide, layouts: Sequence[int]) -> np.ndarray:
        history, everyone = History(preset.history), np.arange(len(layouts))
        return roll_out_particles(
            lambda observations: decide(history.push(observations, everyone)), config, layouts
        ).success

    data = demonstrations.to_train_on(preset.history, (0.0, 1.0))
    return compare(preset, data, judge, seeds, episodes, folder, {})
