"""Fig. 4 of the paper: how well models find a dot in an image, by the number of training images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from ibc_contract.errors import IbcError
from ibc_studies.coordinates import SPAN, Dots, draw_dots, in_hull
from ibc_studies.preset import StudyPreset, require_history
from implicit_bc.batched import BatchedPolicy
from implicit_bc.training.config import TrainConfig
from implicit_bc.training.data import ArrayData
from implicit_bc.training.trainer import fit

PAPER = 'implicit 1 to 2 orders of magnitude below MSE where data are few (section 3, Fig. 4d)'
COUNTS = (10, 30, 100, 300)
"""Training images, up to the largest number asked for, and that one; maps of the errors are drawn
of the first two, as in Fig. 4c."""
TEST_IMAGES = 500
TEST_SEED = 1_000_000
"""Far from those of training images, which count up from 0."""


@dataclass(frozen=True)
class CoordinateRow:
    """What models of one kind do with one number of training images, over all seeds."""

    policy: str
    images: int
    """For training."""
    error: float
    """Mean squared distance between answer and truth on the test images [px^2]."""
    inside: float
    """The same, of test images within the convex hull of the training ones."""
    outside: float
    """The same, of the others: extrapolation."""
    worst: float
    """Largest distance [px]."""
    per_seed: tuple[float, ...]
    """`error` of each seed."""
    seconds: float
    """Of training, per seed."""


@dataclass(frozen=True)
class Found:
    """What one model answers, for the figure."""

    policy: str
    trained: Dots
    test: Dots
    distance: npt.NDArray[np.float64]
    """Between answers and truth on the test images, (n,) [px]."""
    inside: npt.NDArray[np.bool_]
    """Which test images lie in the convex hull of the training ones, (n,)."""
    seconds: float


@dataclass(frozen=True)
class Comparison:
    """Numbers for the table; the answers of the first seed for the figure."""

    rows: list[CoordinateRow]
    shown: list[Found]

    def ratios(self) -> dict[int, float]:
        """By number of images: how many times the first policy's error the best other one's is.

        Empty where there is no other one.
        """
        first = self.rows[0].policy
        if all(row.policy == first for row in self.rows):
            return {}
        best = {}
        for count in dict.fromkeys(row.images for row in self.rows):
            errors = {row.policy: row.error for row in self.rows if row.images == count}
            best[count] = min(e for name, e in errors.items() if name != first) / errors[first]
        return best


def image_counts(largest: int) -> list[int]:
    """Numbers of training images, of which `largest` is the last.

    Raises:
        IbcError: It is below the least, `COUNTS[0]`.
    """
    if largest < COUNTS[0]:
        raise IbcError(f'demonstrations: {largest} images are too few, give {COUNTS[0]} or more')
    return [*(count for count in COUNTS if count < largest), largest]


def study_coordinates(preset: StudyPreset, seeds: Sequence[int], folder: Path) -> Comparison:
    """Train the policies of `preset` on ever more images and test them all on the same ones.

    Args:
        preset: What to train; `demonstrations` is the largest number of images.
        seeds: Of the training images and of the training.
        folder: Takes the runs, one below `policy/images/seed`; what is trained already is resumed.

    Raises:
        IbcError: Too few images (`image_counts`), or the preset has a history, and an image none.
    """
    require_history(preset, 1, 'coordinates')
    counts = image_counts(preset.demonstrations)
    jobs = [
        (count, policy, seed) for count in counts for policy in preset.policies for seed in seeds
    ]
    test = draw_dots(TEST_IMAGES, TEST_SEED)
    found: dict[tuple[int, str], list[Found]] = {}
    for count, policy, seed in tqdm(jobs, desc='coordinates', unit='model', disable=None):
        run_dir = folder / policy / f'images_{count}' / f'seed_{seed}'
        config = replace(preset.policies[policy], seed=seed)
        answer = _train_and_test(policy, config, draw_dots(count, seed), test, run_dir)
        found.setdefault((count, policy), []).append(answer)
    return Comparison(
        rows=[_row(policy, count, answers) for (count, policy), answers in found.items()],
        shown=[answers[0] for answers in found.values()],
    )


def _train_and_test(
    policy: str, config: TrainConfig, trained: Dots, test: Dots, run_dir: Path
) -> Found:
    # Each image is an episode of its own.
    numbers = np.arange(len(trained.images))
    data = ArrayData(trained.images, trained.coordinates, numbers, action_limits=(0.0, 1.0))
    done = fit(config, data, run_dir, resume=run_dir.exists(), progress=False)
    answers = BatchedPolicy(done.model, config.seed).act(test.images[:, None])
    return Found(
        policy=policy,
        trained=trained,
        test=test,
        distance=SPAN * np.linalg.norm(answers.astype(float) - test.coordinates, axis=1),
        inside=in_hull(test.coordinates, trained.coordinates),
        seconds=done.seconds,
    )


def _row(policy: str, count: int, answers: Sequence[Found]) -> CoordinateRow:
    squared = np.concatenate([a.distance for a in answers]) ** 2
    inside = np.concatenate([a.inside for a in answers])
    return CoordinateRow(
        policy=policy,
        images=count,
        error=float(squared.mean()),
        inside=float(squared[inside].mean()),
        outside=float(squared[~inside].mean()),
        worst=float(squared.max() ** 0.5),
        per_seed=tuple(float(np.mean(a.distance**2)) for a in answers),
        seconds=round(float(np.mean([a.seconds for a in answers])), 1),
    )
