"""What an oracle saw and did, as arrays to train on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from implicit_bc.training.data import ArrayData

DEMONSTRATION_SEED = 1_000_000
"""First episode seed of demonstrations: far from those of evaluations, which count up from 0."""


@dataclass(frozen=True)
class Demonstrations:
    """Episodes one after the other; a row is an observation and the action taken there.

    The observation after an episode's last action is not among them: nothing is done there.
    """

    observations: npt.NDArray[np.float32]
    """(n, D)."""
    actions: npt.NDArray[np.float32]
    """(n, A)."""
    episode: npt.NDArray[np.int64]
    """(n,): index into `success` of the episode that a row belongs to, never decreasing."""
    success: npt.NDArray[np.bool_]
    """(episodes,): whether the oracle did the task. Failures are kept, as the paper's are."""

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Number of steps of each episode, (episodes,)."""
        return np.bincount(self.episode, minlength=len(self.success))

    def to_train_on(self, history: int, action_limits: tuple[float, float]) -> ArrayData:
        """Return them with observations of `history` samples each.

        Args:
            history: Samples in an observation.
            action_limits: Lowest and highest number that an action may hold.
        """
        return ArrayData(self.observations, self.actions, self.episode, history, action_limits)


def concatenate(
    episodes: list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], bool]],
) -> Demonstrations:
    """Join (observations (t, D), actions (t, A), success) of at least one episode."""
    observations, actions, success = zip(*episodes, strict=True)
    return Demonstrations(
        observations=np.concatenate(observations),
        actions=np.concatenate(actions),
        episode=np.repeat(np.arange(len(episodes)), [len(a) for a in actions]),
        success=np.array(success),
    )
