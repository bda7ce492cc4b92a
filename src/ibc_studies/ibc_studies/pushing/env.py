"""Pushing as a Gymnasium environment."""

import math
from collections import deque
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ibc_contract.errors import IbcError
from ibc_studies.pushing.config import Form, PushingConfig, Task
from ibc_studies.pushing.layout import TOOL_START, sample_layout
from ibc_studies.pushing.observation import Scene
from ibc_studies.pushing.world import PHYSICS_HZ, STEPS_PER_ACTION, PushingWorld

WORKSPACE_LOW, WORKSPACE_HIGH = np.array((0.15, -0.5)), np.array((0.7, 0.5))
"""Corners of the rectangle that the setpoint stays in [m]."""
MAX_MOVE = 0.1
"""Largest move of the setpoint along x or y in a step [m]."""
STEP_S = STEPS_PER_ACTION / PHYSICS_HZ
"""Time that an action takes [s]."""
STALLED_STEPS, STALLED_M = 20, 0.003
"""A block that has not moved by this much [m] in so many steps has stalled."""

_POSITION_BOUND = 5.0


class PushingEnv(gymnasium.Env[np.ndarray, np.ndarray]):
    """Push a block to its zone, or to one zone after the other; see the package for the forms.

    The observation is the state vector of `Scene`, (10,) or (13,) float32 [m, rad]. The action (2,)
    moves the setpoint, not the tool [m]. Rewards are the released ones: for `single` the largest
    part of the way to the zone that was ever made, 1 at success; for `multi` 1 once both zones
    were visited. An episode terminates at success (`multi`: once both zones were visited, and it
    is a success if the second was last), and is truncated after 100 or 200 steps. `info` says of
    failures what was not done (`failure`), and whether the block still moved (`ending`).
    """

    metadata = {'render_modes': []}  # noqa: RUF012

    def __init__(
        self,
        task: Task = 'single',
        form: Form = 'fixed',
        tolerance: float | None = None,
        render_mode: str | None = None,
    ) -> None:
        """Make the environment.

        Args:
            task: `single` or `multi`.
            form: `faithful` or `fixed`.
            tolerance: A zone is reached nearer than this [m]; None: as the form evaluates.
            render_mode: None; there is nothing to see.
        """
        self.config = PushingConfig(task=task, form=form, tolerance=tolerance)
        self.render_mode = render_mode
        self.action_space = spaces.Box(-MAX_MOVE, MAX_MOVE, (2,), np.float32)
        bounds = np.full(self.config.observation_size, _POSITION_BOUND, np.float32)
        bounds[[0, *range(7, len(bounds), 3)]] = math.pi + 1e-6
        self.observation_space = spaces.Box(-bounds, bounds, dtype=np.float32)
        self._world = PushingWorld()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin the episode whose layout has this seed; without one, draw the next seed."""
        super().reset(seed=seed)
        layout_seed = int(self.np_random.integers(2**31)) if seed is None else seed
        layout = sample_layout(self.config, np.random.default_rng(layout_seed))
        self._world.reset(layout.block, TOOL_START)
        self._zones = layout.zones
        self._setpoint = np.array(TOOL_START)
        self._elapsed = 0
        self._reached = np.zeros(self.config.zones, bool)
        self._progress = 0.0
        self._blocks: deque[np.ndarray] = deque(maxlen=STALLED_STEPS + 1)
        scene = self._scene()
        self._first_distance = float(scene.distances()[0])
        return scene.vector(), self._info(scene)

    def step(self, action: npt.ArrayLike) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Move the setpoint by `action` (2,) [m], within the action space, and let 0.1 s pass.

        Raises:
            IbcError: The action has another shape or is not finite.
        """
        move = np.asarray(action, dtype=float)
        if move.shape != (2,) or not np.isfinite(move).all():
            raise IbcError(f'action {action!r} of step {self._elapsed} is not a finite (x, y)')
        setpoint = self._setpoint + np.clip(move, -MAX_MOVE, MAX_MOVE)
        self._setpoint = np.clip(setpoint, WORKSPACE_LOW, WORKSPACE_HIGH)
        self._world.move_to(self._setpoint)
        self._elapsed += 1
        scene = self._scene()
        self._reached |= self._at_zones(scene)
        self._progress = max(self._progress, 1.0 - scene.distances()[0] / self._first_distance)
        done = bool(self._reached.all())
        truncated = not done and self._elapsed >= self.config.horizon
        return scene.vector(), self._reward(done), done, truncated, self._info(scene)

    def close(self) -> None:
        """Free the PyBullet client."""
        self._world.close()

    def _scene(self) -> Scene:
        block = self._world.block
        return Scene(
            block_xy=block[:2],
            block_yaw=float(block[2]),
            setpoint=self._setpoint,
            tool=self._world.tool,
            zones=self._zones,
        )

    def _at_zones(self, scene: Scene) -> npt.NDArray[np.bool_]:
        return scene.distances() < self.config.success_distance

    def _reward(self, done: bool) -> float:
        if self.config.task == 'multi':
            return float(done)
        return 1.0 if done else self._progress

    def _info(self, scene: Scene) -> dict[str, Any]:
        success = bool(self._reached.all() and self._at_zones(scene)[-1])
        partial = self._progress if self.config.task == 'single' else 0.5 * self._reached[0]
        self._blocks.append(scene.block_xy)
        return {
            'success': success,
            'score': 1.0 if success else float(partial),
            'distances': scene.distances(),
            'seconds': self._elapsed * STEP_S,
            'failure': '' if success else self._failure(),
            'ending': '' if success else self._ending(),
        }

    def _failure(self) -> str:
        if self._reached.all():
            return 'second zone before the first'
        if self.config.zones == 1:
            return 'zone not reached'
        return 'second zone not reached' if self._reached[0] else 'first zone not reached'

    def _ending(self) -> str:
        moved = np.linalg.norm(np.ptp(np.array(self._blocks), axis=0))
        return 'ran out of time' if moved > STALLED_M else 'stalled'
