"""A world that runs by the wall clock in a thread of its own, and is an arm to a controller."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ibc_contract.errors import IbcError
from ibc_contract.pacing import ticks
from xarm_twin.scene_state import SceneState
from xarm_twin.world import World

log = logging.getLogger(__name__)

STATE_PERIOD = 0.02
"""Time between two looks at the objects [s]; joints are looked at after every step."""

JOIN_TIMEOUT = 2.0
CLEARANCE = 0.005
"""Objects are laid no nearer to the tool [m]."""


@dataclass(frozen=True)
class Pace:
    """How well the simulation kept up since the last time somebody asked."""

    real_time_factor: float
    """Simulated time over elapsed time; 1 when nothing was missed."""
    missed: int
    """Steps that were skipped, not made up for."""


class RealTimeTwin:
    """Steps a world in real time and shows its newest state without making anybody wait.

    Only the physics thread and `reset` touch the world. A step that comes late is skipped: after a
    stall, as on a machine that is too slow, simulated time has fallen behind, and no burst of steps
    makes the arm jump.
    """

    def __init__(
        self,
        world: World,
        on_state: Callable[[SceneState], None] = lambda state: None,
        clock_ns: Callable[[], int] = time.time_ns,
        arm_delay: float = 0.0,
    ) -> None:
        """Wrap `world`, which from now on belongs to the twin.

        Args:
            world: What is stepped.
            on_state: Called in the physics thread with every new scene state; must be quick.
            clock_ns: Where stamps come from [ns].
            arm_delay: From a joint target to the motors' pull [s], a dead time put in by hand; a
                real arm's own is not known until it is measured.
        """
        self._world = world
        self._on_state = on_state
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._arm_delay = arm_delay
        self._targets: deque[tuple[float, np.ndarray]] = deque()
        """Targets on their way, with when they arrive on the monotonic clock [s]."""
        self._joints = world.joint_states()
        self._newest = self._look()
        self._missed = 0
        self._asked = (time.monotonic(), 0)
        self._steps = 0
        self._failed = False
        self._thread = threading.Thread(target=self._run, name='physics', daemon=True)

    @property
    def failed(self) -> bool:
        """Whether the physics thread ended by an error."""
        return self._failed

    def start(self) -> None:
        """Begin to step."""
        self._asked = (time.monotonic(), 0)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; the world can be closed afterwards."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(JOIN_TIMEOUT)

    def newest(self) -> SceneState:
        """Return the newest scene state."""
        return self._newest

    def joint_positions(self) -> np.ndarray:
        """Joint positions after the newest step, shape (6,) [rad]."""
        return self._joints[0]

    def joint_velocities(self) -> np.ndarray:
        """Joint velocities after the newest step, shape (6,) [rad/s]."""
        return self._joints[1]

    def set_joint_targets(self, q: npt.ArrayLike) -> None:
        """Let the motors pull to `q`, shape (6,) [rad], from the next step after the delay on."""
        self._targets.append((time.monotonic() + self._arm_delay, np.array(q, float)))

    def reset(self, seed: int) -> None:
        """Place all objects anew for `seed`. The arm stays where it is.

        Raises:
            IbcError: One of them would lie where the tool is; nothing has changed.
        """
        world = self._world
        poses = world.task.sample_layout(np.random.default_rng(seed))
        with self._lock:
            before = world.object_poses()
            world.set_layout(poses)
            if not world.tool_is_clear(CLEARANCE):
                world.set_layout(before)
                raise IbcError(
                    f'the tool is where the layout of seed {seed} has an object: '
                    'call arm/home first'
                )
            self._newest = self._look()

    def take_pace(self) -> Pace:
        """How well the simulation kept up since the previous call."""
        now, steps = time.monotonic(), self._steps
        (then, steps_then), self._asked = self._asked, (now, steps)
        missed, self._missed = self._missed, 0
        elapsed = max(now - then, 1e-6)
        return Pace((steps - steps_then) * self._world.dt / elapsed, missed)

    def _run(self) -> None:
        look_every = max(1, round(STATE_PERIOD / self._world.dt))
        try:
            for _, missed in ticks(self._world.dt, self._stop):
                self._missed += missed
                with self._lock:
                    self._step()
                    if self._steps % look_every:
                        continue
                    self._newest = self._look()
                self._on_state(self._newest)
        except Exception:
            log.exception('physics thread')
            self._failed = True

    def _step(self) -> None:
        now = time.monotonic()
        while self._targets and self._targets[0][0] <= now:
            self._world.set_joint_targets(self._targets.popleft()[1])
        self._world.step()
        self._joints = self._world.joint_states()
        self._steps += 1

    def _look(self) -> SceneState:
        return SceneState(
            self._clock_ns(), self._joints[0], self._world.object_poses(), self._world.task.name
        )
