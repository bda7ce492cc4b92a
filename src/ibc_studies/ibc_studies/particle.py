"""The N-D particle environment of paper C.5 (Fig. 6), its oracle and its demonstrations.

A particle is led by setpoints to a first goal and then to a second one. The dynamics are linear;
what is hard to imitate is the oracle's jump from the one goal to the other.

Constants are those of the released code, of which the paper gives none but the range of positions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import gymnasium
import numpy as np
import numpy.typing as npt
import pydantic
from gymnasium import spaces
from pydantic import ConfigDict, Field

from ibc_contract.errors import IbcError
from ibc_studies.demonstrations import DEMONSTRATION_SEED, Demonstrations

Array = npt.NDArray[np.float64]
Observations = npt.NDArray[np.float32]

DT = 0.005
"""Length of an integration step [s]."""
SUBSTEPS = 10
"""Integration steps per action: control at 20 Hz."""
STIFFNESS = 10.0
"""k_p: acceleration per distance to the setpoint [1/s^2]."""
DAMPING = 5.0
"""k_d: deceleration per speed [1/s]."""
HORIZON = 50
"""Steps of an episode; none ends earlier."""
GOAL_RADIUS = 0.05
"""A goal is reached nearer than this."""
SWITCH_RADIUS = 0.01
"""The oracle turns to the second goal nearer than this to the first."""

# Setpoints in [0, 1] cannot bring positions and speeds out of these; see the test.
_POSITION_BOUNDS = (-0.2, 1.2)
_SPEED_BOUND = 5.0


@pydantic.dataclasses.dataclass(frozen=True, config=ConfigDict(extra='forbid'))
class ParticleConfig:
    """Which of the particle environments."""

    dims: Annotated[int, Field(ge=1, le=32, description='N, dimensions of the space')] = 2
    hide_velocity: Annotated[bool, Field(description='observe positions only')] = False

    @property
    def observation_size(self) -> int:
        """Position, first goal, second goal and, unless hidden, velocity: 4 N or 3 N."""
        return self.dims * (3 if self.hide_velocity else 4)


class ParticleBatch:
    """Many episodes at once, one per row; a row never depends on the others.

    Observations (B, 4 N) float32 are position, first goal, second goal, velocity, in this order:
    that of the released code's keys. Actions (B, N) are setpoints in [0, 1], clipped to it.
    """

    def __init__(self, config: ParticleConfig) -> None:
        self.config = config
        self.elapsed = 0
        """Steps since the reset."""

    def reset(self, seeds: Sequence[int]) -> Observations:
        """Begin an episode for every seed; return the first observations (B, D).

        Raises:
            IbcError: No seeds.
        """
        if len(seeds) == 0:
            raise IbcError('no seeds for a batch of particles: at least 1 is needed')
        layouts = [np.random.default_rng(seed).random((3, self.config.dims)) for seed in seeds]
        self.position, self.first_goal, self.second_goal = np.stack(layouts, axis=1)
        self.velocity = np.zeros_like(self.position)
        self.elapsed = 0
        # What was reached counts at the ends of steps only, so not where an episode begins.
        self.reached_first = np.zeros(len(seeds), bool)
        return self.observe()

    def step(self, actions: npt.ArrayLike) -> Observations:
        """Lead to setpoints `actions` (B, N) for one step; return the observations (B, D).

        Raises:
            IbcError: Actions of another shape, or not finite.
        """
        setpoints = np.asarray(actions, dtype=float)
        if setpoints.shape != self.position.shape:
            raise IbcError(
                f'actions are {setpoints.shape}, particles need {self.position.shape}: '
                f'a setpoint per episode and dimension'
            )
        if not np.isfinite(setpoints).all():
            raise IbcError(f'actions of step {self.elapsed} hold numbers that are not finite')
        setpoints = np.clip(setpoints, 0.0, 1.0)
        for _ in range(SUBSTEPS):
            pull = STIFFNESS * (setpoints - self.position) - DAMPING * self.velocity
            # Explicit Euler: the position moves with the old velocity.
            self.position = self.position + DT * self.velocity
            self.velocity = self.velocity + DT * pull
        self.elapsed += 1
        self.reached_first |= _near(self.position, self.first_goal, GOAL_RADIUS)
        return self.observe()

    def observe(self) -> Observations:
        """Return the observations (B, D) of this moment."""
        parts = [self.position, self.first_goal, self.second_goal, self.velocity]
        if self.config.hide_velocity:
            parts.pop()
        return np.concatenate(parts, axis=1, dtype=np.float32)

    @property
    def at_second(self) -> npt.NDArray[np.bool_]:
        """Which particles are at their second goal now, (B,)."""
        return _near(self.position, self.second_goal, GOAL_RADIUS)

    @property
    def success(self) -> npt.NDArray[np.bool_]:
        """Which episodes are won if they end now: been at the first goal, at the second, (B,)."""
        return self.reached_first & self.at_second

    @property
    def is_over(self) -> bool:
        """Whether the horizon is reached."""
        return self.elapsed >= HORIZON


class ParticleOracle:
    """The scripted policy: to the first goal, and once it was near, to the second.

    That it was near is hidden state: the observation does not tell.
    """

    def __init__(self, config: ParticleConfig) -> None:
        self._dims = config.dims
        self._switched = np.zeros(0, bool)

    def reset(self, episodes: int) -> None:
        """Begin `episodes` episodes."""
        self._switched = np.zeros(episodes, bool)

    def act(self, observations: Observations) -> Observations:
        """Return the setpoints (B, N) for observations (B, D) of all episodes."""
        position, first, second = np.split(observations[:, : 3 * self._dims], 3, axis=1)
        self._switched |= _near(position, first, SWITCH_RADIUS)
        return np.where(self._switched[:, None], second, first)


@dataclass(frozen=True)
class ParticleRollout:
    """Episodes from begin to end."""

    observations: Observations
    """What was seen before each action, (B, HORIZON, D)."""
    actions: npt.NDArray[np.float32]
    """What was done, (B, HORIZON, N)."""
    success: npt.NDArray[np.bool_]
    """Which episodes were won, (B,)."""


def roll_out_particles(
    act: Callable[[Observations], npt.ArrayLike], config: ParticleConfig, seeds: Sequence[int]
) -> ParticleRollout:
    """Run the episodes of `seeds` side by side with `act`, observations (B, D) -> setpoints (B, N).

    Raises:
        IbcError: No seeds, or actions of a wrong shape or not finite.
    """
    batch = ParticleBatch(config)
    observation = batch.reset(seeds)
    observations, actions = [], []
    while not batch.is_over:
        action = np.asarray(act(observation), dtype=np.float32)
        observations.append(observation)
        actions.append(action)
        observation = batch.step(action)
    return ParticleRollout(np.stack(observations, 1), np.stack(actions, 1), batch.success)


def particle_demonstrations(
    config: ParticleConfig, episodes: int, seed: int = DEMONSTRATION_SEED
) -> Demonstrations:
    """Let the oracle do `episodes` episodes, of seeds `seed`, `seed` + 1, ...

    Raises:
        IbcError: No episodes.
    """
    if episodes < 1:
        raise IbcError(f'{episodes} particle demonstrations: at least 1 is needed')
    oracle = ParticleOracle(config)
    oracle.reset(episodes)
    done = roll_out_particles(oracle.act, config, range(seed, seed + episodes))
    return Demonstrations(
        observations=done.observations.reshape(-1, config.observation_size),
        actions=done.actions.reshape(-1, config.dims),
        episode=np.repeat(np.arange(episodes), HORIZON),
        success=done.success,
    )


class ParticleEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """One particle, as a Gymnasium environment: `ParticleBatch` with one row.

    Observation (4 N,) float32, or (3 N,) with the velocity hidden; action (N,) setpoint in [0, 1].
    The reward is 1 at the end of a successful episode and else 0. Episodes never terminate; they
    are truncated after 50 steps, and success is being at the second goal then.
    """

    metadata = {'render_modes': []}  # noqa: RUF012

    def __init__(
        self, dims: int = 2, hide_velocity: bool = False, render_mode: str | None = None
    ) -> None:
        """Make the environment of `dims` dimensions, 1 to 32."""
        self.config = ParticleConfig(dims=dims, hide_velocity=hide_velocity)
        self.render_mode = render_mode
        self._batch = ParticleBatch(self.config)
        low, high = _POSITION_BOUNDS
        bounds = np.array([(low, high), (0.0, 1.0), (0.0, 1.0), (-_SPEED_BOUND, _SPEED_BOUND)])
        bounds = np.repeat(bounds, dims, axis=0)[: self.config.observation_size].astype(np.float32)
        self.observation_space = spaces.Box(bounds[:, 0], bounds[:, 1], dtype=np.float32)
        self.action_space = spaces.Box(0.0, 1.0, (dims,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the episode of this seed; without one, draw the next seed."""
        super().reset(seed=seed)
        layout_seed = int(self.np_random.integers(2**31)) if seed is None else seed
        return self._batch.reset([layout_seed])[0], self._info()

    def step(self, action: npt.ArrayLike) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Lead the particle to setpoint `action` (N,) for 0.05 s."""
        (observation,) = self._batch.step(np.asarray(action, dtype=float)[None])
        over, info = self._batch.is_over, self._info()
        return observation, float(over and info['success']), False, over, info

    def _info(self) -> dict[str, Any]:
        success = bool(self._batch.success[0])
        reached = bool(self._batch.reached_first[0])
        return {'success': success, 'score': 1.0 if success else 0.5 * reached}


def _near(
    position: npt.NDArray[Any], goal: npt.NDArray[Any], radius: float
) -> npt.NDArray[np.bool_]:
    return np.linalg.norm(position - goal, axis=1) < radius
