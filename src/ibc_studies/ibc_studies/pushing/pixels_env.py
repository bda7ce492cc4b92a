"""Pushing seen by a camera, as a Gymnasium environment."""

from collections import deque
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ibc_contract.contract import Contract, load_contract
from ibc_studies.pushing.camera import PushingCamera
from ibc_studies.pushing.config import Form, Task
from ibc_studies.pushing.env import PushingEnv
from ibc_studies.pushing.observation import Scene


class PushingPixelsEnv(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """`PushingEnv` with pictures for observations: `image` (T, h, w, 3) uint8 RGB, oldest first.

    Before the first picture of an episode it repeats. Actions, rewards and ends are those of
    `PushingEnv`; `info` holds its state vector as `state`, which policies do not look at.
    """

    metadata = {'render_modes': ['rgb_array'], 'render_fps': 10}  # noqa: RUF012

    def __init__(
        self,
        task: Task = 'single',
        form: Form = 'fixed',
        tolerance: float | None = None,
        contract: str | Contract = 'pushing_rgb_240x180',
        render_mode: str | None = None,
    ) -> None:
        """Make the environment.

        Args:
            task: `single` or `multi`.
            form: `faithful` or `fixed`.
            tolerance: A zone is reached nearer than this [m]; None: as the form evaluates.
            contract: What pictures, and how many; or its name.
            render_mode: `rgb_array` (the camera's whole picture) or None.

        Raises:
            IbcError: The contract observes no images.
        """
        self.contract = load_contract(contract) if isinstance(contract, str) else contract
        self.render_mode = render_mode
        self._env = PushingEnv(task, form, tolerance)
        self._camera = PushingCamera(self._env.config, self.contract)
        self._frames: deque[np.ndarray] = deque(maxlen=self.contract.history)
        self.action_space = self._env.action_space
        image = spaces.Box(0, 255, self.contract.observation_shape, np.uint8)
        self.observation_space = spaces.Dict({'image': image})  # type: ignore[assignment]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin the episode whose layout has this seed; without one, draw the next seed."""
        super().reset(seed=seed)
        layout_seed = int(self.np_random.integers(2**31)) if seed is None else seed
        self._state, info = self._env.reset(seed=layout_seed)
        self._frames.extend([self._frame()] * self.contract.history)
        return self._seen(), {**info, 'state': self._state}

    def step(
        self, action: npt.ArrayLike
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """As `PushingEnv.step`."""
        self._state, reward, terminated, truncated, info = self._env.step(action)
        self._frames.append(self._frame())
        return self._seen(), reward, terminated, truncated, {**info, 'state': self._state}

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return the camera's whole picture (240, 320, 3) uint8 RGB."""
        if self.render_mode is None:
            return None
        return self._camera.draw(Scene.from_vector(self._state))

    def close(self) -> None:
        """Free the PyBullet clients."""
        self._env.close()
        self._camera.close()

    def _frame(self) -> np.ndarray:
        return self._camera.observe(self._state[None])[0]

    def _seen(self) -> dict[str, np.ndarray]:
        return {'image': np.stack(self._frames)}
