"""Gymnasium environments: one policy tick per step, with the driver's own code underneath.

Importing this module registers `ibc/PushRed-v0` and the like; `gymnasium.make` does it by itself
when told the module, as in `xarm_twin.envs:ibc/PushRed-v0`.
"""

from collections import deque
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from ibc_contract.contract import Contract, ImageObservation, StateObservation, load_contract
from ibc_contract.errors import IbcError
from ibc_contract.images import encode_jpeg
from ibc_contract.observation import ImageWindow, StateWindow
from xarm_twin.camera import RendererChoice, TwinCamera
from xarm_twin.cell import TICK, CellState, SimulatedCell
from xarm_twin.config import load_scene
from xarm_twin.delays import Delays
from xarm_twin.randomization import Randomization
from xarm_twin.tasks import TASK_NAMES, get_task
from xarm_twin.tasks.failures import BlockMoves, failure

_START_NS = 10**9
"""Time of the first observation [ns]; a frame may be older than it."""


class PlanarTaskEnv(gymnasium.Env[dict[str, np.ndarray], np.ndarray]):
    """A task of the twin.

    Actions are moves of the setpoint (2,) [m] during the next period. Observations are what a live
    policy gets from the contract's window: `image` (T, h, w, 3) uint8 RGB, through JPEG, or `state`
    (T, D) float32. The reward is the change of the task's score, so a return is a final score. An
    episode terminates when the task is done and is truncated at its horizon; `info` then says what
    the failure was.
    """

    metadata = {'render_modes': ['rgb_array'], 'render_fps': 5}  # noqa: RUF012

    def __init__(
        self,
        task: str = 'push_red',
        contract: str | Contract = 'planar_rgb',
        renderer: RendererChoice = 'auto',
        frame_age_s: float = 0.0,
        render_mode: str | None = None,
        delays: Delays | None = None,
        randomization: Randomization | None = None,
    ) -> None:
        """Build cell and, for image contracts, camera.

        Args:
            task: Name of the task.
            contract: What is observed and how often; or its name.
            renderer: As for `TwinCamera`; state contracts render only for `render`.
            frame_age_s: Age of the newest frame at its tick, as of a camera with that delay [s].
            render_mode: `rgb_array` or None.
            delays: Each episode draws its own from these, instead of `frame_age_s`.
            randomization: Each episode draws its own scene from this, and its delays where none
                are given.
        """
        self.contract = load_contract(contract) if isinstance(contract, str) else contract
        self.task = get_task(task)
        self.render_mode = render_mode
        if delays is None:
            delays = randomization.delays if randomization else Delays((frame_age_s, frame_age_s))
        self._delays = delays
        self._delays.require_within(self.contract)
        observation, count = self.contract.observation, len(self.task.objects)
        if isinstance(observation, StateObservation) and observation.objects < count:
            raise IbcError(
                f'contract {self.contract.name} has room for {observation.objects} objects, '
                f'{task} has {count}: use another contract'
            )
        self._is_image = isinstance(observation, ImageObservation)
        self._renderer: RendererChoice = renderer
        self._camera: TwinCamera | None = None
        self._ticks_per_step = round(self.contract.period_s / TICK)
        self._horizon = round(self.task.horizon_s / self.contract.period_s)
        self._randomization = randomization
        self.scene = load_scene()
        """Of this episode."""
        self.cell = SimulatedCell(self.task)
        self._recent: deque[CellState] = deque()
        self._jpeg = b''
        self._elapsed = 0
        self._score = 0.0
        limit = self.contract.max_delta_m
        self.action_space = spaces.Box(-limit, limit, (2,), np.float32)
        self.observation_space = spaces.Dict({self._key: self._box()})  # type: ignore[assignment]

    @property
    def _seconds(self) -> float:
        return self._elapsed * self.contract.period_s

    @property
    def _key(self) -> str:
        return 'image' if self._is_image else 'state'

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin the episode whose layout has this seed; without one, draw the next seed."""
        super().reset(seed=seed)
        layout_seed = int(self.np_random.integers(2**31)) if seed is None else seed
        physics = None
        if self._randomization is not None:
            self.scene = self._randomization.scene(layout_seed, len(self.task.objects))
            if self._camera is not None:
                self._camera.set_scene(self.scene)
            physics = self.scene.physics
        state = self.cell.reset(layout_seed, physics)
        self._window = (ImageWindow if self._is_image else StateWindow)(self.contract)
        age_s, command_s = self._delays.draw(layout_seed)
        self._recent = deque([state], maxlen=round(age_s / TICK) + 1)
        self._command_tick = round(command_s / TICK)
        self._elapsed = 0
        self._moves = BlockMoves(self.task)
        self._moves.add(0.0, state.objects)
        self._score = self.task.score(state.objects)
        return self._observe(), self._info()

    def step(
        self, action: npt.ArrayLike
    ) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Let one contract period pass; `action` (2,) [m] is bounded by the action space."""
        limit = self.contract.max_delta_m
        delta = np.clip(np.asarray(action, dtype=float), -limit, limit)
        for tick in range(self._ticks_per_step):
            if tick == self._command_tick:
                self.cell.command(delta, self.contract.period_s)
            self._recent.append(self.cell.tick())
        self._elapsed += 1
        self._moves.add(self._seconds, self.cell.state.objects)
        before, self._score = self._score, self.task.score(self.cell.state.objects)
        done = self.task.is_success(self.cell.state.objects)
        truncated = not done and self._elapsed >= self._horizon
        info = self._info()
        if truncated:
            info['failure'] = failure(self.task, self.cell.state.objects)
            info['ending'] = self._moves.ending
        return self._observe(), self._score - before, done, truncated, info

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        """Return the camera's picture of this moment (H, W, 3) uint8 RGB."""
        if self.render_mode is None:
            return None
        return self._picture(self.cell.state)

    def close(self) -> None:
        """Free the PyBullet clients."""
        self.cell.close()
        if self._camera is not None:
            self._camera.close()
            self._camera = None

    def _observe(self) -> dict[str, np.ndarray]:
        now = self.cell.state
        seen = self._recent[0]
        stamp = _START_NS + seen.stamp_ns
        if isinstance(self._window, ImageWindow):
            self._jpeg = encode_jpeg(self._picture(seen))
            self._window.add_jpeg(stamp, self._jpeg)
        else:
            self._window.add_objects(stamp, seen.objects)
            self._window.add_setpoint(_START_NS + now.stamp_ns, now.setpoint_xy)
        return {self._key: self._window.at(_START_NS + now.stamp_ns)}

    def _picture(self, state: CellState) -> np.ndarray:
        if self._camera is None:
            self._camera = TwinCamera(self.task, self._renderer, scene=self.scene)
        return self._camera.render(state.q, state.objects)

    def _info(self) -> dict[str, Any]:
        state = self.cell.state
        return {
            'score': self._score,
            'success': self.task.is_success(state.objects),
            'seconds': self._seconds,
            'setpoint': state.setpoint_xy.copy(),
            'objects': state.objects.copy(),
            'interventions': dict(self.cell.gate.interventions),
            'jpeg': self._jpeg,
        }

    def _box(self) -> spaces.Box:
        shape = self.contract.observation_shape
        if self._is_image:
            return spaces.Box(0, 255, shape, np.uint8)
        return spaces.Box(-2.0, 2.0, shape, np.float32)  # [m], and cosines


def env_id(task: str) -> str:
    """Return the Gymnasium id of a task: `ibc/PushRed-v0` for `push_red`."""
    return f'ibc/{"".join(word.capitalize() for word in task.split("_"))}-v0'


for _task in TASK_NAMES:
    if env_id(_task) not in gymnasium.registry:
        gymnasium.register(env_id(_task), 'xarm_twin.envs:PlanarTaskEnv', kwargs={'task': _task})
