"""What happens before a demonstration is recorded: somebody plays, and leaves a mess to mend.

Noise in recorded moves would be learned as well. Noise before the recording begins only brings the
scene to where things go wrong; what is recorded then is how a steady hand mends them. When the one
who plays is a trained policy, these are the states that it gets itself into.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from xarm_twin.cell import CellState
from xarm_twin.demonstrators import make_demonstrator
from xarm_twin.envs import PlanarTaskEnv

BLIND_CONTRACT = 'planar_state_10'
"""For players that look at no image: nothing is rendered."""
FRAME_AGE_S = 0.08
"""Age of the newest frame at a tick, in the middle of what the ROS graph has [s]."""
_NOISE = (0.2, 1.0)


class Player(Protocol):
    """Anything with the interface of a policy, on what `PlanarTaskEnv` shows and says."""

    def reset(self, rng: np.random.Generator) -> None:
        """Begin an episode."""
        ...

    def act(self, observation: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Choose the move of the setpoint (2,) [m]; observation['info'] has the ground truth."""
        ...


PlayerFactory = Callable[[], Player]


class UnsteadyHand:
    """The scripted demonstrator with a tremor of its own in every episode."""

    def __init__(self, task: str) -> None:
        self._task = task
        self.reset(np.random.default_rng(0))

    def reset(self, rng: np.random.Generator) -> None:
        """Draw tremor, pace and preferred sides anew."""
        self._hand = make_demonstrator(self._task, rng, rng.uniform(*_NOISE), multimodal=True)

    def act(self, observation: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Return a move of the setpoint (2,) [m]."""
        return self._hand.act(observation['info']['setpoint'], observation['info']['objects'])


def play_lead_in(
    env: PlanarTaskEnv, player: Player, seed: int, longest_s: float, rng: np.random.Generator
) -> CellState:
    """Lay out `seed` and let `player` play for a random part of `longest_s` [s]; return the state.

    About half of the seeds have no lead-in: a policy must also see how the task begins. Where the
    task gets done on the way, nothing would be left to show: half of the time, then.
    """
    periods = int(max(0.0, rng.uniform(-longest_s, longest_s)) / env.contract.period_s)
    while True:
        observation: Mapping[str, Any]
        observation, info = env.reset(seed=seed)
        player.reset(rng)
        for _ in range(periods):
            action = player.act({**observation, 'info': info}, rng)
            observation, _, done, _, info = env.step(action)
            if done:
                break
        else:
            return env.cell.state
        periods //= 2
